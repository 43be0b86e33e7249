"""The record of a frame: crop, landmarks and depth, and why a frame is rejected."""

import cv2
import numpy as np
import pytest

from ethos_data import depth, topology
from ethos_data.corpora import npz_video
from pipelines.conversion.frame_records import make_records, yaw
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos

DEFAULTS = ConversionOptions()


def make_video(tmp_path, depth=None, **sizes):
    arrays = videos.make_arrays(**sizes)
    if depth is not None:
        arrays["depth"] = depth
    np.savez(tmp_path / "Some_One_1.npz", **arrays)
    return npz_video.read_video(str(tmp_path / "Some_One_1.npz"))


def test_landmarks_are_at_the_same_image_content_as_in_the_source(tmp_path):
    """Bright pixels at some landmarks are at the normalised landmarks."""
    video = make_video(tmp_path, frames=1, height=200, width=240)
    video.frames[:] = 0
    bright = (36, 45, 8)
    for landmark in bright:
        x, y = np.rint(video.landmarks[0, landmark, :2]).astype(int)
        video.landmarks[0, landmark, :2] = x, y
        video.frames[0, y, x] = 255
    record = next(make_records(video, DEFAULTS))
    assert record.image.shape[0] == record.image.shape[1] == record.window.size
    for landmark in bright:
        u, v = record.landmarks[landmark, :2] * record.image.shape[0] - 0.5
        assert record.image[round(v), round(u)].min() == 255
    np.testing.assert_allclose(
        record.window.to_source(record.landmarks)[:, :2],
        video.landmarks[0, :, :2],
        atol=1e-3,
    )
    assert abs(record.landmarks[topology.EYES, 2].mean()) < 1e-6
    box = topology.face_box(video.landmarks[0].astype(np.float64))
    expected = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    assert record.face_size == pytest.approx(expected)
    assert record.source_size == (200, 240)


def test_large_images_are_reduced_and_small_images_are_not_enlarged(tmp_path):
    video = make_video(tmp_path, frames=1, height=300, width=300)
    small = next(make_records(video, ConversionOptions(image_size=64)))
    assert small.image.shape == (64, 64, 3)
    full = next(make_records(video, ConversionOptions(image_size=4096)))
    assert full.image.shape[0] == full.window.size
    by_area = cv2.resize(full.image, (64, 64), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(small.image, by_area)


def test_true_depth_is_resampled_in_the_frame_of_the_landmarks(tmp_path):
    """The depth is a tilted plane, so a formula gives the value of each pixel."""
    y, x = np.mgrid[:200, :240].astype(np.float64)
    plane = 0.3 * x - 0.2 * y + 50
    plane[:, 140:] = np.nan
    video = make_video(tmp_path, plane[..., None], frames=1, height=200, width=240)
    record = next(make_records(video, DEFAULTS))
    centers = (np.arange(96) + 0.5) / 96
    px = record.window.left + centers * record.window.size
    py = record.window.top + centers * record.window.size
    eyes = video.landmarks[0, topology.EYES, 2].mean()
    expected = (0.3 * px[None, :] - 0.2 * py[:, None] + 50 - eyes) / record.window.size
    known = ~np.isnan(record.depth)
    assert known.mean() > 0.4
    assert not known[:, px > 142].any()
    columns = (px > 1) & (px < 137)
    rows = (py > 1) & (py < 198)
    inside = np.ix_(rows, columns)
    assert known[inside].all()
    np.testing.assert_allclose(record.depth[inside], expected[inside], atol=2e-3)


def test_depth_is_derived_if_the_video_has_none(tmp_path):
    record = next(make_records(make_video(tmp_path, frames=1), DEFAULTS))
    assert np.isfinite(record.depth).any()
    assert np.isnan(record.depth[0, 0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p * np.nan, "landmarks not finite"),
        (lambda p: np.where(np.arange(68)[:, None] == 3, np.inf, p), "not finite"),
        (lambda p: p * 0 + 20, "without extent"),
        (lambda p: p * (1, 0, 1) + np.array([0, 20, 0]), "without extent"),
        (lambda p: p + np.array([300, 0, 0]), "mostly off the frame"),
        (lambda p: p + np.array([0, -60, 0]), "mostly off the frame"),
        (lambda p: p * 1e9, "wider than the frame"),
        (lambda p: p * (1, 1, 1e6), "wider than the frame"),
    ],
)
def test_unusable_landmarks_are_rejected_with_a_reason(tmp_path, change, reason):
    video = make_video(tmp_path, frames=2)
    video.landmarks[0] = change(video.landmarks[0].astype(np.float64))
    rejected, record = make_records(video, DEFAULTS)
    assert reason in rejected
    assert not isinstance(record, str)


def test_a_frame_without_depth_does_not_affect_other_frames(tmp_path, monkeypatch):
    video = make_video(tmp_path, frames=3)
    delaunay, lengths = depth.METHODS["delaunay"], []

    def fails_with_the_second_face(points, size):
        lengths.append(len(points))
        if lengths in ([3], [3, 1, 1]):
            raise np.linalg.LinAlgError("did not converge")
        return delaunay(points, size)

    monkeypatch.setitem(depth.METHODS, "delaunay", fails_with_the_second_face)
    options = ConversionOptions(depth_method="delaunay")
    first, second, third = make_records(video, options)
    assert lengths == [3, 1, 1, 1]
    assert second == "frames failed: did not converge"
    assert np.isfinite(first.depth).any()
    assert np.isfinite(third.depth).any()


def test_a_face_half_off_the_frame_is_kept(tmp_path):
    video = make_video(tmp_path, frames=1)
    video.landmarks[0, :, 0] -= video.landmarks[0, :, 0].mean() - 2
    record = next(make_records(video, DEFAULTS))
    assert record.landmarks[:, 0].min() > 0
    assert (record.image[:, 0] == 0).all()  # beyond the edge of the frame


@pytest.mark.parametrize("degrees", [-60, -20, 0, 35, 80])
def test_yaw_is_the_angle_of_a_turned_head(degrees):
    points = videos.face_points()
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    assert yaw(points @ turn.T) == pytest.approx(degrees, abs=1e-6)
