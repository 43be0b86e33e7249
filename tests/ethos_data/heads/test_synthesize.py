"""The rendered corpus: file layout, reproducibility and the command line."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from ethos_data.corpora import npz_video
from ethos_data.errors import EthosError
from ethos_data.heads import synthesize
from ethos_data.heads.model import HeadModel
from ethos_data.heads.video_file import Person
from ethos_data.topology import EYES, face_box, face_size

SMALL = {"videos_per_person": 2, "frames_per_video": 3, "size": 64, "seed": 5}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Paths of a corpus of two people, rendered in this process."""
    out_dir = tmp_path_factory.mktemp("corpus")
    return synthesize.synthesize(out_dir, num_people=2, num_workers=1, **SMALL)


def test_files_have_the_layout_of_youtube_faces(corpus: list[str]) -> None:
    names = [pathlib.Path(path).name for path in corpus]
    assert names == [f"Rendered_Person_{p:03d}_{v}.npz" for p in (1, 2) for v in (1, 2)]
    for path in corpus:
        with np.load(path, allow_pickle=False) as data:
            images, depth = data["colorImages"], data["depth"]
            height, width = images.shape[:2]
            assert images.shape == (height, width, 3, 3)
            assert images.dtype == np.uint8
            assert depth.shape == (height, width, 3)
            assert depth.dtype == np.float32
            assert data["landmarks3D"].shape == (68, 3, 3)
            xy = data["landmarks2D"]
            np.testing.assert_array_equal(xy, data["landmarks3D"][:, :2])
            box = data["boundingBox"]
            assert box.shape == (4, 2, 3)
            low, high = xy.min(axis=0), xy.max(axis=0)
            # The order in YouTube Faces: upper left, lower left, upper right, ...
            np.testing.assert_array_equal(box[0], low)
            np.testing.assert_array_equal(box[3], high)
            np.testing.assert_array_equal(box[1], np.stack([low[0], high[1]]))
            np.testing.assert_array_equal(box[2], np.stack([high[0], low[1]]))


def test_corpus_reader_reads_the_files(corpus: list[str]) -> None:
    out_dir = pathlib.Path(corpus[0]).parents[1]
    assert len(npz_video.list_videos(str(out_dir))) == len(corpus)
    for path in corpus:
        video = npz_video.read_video(path)
        assert video.person_id == video.video_id[:-2]
        assert video.depth is not None
        z = video.landmarks[:, EYES, 2]
        np.testing.assert_allclose(z.mean(axis=1), 0, atol=1e-2)
        for landmarks, depth in zip(video.landmarks, video.depth, strict=True):
            errors = [
                abs(depth[round(float(y)), round(float(x))] - z)
                for x, y, z in landmarks[27:48]
            ]
            assert np.nanmedian(errors) < 1.5


def test_leaves_no_temporary_files(corpus: list[str]) -> None:
    directory = pathlib.Path(corpus[0]).parent
    assert sorted(os.listdir(directory)) == sorted(map(os.path.basename, corpus))


def test_bytes_do_not_depend_on_the_number_of_processes(
    corpus: list[str], tmp_path: pathlib.Path
) -> None:
    calls: list[tuple[int, int]] = []
    paths = synthesize.synthesize(
        tmp_path,
        num_people=2,
        num_workers=2,
        progress=lambda done, total: calls.append((done, total)),
        **SMALL,
    )
    assert len(paths) == len(corpus)
    for path, expected in zip(paths, corpus, strict=True):
        assert pathlib.Path(path).read_bytes() == pathlib.Path(expected).read_bytes()
    assert calls == [(2, 4), (4, 4)]


def test_another_seed_gives_other_people(
    corpus: list[str], tmp_path: pathlib.Path
) -> None:
    options = {**SMALL, "seed": 6, "videos_per_person": 1}
    (path,) = synthesize.synthesize(tmp_path, num_people=1, num_workers=1, **options)
    with np.load(corpus[0]) as first, np.load(path) as second:
        assert first["landmarks3D"].tobytes() != second["landmarks3D"].tobytes()


def test_the_first_files_do_not_depend_on_the_number_of_people_and_videos(
    corpus: list[str], tmp_path: pathlib.Path
) -> None:
    options = {**SMALL, "videos_per_person": 1}
    (path,) = synthesize.synthesize(tmp_path, num_people=1, num_workers=1, **options)
    assert pathlib.Path(path).read_bytes() == pathlib.Path(corpus[0]).read_bytes()


def test_people_differ_and_are_the_same_in_all_their_videos() -> None:
    first = Person(seed=5, number=0).figure()
    assert Person(seed=5, number=0).figure() is first
    second = Person(seed=5, number=1).figure()
    assert tuple(first.look.skin) != tuple(second.look.skin)
    again = Person(seed=5, number=0).figure()
    np.testing.assert_array_equal(again.shape, first.shape)
    np.testing.assert_array_equal(again.paint, first.paint)


def test_face_sizes_follow_the_nominal_size(corpus: list[str]) -> None:
    for path in corpus:
        video = npz_video.read_video(path)
        size = face_size(face_box(video.landmarks)).mean()
        assert 0.12 * SMALL["size"] < size < 1.1 * SMALL["size"]


def test_a_head_model_from_a_file_gives_the_same_corpus(
    tmp_path: pathlib.Path,
) -> None:
    model = tmp_path / "head.npz"
    HeadModel.builtin().save(model)
    options = {**SMALL, "videos_per_person": 1}
    (from_file,) = synthesize.synthesize(
        tmp_path / "file", num_people=1, num_workers=1, head_model=model, **options
    )
    (builtin,) = synthesize.synthesize(
        tmp_path / "builtin", num_people=1, num_workers=1, **options
    )
    assert pathlib.Path(from_file).read_bytes() == pathlib.Path(builtin).read_bytes()


def test_command_reports_progress_result_and_next_step(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = f"--out_dir {tmp_path} --num_people 1 --videos_per_person 1"
    arguments += " --frames_per_video 2 --size 64 --num_workers 1"
    assert synthesize.main(arguments.split()) == 0
    output = capsys.readouterr()
    assert "wrote 1 videos of 1 people, 2 frames" in output.out
    assert "ethos-convert --corpus_dir" in output.out
    assert "1/1" in output.err


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        ("--head_model", "missing.npz", "missing.npz: no such file"),
        ("--num_people", "0", "--num_people must be at least 1"),
        ("--size", "20", "--size must be at least 48"),
        ("--seed", "-1", "--seed must be at least 0"),
        ("--num_workers", "-1", "--num_workers must be at least 1"),
    ],
)
def test_reports_a_wrong_value_in_a_line(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    flag: str,
    value: str,
    reason: str,
) -> None:
    assert synthesize.main(["--out_dir", str(tmp_path / "out"), flag, value]) == 1
    message = capsys.readouterr().err.strip()
    assert reason in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def test_rejects_an_output_directory_that_cannot_be_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for out_dir, reason in (
        (tmp_path / "file", "cannot create the directory"),
        ("s3://bucket/corpus", "must be a directory on this machine"),
    ):
        with pytest.raises(EthosError, match=reason):
            synthesize.synthesize(out_dir, num_people=1)
    # The tests may run as root, who can write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(EthosError, match="no permission to write"):
        synthesize.synthesize(tmp_path / "corpus", num_people=1)


def test_a_killed_process_is_reported_in_a_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesize, "_render_person", _die)
    with pytest.raises(EthosError, match="a process that renders died") as error:
        synthesize.synthesize(tmp_path / "corpus", num_people=2, num_workers=2, **SMALL)
    assert str(error.value).startswith(f"{tmp_path}/corpus: not complete")
    assert "\n" not in str(error.value)


def _die(settings: synthesize.Options, person: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_checks_options_given_in_python(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EthosError, match="frames_per_video"):
        synthesize.synthesize(tmp_path, frames_per_video=0)


def test_checks_options_without_slow_imports(tmp_path: pathlib.Path) -> None:
    script = f"""
import sys
from ethos_data.heads import synthesize
assert synthesize.main(["--out_dir", {str(tmp_path)!r}, "--size", "1"]) == 1
assert synthesize.main(["--out_dir", {str(tmp_path)!r}, "--head_model", "no.npz"]) == 1
assert not {{"numba", "scipy", "cv2"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
