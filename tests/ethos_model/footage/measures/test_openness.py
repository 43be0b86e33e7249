"""Openness of the eyes and the mouth on heads with exact lids and lips."""

import numpy as np
import pytest

from ethos_model.footage.measures import fitting, openness
from tests.ethos_model.footage.measures.synthetic import SIGMA, expression, look

EXPRESSIONS = [
    {},
    {"eyeBlink": 1},
    {"eyeBlink": 0.5},
    {"eyeWide": 1},
    {"jawOpen": 0.5},
    {"jawOpen": 1},
]


def measured(landmarks, sigma=SIGMA):
    return openness.measure_openness(landmarks, sigma, fitting.fit(landmarks, sigma))


@pytest.mark.parametrize("coefficients", EXPRESSIONS)
@pytest.mark.parametrize("angles", [(0, 0, 0), (25, 0, 0), (0, 20, 30), (-35, -15, 0)])
def test_follows_the_lids_and_lips_in_every_pose(coefficients, angles):
    points = expression(**coefficients)
    found = measured(look(*angles, points=points))
    expected = np.clip(openness.exact_openness(points), 0, 1)
    values = (found.right_eye, found.left_eye, found.mouth)
    np.testing.assert_allclose(values, expected, atol=0.1)


def test_zero_is_closed_and_one_is_wide_open():
    closed = measured(look(points=expression(eyeBlink=1)))
    wide = measured(look(points=expression(eyeWide=1, jawOpen=1)))
    assert max(closed.right_eye, closed.left_eye, closed.mouth) < 0.1
    assert min(wide.right_eye, wide.left_eye, wide.mouth) > 0.9


def test_each_eye_is_measured_alone():
    closed, neutral = expression(eyeBlink=1), expression()
    points = neutral.copy()
    points[36:42] = closed[36:42]
    found = measured(look(points=points))
    assert found.right_eye < 0.15
    assert found.left_eye > 0.6


def test_does_not_depend_on_the_size_of_the_face():
    points = expression()
    near, far = (measured(look(points=points, distance=d)) for d in (5, 20))
    assert near.left_eye == pytest.approx(far.left_eye, abs=0.05)


def test_sigma_is_the_scatter_of_independent_errors():
    clean = look(20, 5, 0, points=expression(jawOpen=0.5))
    rng = np.random.default_rng(2)
    noisy = [measured(clean + rng.normal(0, 0.5, clean.shape)) for _ in range(100)]
    for name, part in (("right_eye", "eye"), ("mouth", "mouth")):
        scatter = np.std([getattr(o, name) for o in noisy])
        stated = getattr(noisy[0], f"{name}_sigma") / openness.SIGMA_FACTOR[part]
        assert stated == pytest.approx(scatter, rel=0.25)


def test_the_aspect_ratio_is_that_of_the_definition():
    """A flat eye with a width of 30 and a height of 9 units."""
    points = expression()
    for first, x in ((36, -45.0), (42, 15.0)):
        points[first : first + 6] = [
            [x, 0, 0],
            [x + 10, 4.5, 0],
            [x + 20, 4.5, 0],
            [x + 30, 0, 0],
            [x + 20, -4.5, 0],
            [x + 10, -4.5, 0],
        ]
    right, left, _ = openness.exact_openness(points)
    assert right == pytest.approx(0.3 / openness.WIDE_EYE)
    assert left == pytest.approx(0.3 / openness.WIDE_EYE)
