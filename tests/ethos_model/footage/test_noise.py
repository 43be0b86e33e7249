"""Tests of the noise of an image."""

import numpy as np
import pytest

from ethos_model.footage.noise import noise_of


@pytest.mark.parametrize("sigma", [0.02, 0.2])
def test_the_noise_of_an_image_is_measured_in_spite_of_edges(sigma):
    rows = np.repeat([0.2, 0.8], 100)  # an edge in the middle
    image = np.broadcast_to(rows[:, None, None], (200, 200, 3))
    image = image + np.random.default_rng(0).normal(0, sigma, image.shape)
    assert noise_of(image.astype(np.float32)) == pytest.approx(sigma, rel=0.05)


def test_only_the_given_pixels_count():
    image = np.zeros((100, 100), np.uint8)
    image[:, 50:] = np.random.default_rng(1).normal(100, 10, (100, 50)).clip(0, 255)
    noisy = np.zeros(image.shape, bool)
    noisy[:, 52:] = True
    assert noise_of(image, noisy) == pytest.approx(10, rel=0.05)
    assert noise_of(image, np.zeros(image.shape, bool)) == 0
