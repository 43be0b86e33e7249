import numpy as np
import pytest

from ethos_data import drawing
from ethos_data.topology import EDGES


def blank(size=200):
    return np.zeros((size, size, 3), np.uint8)


@pytest.fixture
def landmarks():
    return np.random.default_rng(0).uniform(20, 180, (68, 2))


def test_draws_only_what_has_a_colour(landmarks):
    assert not drawing.draw_landmarks(blank(), landmarks).any()
    edges = drawing.draw_landmarks(blank(), landmarks, edges=(255, 0, 0))
    assert edges[..., 0].any()
    assert not edges[..., 1:].any()
    points = drawing.draw_landmarks(blank(), landmarks, points=(0, 255, 0))
    assert points[..., 1].any()
    assert not points[..., ::2].any()


def test_a_point_is_centred_on_its_landmark():
    landmarks = np.full((68, 2), (60.3, 110.8))
    picture = drawing.draw_landmarks(
        blank(), landmarks, points=(255, 255, 255), radius=4
    )
    weight = picture.sum(axis=-1).astype(float)
    y, x = np.mgrid[:200, :200]
    center = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
    np.testing.assert_allclose(center, (60.3, 110.8), atol=0.15)


def test_a_hollow_point_shows_the_picture_in_its_middle():
    landmarks = np.full((68, 2), (60.0, 110.0))
    landmarks[1] = (120, 110)
    hollow = np.arange(68) == 1
    picture = drawing.draw_landmarks(
        blank(), landmarks, points=(255, 255, 255), radius=6, hollow=hollow
    )
    assert picture[110, 60].all()
    assert not picture[110, 120].any()
    assert picture[104, 120].any()  # the circle


def test_each_edge_joins_its_two_landmarks(landmarks):
    picture = drawing.draw_landmarks(blank(), landmarks, edges=(255, 255, 255))
    for start, end in EDGES:
        middle = np.round((landmarks[start] + landmarks[end]) / 2).astype(int)
        x, y = middle
        assert picture[y - 1 : y + 2, x - 1 : x + 2].any()


def test_each_landmark_has_its_own_colour():
    landmarks = np.stack(np.meshgrid(np.arange(68) * 10 + 5, [50]), axis=-1)[0]
    colors = np.stack([np.arange(68) + 100] * 3, axis=-1).astype(np.uint8)
    picture = np.zeros((100, 700, 3), np.uint8)
    drawing.draw_landmarks(picture, landmarks, points=colors, radius=3)
    np.testing.assert_array_equal(picture[50, landmarks[:, 0]], colors)


@pytest.mark.parametrize("far", [1e9, -1e9, np.nan, np.inf])
def test_ignores_landmarks_far_outside_the_picture(far):
    landmarks = np.full((68, 2), far)
    picture = drawing.draw_landmarks(
        blank(), landmarks, edges=(255, 255, 255), points=(255, 255, 255)
    )
    assert not picture.any()


def test_draws_no_line_to_a_landmark_that_is_not_finite(landmarks):
    start, end = EDGES[10]
    landmarks[start] = np.nan
    rest = np.full_like(landmarks, np.nan)
    rest[end] = landmarks[end]
    picture = drawing.draw_landmarks(blank(), landmarks, edges=(255, 255, 255))
    assert picture.any()
    picture = drawing.draw_landmarks(blank(), rest, edges=(255, 255, 255))
    assert not picture.any()
