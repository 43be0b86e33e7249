"""Reads npz videos, and names the file and the reason if one cannot be used."""

import numpy as np
import pytest

from ethos_data.corpora import npz_video
from ethos_data.corpora.video import CorpusError
from ethos_data.storage import files
from tests.ethos_data import videos


def test_reads_a_video_of_the_published_corpus(tmp_path):
    arrays = videos.make_arrays(frames=5)
    path = tmp_path / "Jean-Luc_Müller_Åse_12.npz"
    np.savez_compressed(path, **arrays)
    video = npz_video.read_video(str(path))
    assert video.video_id == "Jean-Luc_Müller_Åse_12"
    assert video.person_id == "Jean-Luc_Müller_Åse"
    assert video.frames.shape == (5, 60, 72, 3)
    assert video.frames.dtype == np.uint8
    assert video.landmarks.dtype == np.float32
    for t in range(5):
        np.testing.assert_array_equal(video.frames[t], arrays["colorImages"][..., t])
        np.testing.assert_array_equal(
            video.landmarks[t], arrays["landmarks3D"][..., t].astype(np.float32)
        )
    assert video.depth is None
    assert npz_video.count_frames(str(path)) == (5, 60, 72)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_the_same_video_if_time_is_the_first_axis(tmp_path, save):
    arrays = videos.make_arrays(frames=5)
    depth = np.random.default_rng(0).normal(size=(60, 72, 5))
    save(tmp_path / "last_1.npz", depth=depth, **arrays)
    first = {
        name: np.ascontiguousarray(np.moveaxis(arrays[name], -1, 0))
        for name in ("colorImages", "landmarks3D")
    }
    save(tmp_path / "first_1.npz", depth=np.moveaxis(depth, -1, 0), **first)
    a, b = (
        npz_video.read_video(str(tmp_path / f"{n}_1.npz")) for n in ("last", "first")
    )
    np.testing.assert_array_equal(a.frames, b.frames)
    np.testing.assert_array_equal(a.landmarks, b.landmarks)
    np.testing.assert_array_equal(a.depth, b.depth)
    np.testing.assert_array_equal(a.depth, np.moveaxis(depth, -1, 0).astype("f4"))


def test_three_frames_are_not_confused_with_three_channels(tmp_path):
    arrays = videos.make_arrays(frames=3)
    np.savez(tmp_path / "a_1.npz", **arrays)
    video = npz_video.read_video(str(tmp_path / "a_1.npz"))
    np.testing.assert_array_equal(video.frames[1], arrays["colorImages"][..., 1])


@pytest.mark.parametrize(
    ("stride", "max_frames"), [(1, None), (3, None), (1, 4), (2, 3)]
)
def test_reads_and_numbers_the_selected_frames(tmp_path, stride, max_frames):
    arrays = videos.make_arrays(frames=11)
    np.savez_compressed(tmp_path / "a_1.npz", **arrays)
    video = npz_video.read_video(
        str(tmp_path / "a_1.npz"), stride=stride, max_frames=max_frames
    )
    numbers = video.frame_numbers
    assert len(numbers) == len(video.frames) <= (max_frames or 11)
    assert (numbers % stride == 0).all()
    assert (np.diff(numbers) > 0).all()
    np.testing.assert_array_equal(
        video.frames, np.moveaxis(arrays["colorImages"], -1, 0)[numbers]
    )
    np.testing.assert_array_equal(
        video.landmarks, np.moveaxis(arrays["landmarks3D"], -1, 0)[numbers].astype("f4")
    )


def test_list_videos_skips_unfinished_files(tmp_path):
    (tmp_path / f"Jane_Doe_1{files.TEMPORARY}0123.npz").touch()
    (tmp_path / "Jane_Doe_2.npz").touch()
    assert npz_video.list_videos(str(tmp_path)) == [str(tmp_path / "Jane_Doe_2.npz")]


def test_list_videos_finds_nested_files_in_order(tmp_path):
    for name in ("z_1.npz", "a/b/y_1.NPZ", "a/x_1.npz", "a/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    paths = npz_video.list_videos(str(tmp_path))
    assert paths == [str(tmp_path / n) for n in ("a/b/y_1.NPZ", "a/x_1.npz", "z_1.npz")]


def without(name):
    return lambda a: a.pop(name)


def changed(**functions):
    return lambda a: a.update({name: f(a) for name, f in functions.items()})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("colorImages"), "has no colorImages"),
        (without("landmarks3D"), "has no landmarks3D"),
        (changed(colorImages=lambda a: a["colorImages"].astype("f4")), "must be uint8"),
        (changed(colorImages=lambda a: a["colorImages"][:, :, 0]), "must have shape"),
        (changed(landmarks3D=lambda a: a["landmarks3D"][:60]), "must have shape"),
        (changed(landmarks3D=lambda a: a["landmarks3D"].astype("U4")), "real numbers"),
        (changed(landmarks3D=lambda a: a["landmarks3D"] * 1j), "real numbers"),
        (changed(landmarks3D=lambda a: a["landmarks3D"][..., :-1]), "shapes disagree"),
        (changed(colorImages=lambda a: a["colorImages"][:4]), "72 x 4 pixels"),
        (
            changed(
                colorImages=lambda a: a["colorImages"][..., :0],
                landmarks3D=lambda a: a["landmarks3D"][..., :0],
            ),
            "has no frames",
        ),
        (changed(depth=lambda a: np.zeros((9, 9, 4))), "shapes disagree"),
        (changed(depth=lambda a: np.zeros((60, 72, 4), "S1")), "real numbers"),
        (
            changed(landmarks3D=lambda a: a["landmarks3D"].astype(object)),
            "object array",
        ),
    ],
)
def test_names_path_and_reason_of_an_unusable_file(tmp_path, change, reason):
    arrays = videos.make_arrays()
    change(arrays)
    path = str(tmp_path / "unusable_1.npz")
    np.savez(path, **arrays)
    with pytest.raises(CorpusError, match=reason) as error:
        npz_video.read_video(path)
    assert str(error.value) == f"{path}: {error.value.reason}"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"visible": np.full((68, 4), "yes")}, "visible must contain bool or integers"),
        (
            {"visible": np.full((68, 4), "2020-01-01", "M8[D]")},
            "visible must contain bool or integers",
        ),
        ({"visible": np.ones((68, 4))}, "visible must .*, not float64"),
        ({"visible": np.full((68, 4), 200)}, "visible contains 200, not 0, 1, 2 or 3"),
        ({"visible": np.full((68, 4), -1)}, "visible contains -1, not 0, 1, 2 or 3"),
        ({"hasZ": np.full(4, "no")}, "hasZ must contain bool or integers, not <U2"),
        ({"hasZ": np.ones(3, bool)}, "shapes disagree"),
    ],
)
def test_rejects_labels_of_another_type_or_value(tmp_path, arrays, reason):
    visible = {"visible": np.ones((68, 4), np.uint8)}
    path = str(tmp_path / "unusable_1.npz")
    np.savez(path, **videos.make_arrays(frames=4), **(visible | arrays))
    with pytest.raises(CorpusError, match=reason):
        npz_video.read_video(path)


def test_names_a_file_that_cannot_be_opened(tmp_path):
    path = tmp_path / "broken_link_1.npz"
    path.symlink_to(tmp_path / "missing")
    with pytest.raises(CorpusError, match="cannot be read") as error:
        npz_video.read_video(str(path))
    assert error.value.path == str(path)
