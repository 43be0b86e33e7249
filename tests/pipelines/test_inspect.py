"""What `ethos-inspect` says, and every kind of damage that `--verify` must notice."""

import json
import pathlib
import shutil

import cv2
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_data.storage import tfrecord
from pipelines import convert, inspect, plan
from tests.ethos_data import videos


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspected")
    corpus_dir = videos.write_corpus(folder / "corpus", people=6, videos=2, frames=3)
    (corpus_dir / "Broken_0.npz").write_bytes(b"no video")
    return convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(folder / "data"),
        options=plan.Options(num_shards=2),
    )


@pytest.fixture
def copied(converted, tmp_path):
    shutil.copytree(converted.data_dir, tmp_path / "data")
    data = inspect.find(str(tmp_path / "data"))
    shards = sorted(pathlib.Path(data.folder).glob("*-train.tfrecord-*"))
    return data, shards


def test_the_report_counts_frames_people_sizes_and_rejects(converted, capsys):
    assert inspect.main([converted.data_dir]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line}
    for split, frames in converted.frames_by_split.items():
        assert int(rows[split][1]) == frames
    assert sum(int(rows[s][3]) for s in converted.frames_by_split) == 6
    assert "13 found, 12 written, 1 rejected" in out
    assert "Broken_0.npz: is not a readable zip archive" in out
    assert "NOT COMPLETE" not in out
    # A face of about 27 source pixels, looking ahead.
    assert "0 to 40        36" in out
    assert out.index("train ") < out.index("validation ") < out.index("test ")


def test_either_folder_may_be_named_but_no_other(converted, tmp_path, capsys):
    assert inspect.find(converted.version_dir) == inspect.find(converted.data_dir)
    assert inspect.main([str(tmp_path)]) == 1
    assert "holds no finished conversion" in capsys.readouterr().err
    assert inspect.main([converted.data_dir, "--verfy"]) == 1


def test_verify_reads_every_record(converted, capsys):
    assert inspect.main([converted.data_dir, "--verify"]) == 0
    assert "verified 36 records" in capsys.readouterr().out


def test_verify_notices_flipped_bits(copied):
    data, shards = copied
    whole = shards[0].read_bytes()
    for position in np.random.default_rng(0).integers(len(whole), size=20):
        broken = bytearray(whole)
        broken[position] ^= 0x10
        shards[0].write_bytes(broken)
        with pytest.raises(EthosError, match=shards[0].name):
            inspect.verify(data)


def test_verify_notices_what_checksums_of_records_do_not(copied):
    data, shards = copied
    whole = shards[0].read_bytes()
    frames = [tfrecord.frame(r) for r in tfrecord.read(open(shards[0], "rb"))]  # noqa: SIM115
    for content, reason in (
        (b"".join(frames[:-1]), "records, not"),
        (b"".join(frames[::-1]), "its checksum"),
        (b"".join([*frames[:-1], frames[0]]), "once only"),
        (tfrecord.frame(b"not a record") + whole, "not a record"),
        (next(iter(shards[1:])).read_bytes(), "."),
        (whole[:-3], "ends inside"),
    ):
        shards[0].write_bytes(content)
        with pytest.raises(EthosError, match=reason):
            inspect.verify(data)
    shards[0].unlink()
    with pytest.raises(EthosError, match=shards[0].name):
        inspect.verify(data)


def test_a_refused_conversion_says_so(copied):
    data, _ = copied
    (pathlib.Path(data.folder) / "dataset_info.json").unlink()
    assert "NOT COMPLETE" in inspect.report(inspect.find(data.folder))
    (pathlib.Path(data.folder) / "manifest.json").write_text(json.dumps([1]))
    with pytest.raises(EthosError):
        inspect.find(data.folder)


def test_the_contact_sheet_shows_samples_with_landmarks_and_depth(
    converted, tmp_path, capsys
):
    sheet = tmp_path / "sheet.png"
    args = [converted.data_dir, "--contact_sheet", str(sheet), "--samples", "6"]
    assert inspect.main(args) == 0
    picture = cv2.imread(str(sheet), cv2.IMREAD_COLOR_RGB)
    tile_width = 2 * inspect.TILE + 4
    assert picture.shape[1] == 4 * tile_width
    first = picture[: inspect.TILE + 22, :tile_width].astype(int)
    picture_half, depth_half = np.split(first[18:-4, 2:-2], 2, axis=1)
    green = picture_half[..., 1] - np.maximum(picture_half[..., 0], 60)
    assert (green > 80).sum() > 100  # the lines between landmarks
    grey = (depth_half == 24).all(axis=-1)
    assert 0.3 < grey.mean() < 0.98  # no depth around the face
    again = inspect.samples(inspect.find(converted.data_dir), 6, seed=0)
    other = inspect.samples(inspect.find(converted.data_dir), 6, seed=1)
    ids = [[(r.video_id, r.frame) for _, r in chosen] for chosen in (again, other)]
    assert ids[0] != ids[1]
    np.testing.assert_array_equal(inspect.contact_sheet(again), picture)
