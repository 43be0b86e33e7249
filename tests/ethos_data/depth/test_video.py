"""One face shape per video: the joint fit, its linear algebra, and smoothing."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data import crop
from ethos_data.depth import (
    depth_map,
    depth_maps,
    fitting,
    prior,
    video_depth_maps,
)
from ethos_data.depth.shared import search_shared
from ethos_data.depth.smoothing import MAX_RATIO, _whittaker, smooth

NUM_FRAMES = 24
NOISE = 0.015


def _turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Rotates points (N, 3) about the vertical axis."""
    a = np.deg2rad(degrees)
    about_y = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    return points @ np.array(about_y).T


def _clip(seed: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A talking person who turns the head.

    Returns:
      Landmarks with noise, (T, 68, 3), and the surface without noise, (T, P, 3), both
      normalised, y down, with z relative to the eyes of the surface's own landmarks.
    """
    model = prior.shipped()
    rng = np.random.default_rng(seed)
    moving = model.frame_share > 0
    person = np.where(moving, 0, rng.normal(size=len(moving)))
    person[0] = 1.0
    talking = np.where(moving, rng.normal(size=len(moving)), 0)
    points = []
    for t in range(NUM_FRAMES):
        coefficients = person + np.sin(t / 5) * talking
        shape = model.mean + np.tensordot(coefficients, model.basis, 1)
        points.append(_turned(shape, 25 * np.sin(t / 8)) * (0.4, -0.4, 0.4) + 0.5)
    truth = np.stack(points)
    truth[..., 2] -= truth[:, 36:48, 2].mean(axis=1, keepdims=True)
    noisy = truth[:, :68] + rng.normal(0, 0.4 * noise, (NUM_FRAMES, 68, 3))
    return noisy, truth


def test_the_shape_is_that_of_a_dense_least_squares_problem():
    """For small movements, the model is linear and numpy can solve it directly."""
    rng = np.random.default_rng(0)
    mean = rng.normal(0, 0.35, (3, 68))
    basis = rng.normal(0, 1e-4, (5, 3, 68))
    variances = np.array([[1.0, 1.0, 1.0, 0.7, 0.4], [0, 0, 0, 0.3, 0.6]])
    camera, trust = np.array([[0.1, 0, 0, 0], [1e-9] * 4]), np.array([1, 1, 0.5])
    noise, frames = 1e-4, 3
    observed = rng.normal(0, noise, (frames, 3, 68))
    z = mean[2]
    enlarged = 1 / (1 - 0.1 * z)
    observed += np.stack([enlarged * mean[0], enlarged * mean[1], z])

    shape = search_shared(
        observed,
        mean,
        basis,
        variances,
        np.tile(np.eye(3), (frames, 1, 1)),
        camera,
        (0.0, 0.4),
        trust,
        (noise, 0.0),
        1,
    )

    def seen(points):
        large = 1 / (1 - 0.1 * points[2])
        return np.stack([large * points[0], large * points[1], points[2]])

    def slope(direction):
        change = seen(mean + 1e-6 * direction) - seen(mean - 1e-6 * direction)
        return (change / 2e-6 * trust[:, None] / noise).ravel()

    # Columns: a (5), then for each frame the pose (7) and b (2).
    by_shape = np.stack([slope(direction) for direction in basis], axis=1)
    x, y, zero = mean[0], mean[1], np.zeros(68)
    poses = [mean, (zero, -z, y), (z, zero, -x), (-y, x, zero)]
    by_pose = [slope(np.stack(direction)) for direction in poses]
    for axis in range(3):
        by_pose.append((np.eye(3)[axis] * trust / noise).repeat(68))
    own = np.concatenate([np.stack(by_pose, axis=1), by_shape[:, 3:]], axis=1)
    rows, data = [], []
    for t in range(frames):
        row = np.zeros((204, 5 + 9 * frames))
        row[:, :5] = by_shape
        row[:, 5 + 9 * t : 14 + 9 * t] = own
        rows.append(row)
        data.append(((observed[t] - seen(mean)) * trust[:, None] / noise).ravel())
    precision = np.concatenate(
        [1 / variances[0], *[np.r_[np.zeros(7), 1 / variances[1, 3:]]] * frames]
    )
    jacobian = np.concatenate(rows)
    system = jacobian.T @ jacobian + np.diag(precision)
    expected = np.linalg.solve(system, jacobian.T @ np.concatenate(data))
    np.testing.assert_allclose(shape, expected[:5], atol=1e-6)


def test_the_shape_is_equal_in_all_frames():
    model = prior.shipped()
    faces = model.fit_video(_clip(1, NOISE)[0])
    coefficients = np.stack([face.coefficients for face in faces])
    still = model.frame_share == 0
    assert (coefficients[:, still] == coefficients[0, still]).all()
    assert coefficients[:, ~still].std(axis=0).max() > 0.1


def test_surfaces_of_a_person_equal_the_general_computation():
    model = prior.shipped()
    faces = model.fit_video(_clip(2, NOISE)[0][:3])
    shapes = [
        model.mean + np.tensordot(face.coefficients, model.basis, 1) for face in faces
    ]
    expected = [face.project(shape) for face, shape in zip(faces, shapes, strict=True)]
    got = model.points(faces, one_person=True)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_noisy_frames_have_half_the_error_and_half_the_jitter():
    model = prior.shipped()
    together, separate, jitters = [], [], []
    for seed in range(3):
        noisy, truth = _clip(seed, NOISE)
        single = model.points([model.fit(points) for points in noisy])
        joint = model.points(model.fit_video(noisy), one_person=True)
        errors = []
        for points in (joint, single):
            z = points[..., 2] - points[:, 36:48, 2].mean(axis=1, keepdims=True)
            errors.append((z - truth[..., 2])[:, 68:])
        together.append(np.abs(errors[0]).mean())
        separate.append(np.abs(errors[1]).mean())
        bends = [np.abs(np.diff(error, 2, axis=0)).mean() for error in errors]
        jitters.append(bends[0] / bends[1])
    assert np.mean(together) < 0.75 * np.mean(separate)
    assert np.mean(jitters) < 0.5


def _windows(count: int) -> list[crop.Window]:
    """Windows that move and grow from frame to frame."""
    return [crop.Window(3.0 * t - 20, 5.0 - t, 90.0 + t) for t in range(count)]


def _in_pixels(landmarks: np.ndarray) -> tuple[np.ndarray, list[crop.Window]]:
    """Moves landmarks to source pixels of frames of 100 x 100 pixels."""
    return landmarks * 100 - 0.5, _windows(len(landmarks))


def test_maps_of_a_video_follow_the_landmarks_in_each_window():
    landmarks, windows = _in_pixels(_clip(3, 0.0)[0])
    joint = np.stack(list(video_depth_maps(landmarks, windows, 48)))
    single = depth_maps(crop.to_normalized_each(landmarks, windows), 48)
    both = np.isfinite(joint) & np.isfinite(single)
    assert both.mean() > 0.9 * np.isfinite(single).mean()
    assert np.abs(joint - single)[both].mean() < 0.004  # 1 % of the face size


def test_a_face_in_a_window_projects_to_the_window():
    model = prior.shipped()
    landmarks, windows = _in_pixels(_clip(6, NOISE)[0])
    for face, window in zip(model.fit_video(landmarks), windows, strict=True):
        source = face.project(model.mean.astype(np.float64))
        inside = face.inside(window).project(model.mean.astype(np.float64))
        expected = window.to_normalized(source[:, :2])
        np.testing.assert_allclose(inside[:, :2], expected, atol=1e-9)
        np.testing.assert_allclose(inside[:, 2], source[:, 2] / window.size)


def test_a_frame_without_area_gets_no_map_and_does_not_affect_the_others():
    landmarks, windows = _in_pixels(_clip(4, NOISE)[0])
    flat = landmarks.copy()
    flat[5] = landmarks[5, :1]
    maps = list(video_depth_maps(flat, windows, 32))
    assert np.isnan(maps[5]).all()
    del windows[5]
    others = list(video_depth_maps(np.delete(landmarks, 5, axis=0), windows, 32))
    np.testing.assert_array_equal(maps[:5] + maps[6:], others)


@pytest.mark.parametrize("method", ["prior", "delaunay"])
def test_one_frame_gives_the_map_of_the_frame(method):
    landmarks, windows = _in_pixels(_clip(5, NOISE)[0][:1])
    (video,) = video_depth_maps(landmarks, windows, 32, method=method)
    normalized = windows[0].to_normalized(landmarks[0])
    np.testing.assert_array_equal(video, depth_map(normalized, 32, method=method))


class TestSmoothing:
    def test_equals_a_dense_solution(self):
        values = np.random.default_rng(6).normal(size=30)
        bend = np.diff(np.eye(30), 2, axis=0)
        expected = np.linalg.solve(np.eye(30) + 4.5 * bend.T @ bend, values)
        smoothed = values.copy()
        _whittaker(smoothed, 4.5)
        np.testing.assert_allclose(smoothed, expected)

    def test_reduces_noise_and_keeps_slow_motion(self):
        motion = 10 * np.sin(np.arange(200) / 15)
        noisy = motion + np.random.default_rng(7).normal(size=200)
        (smoothed,) = smooth(noisy[:, None], np.ones((200, 1))).T
        assert np.std(smoothed - motion) < 0.75 * np.std(noisy - motion)
        jitter = [np.abs(np.diff(series, 2)).mean() for series in (smoothed, noisy)]
        assert jitter[0] < jitter[1] / 3

    def test_does_not_change_fast_motion_without_noise(self):
        blink = np.zeros(40)
        blink[10:13] = blink[25:28] = 0.5, 1.0, 0.6
        smoothed = smooth(blink[:, None], np.full((40, 1), 1e-6))
        np.testing.assert_allclose(smoothed[:, 0], blink, atol=1e-3)

    def test_is_limited(self):
        wave = (-1.0) ** np.arange(50)  # its second differences are those of noise
        smoothed = smooth(wave[:, None], np.full((50, 1), 4.0))[:, 0]
        expected = wave.copy()
        _whittaker(expected, MAX_RATIO)
        np.testing.assert_allclose(smoothed, expected)

    def test_does_not_change_few_frames(self):
        few = np.random.default_rng(9).normal(size=(5, 2))
        np.testing.assert_array_equal(smooth(few, np.ones((5, 2))), few)


def test_fit_video_refuses_landmarks_at_one_point():
    model = prior.shipped()
    with pytest.raises(ValueError, match="same point"):
        fitting.fit_video(np.ones((3, 68, 3)), *model._landmarks, model.frame_share)
