"""Tests of the bad cameras."""

import numpy as np
import pytest

from ethos_model.fusion_training.camera import Camera, encode, random_camera


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    small = rng.integers(40, 200, (3, 12, 15, 3)).astype(np.uint8)
    return np.kron(small, np.ones((1, 8, 8, 1), np.uint8))  # 96 x 120 pixels


def film(frames, seed=1, **faults):
    return Camera(**faults).film(frames, np.random.default_rng(seed))


def test_a_perfect_camera_changes_nothing(frames):
    np.testing.assert_array_equal(film(frames), frames)


def test_odd_edges_are_cut_off(frames):
    filmed = film(frames[:, :95, :118])
    np.testing.assert_array_equal(filmed, frames[:, :92, :116])


def test_a_smaller_image_has_the_mean_of_its_pixels(frames):
    filmed = film(frames, shrink=4)
    assert filmed.shape == (3, 24, 28, 3)
    blocks = frames[:, :96, :112].reshape(3, 24, 4, 28, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(filmed, blocks, atol=0.51)


def test_less_light_has_the_noise_of_photons_and_sensor():
    grey = np.full((1, 200, 200, 3), 128, np.uint8)
    filmed = film(grey, light=0.25).astype(float)
    assert filmed.mean() == pytest.approx(32, abs=0.2)
    variance = 32 * 255 / 1000 + 1.2**2 + 1 / 12
    assert filmed.std() == pytest.approx(np.sqrt(variance), rel=0.03)


def test_noise_is_new_in_each_frame(frames):
    same = np.repeat(frames[:1], 2, axis=0)
    filmed = film(same, noise=10).astype(int)
    assert np.abs(filmed[0] - filmed[1]).mean() > 5


def test_motion_has_another_direction_in_each_frame():
    point = np.zeros((6, 60, 60, 3), np.uint8)
    point[:, 30, 30] = 255
    filmed = film(point, motion=16)[..., 0].astype(float)
    rows, columns = np.mgrid[:60, :60]
    angles = []
    for frame in filmed:
        weights = frame / frame.sum()
        x = (weights * columns).sum()
        y = (weights * rows).sum()
        assert (x, y) == (pytest.approx(30, abs=0.3), pytest.approx(30, abs=0.3))
        xx, yy = (weights * (columns - x) ** 2).sum(), (weights * (rows - y) ** 2).sum()
        xy = (weights * (columns - x) * (rows - y)).sum()
        angles.append(0.5 * np.arctan2(2 * xy, xx - yy))
    assert np.std(angles) > 0.2


def test_the_codec_keeps_number_size_and_content(frames):
    good, bad = encode(frames, 10), encode(frames, 45)
    assert good.shape == bad.shape == frames.shape
    error = [np.abs(v.astype(int) - frames).mean() for v in (good, bad)]
    assert error[0] < 12  # chroma has half the resolution
    assert error[0] < error[1]


def test_the_same_seed_films_the_same(frames):
    faults = {"motion": 5, "light": 0.3, "noise": 4, "crf": 30}
    np.testing.assert_array_equal(film(frames, **faults), film(frames, **faults))


def test_random_cameras_have_all_faults_and_are_sometimes_clean():
    cameras = [random_camera(np.random.default_rng(k), 120.0) for k in range(400)]
    clean = np.mean([camera == Camera() for camera in cameras])
    assert 0.05 < clean < 0.16
    for fault in ("motion", "defocus", "shrink", "light", "noise", "crf"):
        share = np.mean(
            [getattr(camera, fault) != getattr(Camera(), fault) for camera in cameras]
        )
        assert 0.15 < share < 0.5, fault
    assert all(120 / camera.shrink >= 20 for camera in cameras)
    assert all(4 * camera.shrink == round(4 * camera.shrink) for camera in cameras)
