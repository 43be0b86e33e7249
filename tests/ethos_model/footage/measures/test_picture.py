"""Size, sharpness, brightness and noise of synthetic faces."""

import cv2
import numpy as np
import pytest

from ethos_model.footage.measures.picture import measure_picture
from tests.ethos_model.footage.measures.synthetic import look

LANDMARKS = look(distance=8)  # a face of about 110 pixels in 640 x 480


def pattern(blur=2.0, seed=0):
    """A frame with random detail around mid grey, float32 (480, 640)."""
    rng = np.random.default_rng(seed)
    detail = cv2.GaussianBlur(rng.standard_normal((480, 640), np.float32), (0, 0), blur)
    return 120 + 25 * detail / detail.std()


def frame(grey, noise=0.0, seed=1):
    noisy = grey + noise * np.random.default_rng(seed).standard_normal(grey.shape)
    return np.repeat(noisy.round().clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_size_is_the_root_of_the_area_of_the_box():
    xy = LANDMARKS[:, :2]
    width, height = xy.max(axis=0) - xy.min(axis=0)
    found = measure_picture(frame(pattern()), LANDMARKS)
    assert found.size == pytest.approx(np.sqrt(width * height))


def test_brightness_is_the_mean_luma_of_the_face_without_the_background():
    image = np.zeros((480, 640, 3), np.uint8)
    hull = cv2.convexHull(LANDMARKS[:, :2].round().astype(np.int32))
    cv2.fillConvexPoly(image, hull, (200, 100, 50))
    luma = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert measure_picture(image, LANDMARKS).brightness == pytest.approx(luma, abs=2)


@pytest.mark.parametrize("noise", [2.0, 5.0, 15.0])
def test_noise_is_found_in_grey_levels(noise):
    found = measure_picture(frame(pattern(blur=4), noise), LANDMARKS)
    assert found.noise == pytest.approx(noise, rel=0.15)


def test_blur_reduces_only_the_sharpness():
    grey = pattern()
    sharp = measure_picture(frame(grey), LANDMARKS)
    blurred = measure_picture(frame(cv2.GaussianBlur(grey, (0, 0), 3)), LANDMARKS)
    assert blurred.sharpness < 0.4 * sharp.sharpness
    assert blurred.brightness == pytest.approx(sharp.brightness, abs=2)


def test_less_light_reduces_only_the_brightness():
    grey = pattern()
    light, dark = (measure_picture(frame(f * grey, 1.0), LANDMARKS) for f in (1, 0.4))
    assert dark.brightness == pytest.approx(0.4 * light.brightness, rel=0.02)
    assert dark.sharpness == pytest.approx(light.sharpness, rel=0.15)
    assert dark.noise == pytest.approx(light.noise, abs=0.4)


def test_noise_does_not_change_the_sharpness():
    grey = pattern()
    clean, noisy = (measure_picture(frame(grey, s), LANDMARKS) for s in (0, 8))
    assert noisy.sharpness == pytest.approx(clean.sharpness, rel=0.3)


def test_a_face_that_is_partly_outside_is_measured_inside_the_frame():
    landmarks = LANDMARKS - (300, 200, 0)
    found = measure_picture(frame(pattern()), landmarks)
    assert np.isfinite([found.sharpness, found.brightness, found.noise]).all()
    assert found.size == pytest.approx(
        measure_picture(frame(pattern()), LANDMARKS).size
    )


@pytest.mark.parametrize("shift", [(2000, 0, 0), (0, -2000, 0), (1e7, 1e7, 0)])
def test_a_face_outside_the_frame_has_no_values(shift):
    found = measure_picture(frame(pattern()), LANDMARKS + shift)
    assert np.isnan([found.sharpness, found.brightness, found.noise]).all()


def test_tiny_faces_are_measured():
    landmarks = 20 + 0.1 * (LANDMARKS - LANDMARKS.min(axis=0))
    found = measure_picture(frame(pattern()), landmarks)
    assert np.isfinite([found.sharpness, found.brightness, found.noise]).all()


def test_a_large_face_of_which_few_rows_are_visible_is_measured():
    landmarks = LANDMARKS * np.array([8, 8, 8])
    landmarks[:, 1] -= (
        landmarks[:, 1].max() - 5
    )  # only the lowest rows are in the frame
    landmarks[:, 0] -= landmarks[:, 0].mean() - 320
    found = measure_picture(frame(pattern()), landmarks)
    assert np.isfinite([found.sharpness, found.brightness, found.noise]).all()
