"""Unusable files are listed with the reason, and all usable frames are written."""

import collections
import io
import pathlib
import zipfile

import numpy as np
import pytest

from ethos_data import records
from pipelines import convert
from pipelines.conversion import manifest
from tests.ethos_data import videos
from tests.pipelines.test_convert import read_records


def write_bad_files(directory: pathlib.Path) -> dict[str, str]:
    """Writes a file for each kind of damage.

    Returns:
      A part of the expected reason, by the path of the file.
    """
    arrays = videos.make_arrays()
    good = videos.write_video(directory / "good_0.npz").read_bytes()
    (directory / "good_0.npz").unlink()
    expected = {}

    def add(name, reason, content=None, **changes):
        path = directory / f"{name}_0.npz"
        if content is not None:
            path.write_bytes(content)
        else:
            changed = {k: v for k, v in (arrays | changes).items() if v is not None}
            np.savez_compressed(path, **changed)
        expected[path.name] = reason

    landmarks = arrays["landmarks3D"]
    add("truncated", "zip archive", good[: len(good) // 2])
    add("empty", "zip archive", b"")
    add("text", "zip archive", b"this is no archive at all")
    flipped = bytearray(good)
    flipped[len(good) // 3] ^= 0xFF
    add("flipped", "colorImages", bytes(flipped))
    add("no_images", "has no colorImages", colorImages=None)
    add("no_landmarks", "has no landmarks3D", landmarks3D=None)
    add("pickled", "object array", landmarks3D=landmarks.astype(object))
    add("lopsided", "shapes disagree", landmarks3D=landmarks[..., :-1])
    add("floats", "must be uint8", colorImages=arrays["colorImages"] / 255)
    add("nan", "4 landmarks not finite", landmarks3D=landmarks * np.nan)
    add("infinite", "4 landmarks not finite", landmarks3D=landmarks * np.inf)
    add("elsewhere", "4 landmarks mostly off", landmarks3D=landmarks + 900)
    add("flat", "4 landmarks without extent", landmarks3D=landmarks * 0)
    none = {k: arrays[k][..., :0] for k in ("colorImages", "landmarks3D")}
    add("timeless", "has no frames", **none)
    header = np.lib.format.header_data_from_array_1_0(arrays["colorImages"])
    header["shape"] = (100_000, 100_000, 3, 4)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("colorImages.npy", "w") as member:
            np.lib.format.write_array_header_1_0(member, header)
            member.write(bytes(10**6))
        with archive.open("landmarks3D.npy", "w") as member:
            np.save(member, landmarks)
    add("bomb", "claims 120,000,000,000 bytes", file.getvalue())
    (directory / "unreadable_0.npz").symlink_to(directory / "nowhere")
    expected["unreadable_0.npz"] = "cannot be read"
    (directory / "twin").mkdir()
    videos.write_video(directory / "twin" / "Person_00_0.npz", seed=99)
    expected["twin/Person_00_0.npz"] = "has the video id of faces_1/"
    return expected


@pytest.fixture
def mixed(tmp_path):
    """A corpus with usable and unusable files, and the expected reasons."""
    corpus_dir = videos.write_corpus(tmp_path / "corpus")
    return corpus_dir, write_bad_files(corpus_dir)


def test_bad_files_are_listed_and_all_usable_frames_are_written(
    mixed, tmp_path, capsys
):
    corpus_dir, expected = mixed
    # A usable file with two unusable frames.
    partly_usable = videos.make_arrays(5, frames=5)
    partly_usable["landmarks3D"][..., 1] = np.nan
    partly_usable["landmarks3D"][..., 3] += 1000
    np.savez_compressed(corpus_dir / "Partly_Good_1.npz", **partly_usable)
    status = convert.main(
        ["--corpus_dir", str(corpus_dir), "--data_dir", str(tmp_path / "data")]
    )
    out = capsys.readouterr().out
    assert status == 0
    assert f"13 written, {len(expected)} rejected" in out
    directory = tmp_path / "data" / "ethos_faces" / records.VERSION
    found = manifest.read(str(directory))
    reasons = {entry["path"]: entry["reason"] for entry in found.rejected()}
    assert reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert reason in reasons[name]
        assert "\n" not in reasons[name]
    assert found.head["found"] == len(list(found.inputs())) + len(reasons)
    assert found.head["found"] == len(list(corpus_dir.rglob("*.npz")))
    frames = collections.Counter(r.video_id for _, r in read_records(directory))
    assert frames.pop("Partly_Good_1") == 3
    assert set(frames.values()) == {3}
    assert len(frames) == 12


def test_max_bad_fraction_decides_whether_the_conversion_fails(mixed, tmp_path, capsys):
    corpus_dir, expected = mixed
    args = ["--corpus_dir", str(corpus_dir), "--data_dir", str(tmp_path / "data")]
    share = len(expected) / (len(expected) + 12)
    assert convert.main([*args, "--max_bad_fraction", str(share - 0.01)]) == 1
    last_line = capsys.readouterr().err.splitlines()[-1]
    assert last_line.startswith("error: ")
    assert f"{len(expected)} of {len(expected) + 12} files were rejected" in last_line
    directory = tmp_path / "data" / "ethos_faces" / records.VERSION
    assert (directory / "manifest.json").exists()
    assert not (directory / "dataset_info.json").exists()
    # With a larger fraction, the same command uses the finished shards.
    result = convert.run([*args, "--max_bad_fraction", str(share + 0.01)])
    assert result.frames == 36
    # Only the shard of the file that could not be opened is written again.
    assert result.shards_reused >= result.shards - 1


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda directory: None, "no such directory"),
        (lambda directory: directory.touch(), "not a directory"),
        (lambda directory: directory.mkdir(), "contains no .npz file"),
        (
            lambda directory: (
                directory.mkdir(),
                (directory / "a_1.npz").write_bytes(b"no"),
            ),
            "1 of 1 files were rejected",
        ),
    ],
)
def test_a_corpus_without_videos_is_reported_in_one_line(
    tmp_path, capsys, make, reason
):
    make(tmp_path / "corpus")
    args = ["--corpus_dir", str(tmp_path / "corpus"), "--data_dir", str(tmp_path / "d")]
    assert convert.main(args) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("error: ")
    assert reason in lines[-1]
    assert "Traceback" not in "".join(lines)
