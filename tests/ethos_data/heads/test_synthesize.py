"""The rendered corpus: layout, motion, reproducibility, the command line."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest

from ethos_data.corpora import npz_video
from ethos_data.errors import EthosError
from ethos_data.heads import render, scene, synthesize
from ethos_data.heads.figure import Figure
from ethos_data.heads.model import HeadModel
from ethos_data.topology import EYES, face_box, face_size

SMALL = {"videos_per_person": 2, "frames_per_video": 3, "size": 64, "seed": 5}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A corpus of two people, made in this process."""
    folder = tmp_path_factory.mktemp("corpus")
    return synthesize.synthesize(folder, num_people=2, num_workers=1, **SMALL)


@pytest.fixture(scope="module")
def person() -> Figure:
    return render.sample_figure(HeadModel.builtin(), np.random.default_rng(0))


def test_files_have_the_layout_of_the_published_corpus(rendered: list[str]) -> None:
    names = [pathlib.Path(path).name for path in rendered]
    assert names == [f"Rendered_Person_{p:03d}_{v}.npz" for p in (1, 2) for v in (1, 2)]
    for path in rendered:
        with np.load(path, allow_pickle=False) as data:
            images, depth = data["colorImages"], data["depth"]
            height, width = images.shape[:2]
            assert images.shape == (height, width, 3, 3)
            assert images.dtype == np.uint8
            assert depth.shape == (height, width, 3)
            assert depth.dtype == np.float32
            assert data["landmarks3D"].shape == (68, 3, 3)
            flat = data["landmarks2D"]
            np.testing.assert_array_equal(flat, data["landmarks3D"][:, :2])
            box = data["boundingBox"]
            assert box.shape == (4, 2, 3)
            low, high = flat.min(axis=0), flat.max(axis=0)
            # Corners of the published files: left-top, left-bottom, right-top, ...
            np.testing.assert_array_equal(box[0], low)
            np.testing.assert_array_equal(box[3], high)
            np.testing.assert_array_equal(box[1], np.stack([low[0], high[1]]))
            np.testing.assert_array_equal(box[2], np.stack([high[0], low[1]]))


def test_the_reader_reads_them(rendered: list[str]) -> None:
    folder = pathlib.Path(rendered[0]).parents[1]
    assert len(npz_video.list_videos(str(folder))) == len(rendered)
    for path in rendered:
        video = npz_video.read_video(path)
        assert video.person_id == video.video_id[:-2]
        assert video.depth is not None
        z = video.landmarks[:, EYES, 2]
        np.testing.assert_allclose(z.mean(axis=1), 0, atol=1e-2)
        for points, depth in zip(video.landmarks, video.depth, strict=True):
            near = [
                abs(depth[round(float(y)), round(float(x))] - z)
                for x, y, z in points[27:48]
            ]
            assert np.nanmedian(near) < 1.5


def test_no_file_is_left_half_written(rendered: list[str]) -> None:
    folder = pathlib.Path(rendered[0]).parent
    assert sorted(os.listdir(folder)) == sorted(map(os.path.basename, rendered))


def test_bytes_do_not_depend_on_the_number_of_workers(
    rendered: list[str], tmp_path: pathlib.Path
) -> None:
    calls: list[tuple[int, int]] = []
    again = synthesize.synthesize(
        tmp_path,
        num_people=2,
        num_workers=2,
        progress=lambda done, total: calls.append((done, total)),
        **SMALL,
    )
    assert len(again) == len(rendered)
    for one, other in zip(rendered, again, strict=True):
        assert pathlib.Path(one).read_bytes() == pathlib.Path(other).read_bytes()
    assert calls == [(2, 4), (4, 4)]


def test_another_seed_makes_other_people(
    rendered: list[str], tmp_path: pathlib.Path
) -> None:
    options = {**SMALL, "seed": 6, "videos_per_person": 1}
    (other,) = synthesize.synthesize(tmp_path, num_people=1, num_workers=1, **options)
    with np.load(rendered[0]) as one, np.load(other) as two:
        assert one["landmarks3D"].tobytes() != two["landmarks3D"].tobytes()


def test_more_people_leave_the_first_ones_as_they_were(
    rendered: list[str], tmp_path: pathlib.Path
) -> None:
    options = {**SMALL, "videos_per_person": 1}
    (path,) = synthesize.synthesize(tmp_path, num_people=1, num_workers=1, **options)
    assert pathlib.Path(path).read_bytes() == pathlib.Path(rendered[0]).read_bytes()


def test_a_person_looks_alike_in_all_videos_and_unlike_others(
    rendered: list[str],
) -> None:
    def skin(path: str) -> tuple[float, ...]:
        index = rendered.index(path) // SMALL["videos_per_person"]
        figure = synthesize._person(SMALL["seed"], None, index)
        return tuple(figure.look.skin)

    assert skin(rendered[0]) == skin(rendered[1])
    assert skin(rendered[0]) != skin(rendered[2])


def test_motion_is_smooth_and_faces_stay_in_the_picture(person: Figure) -> None:
    for seed in range(15):
        clip = scene.sample_scene(
            person, np.random.default_rng(seed), num_frames=60, size=200
        )
        angles = np.array([(p.yaw, p.pitch, p.roll) for p in clip.poses])
        assert np.abs(angles[:, 0]).max() <= scene.MAX_YAW * 1.32
        assert np.abs(np.diff(angles, axis=0)).max() < 9  # degrees a frame
        assert np.abs(np.diff(angles, n=2, axis=0)).max() < 3
        assert (clip.expressions >= 0).all()
        assert (clip.expressions <= 1).all()
        assert (np.diff(clip.expressions, axis=0).std(axis=0) > 0).any()
        assert clip.drift.min() >= 0
        margin = np.array(clip.backdrop.shape[1::-1]) - (clip.width, clip.height)
        assert (clip.drift.max(axis=0) <= margin).all()
        place = clip.centers / (clip.width, clip.height)
        assert (np.abs(place - 0.5) < 0.25).all()


def test_poses_reach_sixty_degrees_and_stop_there(person: Figure) -> None:
    yaws = [
        pose.yaw
        for seed in range(60)
        for pose in scene.sample_scene(
            person, np.random.default_rng(seed), num_frames=8, size=100
        ).poses
    ]
    assert max(yaws) > 45
    assert min(yaws) < -45
    assert np.median(np.abs(yaws)) < 30
    assert np.abs(yaws).max() <= 75


def test_face_sizes_spread_as_in_the_real_corpus(person: Figure) -> None:
    sizes = [
        scene.sample_scene(
            person, np.random.default_rng(seed), num_frames=1, size=200
        ).face_size[0]
        for seed in range(200)
    ]
    # Published: 40 to 248 px, median 88, 41 % under 80 px.
    assert 78 < np.median(sizes) < 98
    assert min(sizes) >= 38
    assert max(sizes) <= 215
    assert 0.25 < np.mean(np.array(sizes) < 80) < 0.55


def test_measured_faces_have_the_size_that_was_asked_for(rendered: list[str]) -> None:
    for path in rendered:
        video = npz_video.read_video(path)
        size = face_size(face_box(video.landmarks)).mean()
        assert 0.12 * SMALL["size"] < size < 1.1 * SMALL["size"]


def test_a_morphable_head_renders_too(tmp_path: pathlib.Path) -> None:
    model = tmp_path / "head.npz"
    HeadModel.builtin().save(model)
    options = {**SMALL, "videos_per_person": 1}
    (path,) = synthesize.synthesize(
        tmp_path / "own", num_people=1, num_workers=1, head_model=model, **options
    )
    (plain,) = synthesize.synthesize(
        tmp_path / "builtin", num_people=1, num_workers=1, **options
    )
    # The same head from a file: the same corpus.
    assert pathlib.Path(path).read_bytes() == pathlib.Path(plain).read_bytes()


def test_the_command_says_what_it_wrote_and_what_to_do_next(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = f"--out_dir {tmp_path} --num_people 1 --videos_per_person 1"
    arguments += " --frames_per_video 2 --size 64 --num_workers 1"
    assert synthesize.main(arguments.split()) == 0
    told = capsys.readouterr()
    assert "wrote 1 videos of 1 people, 2 frames" in told.out
    assert "ethos-convert --corpus_dir" in told.out
    assert "1/1 videos" in told.err


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        ("--head_model", "absent.npz", "absent.npz"),
        ("--num_people", "0", "num_people must be at least 1"),
        ("--size", "20", "size must be at least 48"),
        ("--seed", "-1", "seed must not be negative"),
        ("--num_workers", "-1", "num_workers must be at least 1"),
    ],
)
def test_expected_failures_are_one_line(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    flag: str,
    value: str,
    reason: str,
) -> None:
    assert synthesize.main(["--out_dir", str(tmp_path / "out"), flag, value]) == 1
    told = capsys.readouterr().err.strip()
    assert reason in told
    assert "\n" not in told
    assert not (tmp_path / "out").exists()


def test_options_are_checked_in_python_as_well(tmp_path: pathlib.Path) -> None:
    with pytest.raises(EthosError, match="frames_per_video"):
        synthesize.synthesize(tmp_path, frames_per_video=0)
