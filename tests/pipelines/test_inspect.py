"""The report of `ethos-inspect`, and the damage that `--verify` detects."""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from ethos_data import visibility
from ethos_data.errors import EthosError
from ethos_data.storage import tfrecord
from pipelines import contact_sheet, convert, inspect
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import datasets, videos
from tests.pipelines.test_restart import run


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("inspected")
    corpus_dir = videos.write_corpus(directory / "corpus", people=6, videos=2, frames=3)
    (corpus_dir / "Broken_0.npz").write_bytes(b"no video")
    return convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(directory / "data"),
        options=ConversionOptions(num_shards=2),
    )


@pytest.fixture
def copied(converted, tmp_path):
    """A copy of the data set, and the paths of its training shards."""
    shutil.copytree(converted.data_dir, tmp_path / "data")
    data = inspect.find(str(tmp_path / "data"))
    shards = sorted(pathlib.Path(data.directory).glob("*-train.tfrecord-*"))
    return data, shards


def test_the_report_counts_frames_people_sizes_and_rejected_files(converted, capsys):
    assert inspect.main([converted.data_dir]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line}
    for split, frames in converted.frames_by_split.items():
        assert int(rows[split][1]) == frames
    assert sum(int(rows[s][3]) for s in converted.frames_by_split) == 6
    assert "13 found, 12 written, 1 rejected" in out
    assert "Broken_0.npz: is not a readable zip archive" in out
    assert "NOT COMPLETE" not in out
    # The faces of `videos` have about 27 source pixels and look straight ahead.
    assert "0 to 40        36" in out
    assert out.index("train ") < out.index("validation ") < out.index("test ")


def test_finds_the_data_set_in_its_own_directory_and_in_the_parent(converted):
    assert inspect.find(converted.version_dir) == inspect.find(converted.data_dir)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["missing"], "missing: no such directory"),
        (["empty"], "empty: contains no finished conversion"),
        (["file"], "file: not a directory"),
        (["empty", "--verfy"], "unknown arguments: --verfy"),
        (["empty", "--samples", "0"], "--samples must be at least 1"),
        (["empty", "--contact_sheet", "file/s.png"], "file is not a directory"),
        (["empty", "--contact_sheet", "empty"], "empty: is a directory"),
    ],
)
def test_a_wrong_command_is_reported_in_one_line(
    args, reason, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert inspect.main(args) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert reason in line


def test_a_reader_that_stops_early_is_no_error(converted):
    """`ethos-inspect DATA | head -1`"""
    code = "import sys; from pipelines import inspect; sys.exit(inspect.main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, converted.data_dir],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()  # before the first line, as the fastest reader
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_verify_reads_all_records(converted, capsys):
    assert inspect.main([converted.data_dir, "--verify"]) == 0
    assert "verified 36 records" in capsys.readouterr().out


def test_verify_detects_flipped_bits(copied):
    data, shards = copied
    content = shards[0].read_bytes()
    for position in np.random.default_rng(0).integers(len(content), size=20):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        shards[0].write_bytes(damaged)
        with pytest.raises(EthosError, match=shards[0].name):
            inspect.verify(data)


def test_verify_detects_damage_with_correct_checksums(copied):
    data, shards = copied
    content = shards[0].read_bytes()
    with open(shards[0], "rb") as file:
        frames = [tfrecord.frame(record) for record in tfrecord.read(file)]
    for damaged, reason in (
        (b"".join(frames[:-1]), "records, not"),
        (b"".join(frames[::-1]), "its checksum differs"),
        (b"".join([*frames[:-1], frames[0]]), "occurs twice"),
        (tfrecord.frame(b"not a record") + content, "not a record"),
        (shards[1].read_bytes(), "."),
        (content[:-3], "ends inside"),
    ):
        shards[0].write_bytes(damaged)
        with pytest.raises(EthosError, match=reason):
            inspect.verify(data)


def test_verify_detects_a_missing_shard(copied):
    data, shards = copied
    shards[0].unlink()
    with pytest.raises(EthosError, match=f"{shards[0].name}: No such file"):
        inspect.verify(data)


def test_an_incomplete_conversion_is_marked(copied):
    data, _ = copied
    (pathlib.Path(data.directory) / "dataset_info.json").unlink()
    assert "NOT COMPLETE" in inspect.report(inspect.find(data.directory))
    (pathlib.Path(data.directory) / "manifest.json").write_text(json.dumps([1]))
    with pytest.raises(EthosError, match="contains no finished conversion"):
        inspect.find(data.directory)


def test_a_data_set_of_one_person_is_inspected(tmp_path, capsys):
    corpus_dir = videos.write_corpus(tmp_path / "c", people=1, videos=1, frames=2)
    run(corpus_dir, tmp_path / "data")
    assert inspect.main([str(tmp_path / "data")]) == 0
    assert "1 found, 1 written" in capsys.readouterr().out


def test_a_conversion_without_frames_is_inspected(tmp_path, capsys):
    corpus_dir = videos.write_corpus(tmp_path / "bad", people=1, videos=1, frames=2)
    for path in corpus_dir.rglob("*.npz"):
        path.write_bytes(b"no video")
    with pytest.raises(EthosError, match="1 of 1 files were rejected"):
        run(corpus_dir, tmp_path / "data")
    data_dir = str(tmp_path / "data")
    assert inspect.main([data_dir]) == 0
    assert "NOT COMPLETE" in capsys.readouterr().out
    assert inspect.main([data_dir, "--contact_sheet", str(tmp_path / "s.png")]) == 1
    assert "contains no frames to draw" in capsys.readouterr().err


def test_the_contact_sheet_shows_landmarks_and_depth(converted, tmp_path):
    sheet = tmp_path / "sheet.png"
    args = [converted.data_dir, "--contact_sheet", str(sheet), "--samples", "6"]
    assert inspect.main(args) == 0
    picture = cv2.imread(str(sheet), cv2.IMREAD_COLOR_RGB)
    tile_width = 2 * contact_sheet.TILE + 4
    assert picture.shape[1] == 4 * tile_width
    first = picture[: contact_sheet.TILE + 22, :tile_width].astype(int)
    image, depth = np.split(first[18:-4, 2:-2], 2, axis=1)
    green = image[..., 1] - np.maximum(image[..., 0], 60)
    assert (green > 80).sum() > 100  # the lines between landmarks
    unknown = (depth == 24).all(axis=-1)
    assert 0.3 < unknown.mean() < 0.98  # around the face


def test_the_contact_sheet_of_a_damaged_shard_names_it(copied, tmp_path, capsys):
    data, shards = copied
    path, sheet = shards[0], str(tmp_path / "sheet.png")
    content = path.read_bytes()
    frames = data.manifest.head["splits"]["train"]["shards"][0]["frames"]
    for damaged, reason in (
        (content[:-3], "ends inside record"),
        (tfrecord.frame(b"text"), "not a record"),
        (b"", f"has 0 records, not {frames}"),
    ):
        path.write_bytes(damaged)
        args = [data.directory, "--contact_sheet", sheet, "--samples", "99"]
        assert inspect.main(args) == 1
        assert capsys.readouterr().err.startswith(f"error: {path}: {reason}")


def test_the_seed_determines_the_samples(converted):
    data = inspect.find(converted.data_dir)
    shards = [
        contact_sheet.ShardFile(
            split, f"{data.directory}/{shard['name']}", shard["frames"]
        )
        for split, shard in data.shards()
    ]

    def draw(seed):
        samples = contact_sheet.sample(shards, 6, seed)
        return [(record.video_id, record.frame) for _, record in samples]

    assert draw(0) == draw(0) != draw(1)


def test_the_contact_sheet_shows_no_landmark_without_a_label():
    record = datasets.make_record(5)
    record.image[:] = 0

    def drawn(visible):
        changed = dataclasses.replace(record, visible=np.array(visible, np.uint8))
        sheet = contact_sheet.draw([("train", changed)], columns=1)
        return sheet[20:, : contact_sheet.TILE].max(axis=-1) > 80

    everything = drawn([visibility.VISIBLE] * 68)
    jaw = drawn([visibility.HIDDEN] * 17 + [visibility.UNLABELLED] * 51)
    assert not (jaw & ~everything).any()
    assert 0.05 * everything.sum() < jaw.sum() < 0.5 * everything.sum()
    assert not drawn([visibility.UNLABELLED] * 68).any()
