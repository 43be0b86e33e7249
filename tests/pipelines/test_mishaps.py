"""What goes wrong around a job: the command, the machine, the folder."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ethos_data import dataset, dataset_files, records
from ethos_data.errors import EthosError
from ethos_data.storage import files
from pipelines import inspect, plan
from tests.ethos_data import videos
from tests.pipelines.test_convert import tree
from tests.pipelines.test_restart import run


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mishaps") / "corpus"
    return videos.write_corpus(folder, people=4, videos=1, frames=2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"corpus_dir": "typo"}, "typo: is not a folder"),
        ({"beam_args": ["--jpeg_qualty", "50"]}, "unknown arguments: --jpeg_qualty"),
        ({"runner": "NoRunner"}, "--runner NoRunner"),
        ({"max_bad_fraction": -1}, "--max_bad_fraction is from 0 to 1"),
    ],
)
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_command_that_is_wrong_deletes_nothing(
    corpus_dir, tmp_path, monkeypatch, change, reason, overwrite
):
    run(corpus_dir, tmp_path / "data")
    before = tree(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    wrong = {"corpus_dir": corpus_dir} | change
    with pytest.raises(EthosError, match=reason):
        run(data_dir=tmp_path / "data", overwrite=overwrite, **wrong)
    assert tree(tmp_path / "data") == before


def command(*extra):
    code = "import sys; from pipelines import convert; sys.exit(convert.main())"
    return [sys.executable, "-c", code, *extra]


def children_of(process):
    """Processes that a command has started, and theirs."""
    found, frontier = [], [process.pid]
    while frontier:
        parent = frontier.pop()
        threads = pathlib.Path(f"/proc/{parent}/task").glob("*/children")
        below = [int(pid) for thread in threads for pid in thread.read_text().split()]
        found += below
        frontier += below
    return found


def program_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def slow(tmp_path):
    """The flags of a conversion that takes some seconds, and where it writes."""
    corpus_dir = videos.write_corpus(
        tmp_path / "corpus", people=6, videos=4, frames=200
    )
    data_dir = str(tmp_path / "data")
    flags = ["--corpus_dir", str(corpus_dir), "--data_dir", data_dir]
    return [*flags, "--num_shards", "8"], data_dir


def begun(data_dir, process):
    """Waits until the first shard is being written or is there."""
    folder = pathlib.Path(data_dir) / records.NAME / records.VERSION
    end = time.monotonic() + 90
    while not list(folder.glob("*.tfrecord-*")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="reads /proc")
def test_a_worker_that_is_killed_ends_the_job(slow):
    flags, data_dir = slow
    processes = ["--direct_running_mode", "multi_processing"]
    process = subprocess.Popen(
        command(*flags, *processes, "--direct_num_workers", "2"),
        stderr=subprocess.PIPE,
        text=True,
        # As a background job, which hears no Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    begun(data_dir, process)
    workers = [p for p in children_of(process) if b"sdk_worker" in program_of(p)]
    workers = [p for p in workers if b"python" in program_of(p).split(b"\0")[0]]
    os.kill(workers[0], signal.SIGKILL)
    try:
        _, said = process.communicate(timeout=90)
    finally:
        process.kill()
    assert process.returncode == 1, said
    last = said.strip().splitlines()[-1]
    assert last.startswith("error: a worker process died (status 137")


def test_ctrl_c_is_said_in_one_word(slow):
    flags, data_dir = slow
    process = subprocess.Popen(
        command(*flags, "--direct_num_workers", "1"),
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, and what they start, hear no Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    begun(data_dir, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 130, said
    assert said.strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in said


def test_a_data_set_of_one_person_is_inspected(tmp_path, capsys):
    corpus_dir = videos.write_corpus(tmp_path / "one", people=1, videos=1, frames=2)
    run(corpus_dir, tmp_path / "data")
    assert inspect.main([str(tmp_path / "data")]) == 0
    assert "1 found, 1 written" in capsys.readouterr().out


def test_a_run_that_wrote_nothing_is_inspected(tmp_path, capsys):
    corpus_dir = videos.write_corpus(tmp_path / "bad", people=1, videos=1, frames=2)
    for path in corpus_dir.rglob("*.npz"):
        path.write_bytes(b"no video")
    with pytest.raises(EthosError, match="1 of 1 files were rejected"):
        run(corpus_dir, tmp_path / "data")
    data = str(tmp_path / "data")
    assert inspect.main([data]) == 0
    assert "NOT COMPLETE" in capsys.readouterr().out
    assert inspect.main([data, "--contact_sheet", str(tmp_path / "s.png")]) == 1
    assert "holds no frame to draw" in capsys.readouterr().err


def test_a_refused_run_leaves_no_data_set_of_before(tmp_path):
    corpus_dir = videos.write_corpus(tmp_path / "c", people=8, videos=1, frames=2)
    options = plan.Options(num_shards=2, depth_method="delaunay")
    run(corpus_dir, tmp_path / "data", options=options)
    info = tmp_path / "data" / records.NAME / records.VERSION / "dataset_info.json"
    manifest = json.loads(info.with_name("manifest.json").read_text())
    gone = manifest["splits"]["train"]["shards"][1]["name"]
    for video in manifest["inputs"]:
        if video["shard"] == gone:
            (corpus_dir / video["path"]).write_bytes(b"spoilt")
    with pytest.raises(EthosError, match="files were rejected"):
        run(corpus_dir, tmp_path / "data", options=options, max_bad_fraction=0.0)
    assert not info.exists()
    assert info.with_name("manifest.json").exists()


def test_a_lack_of_memory_is_no_verdict_on_a_file(corpus_dir, tmp_path, monkeypatch):
    def lacking(*args, **options):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("ethos_data.corpora.npz_video.Npz", lacking)
        with pytest.raises(EthosError, match="does not fit into memory"):
            run(corpus_dir, tmp_path)
    assert run(corpus_dir, tmp_path).rejected == ()


def test_a_link_to_where_one_came_from_is_followed_once(corpus_dir, tmp_path):
    copy = pathlib.Path(shutil.copytree(corpus_dir, tmp_path / "corpus"))
    (copy / "deep").mkdir()
    for name in ("up", "again"):
        (copy / "deep" / name).symlink_to("..", target_is_directory=True)
    found = sorted(entry.path for entry in files.walk(str(copy)))
    assert found == sorted(entry.path for entry in files.walk(str(corpus_dir)))
    assert run(copy, tmp_path / "data").written == len(found)


def test_overwriting_does_not_follow_links(corpus_dir, tmp_path):
    run(corpus_dir, tmp_path / "data")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    folder = tmp_path / "data" / records.NAME / records.VERSION
    (folder / "link").symlink_to(mine, target_is_directory=True)
    run(corpus_dir, tmp_path / "data", overwrite=True)
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_a_pipe_is_no_video(corpus_dir, tmp_path):
    copy = pathlib.Path(shutil.copytree(corpus_dir, tmp_path / "corpus"))
    os.mkfifo(copy / "Pipe_0.npz")
    (rejected,) = run(copy, tmp_path / "data").rejected
    assert rejected == ("Pipe_0.npz", "cannot be read (not a file)")


def test_a_folder_may_be_called_anything(corpus_dir, tmp_path):
    data_dir = tmp_path / "data [v2] *? 100%"
    run(corpus_dir, data_dir)
    assert dataset_files.counts(str(data_dir))["train"] > 0
    every = list(dataset.load(str(data_dir), "train", image_size=32, batch_size=1))
    assert len(every) == dataset_files.counts(str(data_dir))["train"]
