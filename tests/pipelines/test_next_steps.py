"""Data sets with empty splits: the warning names the cause, and the printed commands
work when they are pasted into a shell."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest

from ethos_data import dataset_files, next_step
from ethos_model import train
from ethos_model.training import cluster, flags, preflight
from pipelines import convert
from pipelines.conversion import splits
from pipelines.conversion.options import DEFAULT_SPLITS
from tests.ethos_data import videos

ROOT = pathlib.Path(__file__).parent.parent.parent
SCRIPTS = os.path.dirname(sys.executable)

pytestmark = pytest.mark.skipif(
    not os.path.exists(os.path.join(SCRIPTS, "ethos-convert")),
    reason="the console scripts are not installed",
)


def run_convert(capsys, *argv):
    """Runs ethos-convert. Returns its warnings and its "next:" line."""
    assert convert.main([*map(str, argv)]) == 0
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    warnings = [line for line in lines if line.startswith("warning: ")]
    return warnings, captured.out.splitlines()[-1]


def paste(line):
    """Runs a "next:" line in a shell. Returns what it prints."""
    done = subprocess.run(
        ["bash", "-c", line.removeprefix(next_step.PREFIX)],
        env=os.environ
        | {
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def people_by_split(people):
    """Assigns people as a first conversion does."""
    assigned = splits.assign(people, DEFAULT_SPLITS, 0, {})
    return {
        name: [person for person in people if assigned[person] == name]
        for name, _ in DEFAULT_SPLITS
    }


def write_people(corpus_dir, people):
    for seed, person in enumerate(people):
        videos.write_video(corpus_dir / f"{person}_1.npz", seed, frames=2)


def check_can_train(line, data_dir):
    """Runs all checks of a "next:" line with ethos-train that need no TensorFlow."""
    command, *argv = shlex.split(line.removeprefix(next_step.PREFIX))
    assert os.path.basename(command) == "ethos-train"
    config = flags.from_flags(train.parser().parse_args(argv))
    assert config.data_dir == str(data_dir)
    assert not os.path.exists(config.workdir)
    preflight.check(config, cluster.Cluster((), 0))
    os.rmdir(config.workdir)


@pytest.fixture
def place(tmp_path):
    """A directory whose name needs quotes in a shell."""
    directory = tmp_path / "it's my \u00fcmlaut"
    directory.mkdir()
    return directory


def test_a_full_data_set_leads_to_training_without_a_warning(place, capsys):
    write_people(place / "corpus", ["A", "B", "C"])
    argv = ["--corpus_dir", place / "corpus", "--data_dir", place / "data"]
    warnings, line = run_convert(capsys, *argv)
    assert warnings == []
    check_can_train(line, place / "data")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_one_person_is_trained_on_without_validation(split, place, capsys):
    """The hash of the name may put the person into any split."""
    names = [f"P{number}" for number in range(100)]
    person = next(name for name in names if people_by_split([name])[split])
    write_people(place / "corpus", [person])
    argv = ["--corpus_dir", place / "corpus", "--data_dir", place / "data"]
    warnings, line = run_convert(capsys, *argv)
    assert len(warnings) == 3
    assert "the test split has no frames" in warnings[1]
    assert "the corpus has 1 person" in warnings[1]
    assert (
        "use --splits train:1 --overwrite for a data set with train only"
        in (warnings[2])
    )
    if split == "validation":
        line = paste(line).splitlines()[-1]
    check_can_train(line, place / "data")


def test_two_people_in_one_split_are_converted_again(place, capsys):
    names = [f"P{number}" for number in range(100)]
    pairs = [names[i : i + 2] for i in range(0, 100, 2)]
    people = next(pair for pair in pairs if not people_by_split(pair)["validation"])
    write_people(place / "corpus", people)
    argv = ["--corpus_dir", place / "corpus", "--data_dir", place / "data"]
    argv += ["--image_size", "64"]
    warnings, line = run_convert(capsys, *argv)
    assert "the corpus has 2 people" in "".join(warnings)
    assert "--splits train:0.8,validation:0.1" in line
    check_can_train(paste(line).splitlines()[-1], place / "data")
    # The other flags are kept, and a repeated command changes nothing.
    check_can_train(paste(line).splitlines()[-1], place / "data")
    directory = dataset_files.version_dir(place / "data")
    manifest = (pathlib.Path(directory) / "manifest.json").read_text()
    assert '"image_size": 64' in manifest


@pytest.mark.parametrize("damage", ["removed", "unreadable"])
def test_a_lost_validation_person_is_replaced(damage, place, capsys):
    people = [f"P{number}" for number in range(6)]
    write_people(place / "corpus", people)
    argv = ["--corpus_dir", place / "corpus", "--data_dir", place / "data"]
    run_convert(capsys, *argv)
    for person in people_by_split(people)["validation"]:
        path = place / "corpus" / f"{person}_1.npz"
        if damage == "removed":
            path.unlink()
        else:
            path.write_bytes(b"no video")
    warnings, line = run_convert(capsys, *argv)
    reason = "removed" if damage == "removed" else "rejected"
    assert "the validation split has no frames" in warnings[0]
    assert reason in warnings[0]
    assert "--overwrite" in line
    check_can_train(paste(line).splitlines()[-1], place / "data")
    frames = dataset_files.counts(place / "data")
    assert frames.keys() == {"train", "validation", "test"}


def test_a_data_set_without_training_split_is_inspected(place, capsys):
    write_people(place / "corpus", ["A", "B"])
    argv = ["--corpus_dir", place / "corpus", "--data_dir", place / "data"]
    _, line = run_convert(capsys, *argv, "--splits", "a:1,b:1")
    assert "files: 2 found, 2 written" in paste(line)


def test_the_next_command_works_after_a_partial_conversion(place, capsys):
    write_people(place / "corpus", ["A", "B", "C", "D"])
    argv = ["--corpus_dir", place / "corpus", "--data_dir", place / "data"]
    run_convert(capsys, *argv)
    shutil.rmtree(place / "data" / "ethos_faces" / "1.0.0" / ".ethos")
    assert convert.main([*map(str, argv)]) == 1
    assert "contains files but no conversion" in capsys.readouterr().err
    warnings, line = run_convert(capsys, *argv[:3], place / "data_2")
    assert warnings == []
    check_can_train(line, place / "data_2")


def test_synthesize_leads_to_convert(place, capsys):
    from ethos_data.heads import synthesize

    argv = ["--out_dir", str(place / "heads"), "--num_people", "3", "--size", "48"]
    argv += ["--videos_per_person", "1", "--frames_per_video", "1"]
    assert synthesize.main(argv) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    output = paste(line).splitlines()
    assert any("3 written" in said for said in output)
    check_can_train(output[-1], place / "data")
