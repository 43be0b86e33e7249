"""Properties of undegraded faces, and slices by their values."""

import dataclasses

import cv2
import numpy as np
import pytest

from ethos_model.evaluation import samples, slices
from tests.ethos_model.evaluation.conftest import make_record, template, turned


@pytest.mark.parametrize("angle", [-60, -20, 0, 35, 70])
def test_yaw_of_a_head_rotated_by_a_known_angle(angle):
    assert slices.yaw(turned(template(), angle)) == pytest.approx(angle, abs=0.5)


def test_yaw_does_not_depend_on_roll():
    points = turned(template(), 30)
    c, s = np.cos(0.5), np.sin(0.5)
    rolled = points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    assert slices.yaw(rolled) == pytest.approx(slices.yaw(points))


@pytest.fixture
def sample():
    return samples.to_sample(make_record(3, 0))


def test_brightness_is_proportional_to_the_light(sample):
    darker = dataclasses.replace(sample, image=sample.image // 4)
    ratio = slices.brightness(darker) / slices.brightness(sample)
    assert ratio == pytest.approx(0.25, abs=0.02)


def test_sharpness_decreases_with_blur_but_not_with_less_light(sample):
    sharp = slices.sharpness(sample)
    blurred = cv2.GaussianBlur(sample.image, (0, 0), 3)
    assert slices.sharpness(dataclasses.replace(sample, image=blurred)) < sharp / 3
    dark = dataclasses.replace(sample, image=sample.image // 4)
    assert slices.sharpness(dark) == pytest.approx(sharp, rel=0.25)


def test_every_value_is_in_exactly_one_slice():
    values = np.array([0.0, 39.9, 40.0, 75.0, 500.0])
    parts = slices.between(" px", values, slices.SIZE_EDGES)
    assert np.sum([part.mask for part in parts], axis=0).tolist() == [1] * 5
    assert parts[1].name == "40 to 60 px"
    assert parts[1].mask.tolist() == [False, False, True, False, False]
    assert parts[-1].name == "120 px and more"


def test_lowest_selects_the_given_share_of_frames():
    part = slices.lowest("darkest {percent} (luma < {limit})", np.arange(100.0), 10)
    assert part.mask.sum() == 10
    assert part.name == "darkest 10 % (luma < 9.9)"
