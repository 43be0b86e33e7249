"""Tests of the maps between two pictures of a face."""

import cv2
import numpy as np
import pytest

from ethos_model.footage.fusion import warping
from tests.ethos_model.footage.fusion.heads import head

SIZE = 224


@pytest.fixture
def points():
    _, landmarks = head()
    xy = landmarks[:, :2].astype(np.float64)
    xy -= xy.min(axis=0)
    return xy * (150 / xy.max()) + 35


def affine_positions(matrix):
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1)
    return grid @ matrix[:, :2].T + matrix[:, 2]


def test_an_affine_motion_is_followed_exactly_everywhere(points):
    matrix = np.array([[0.95, -0.12, 12.0], [0.1, 1.04, -7.0]])
    source = points @ matrix[:, :2].T + matrix[:, 2]
    mapping = warping.landmark_map(source, points, SIZE)
    assert mapping.dtype == np.float32
    np.testing.assert_allclose(mapping, affine_positions(matrix), atol=2e-3)


def test_a_moved_landmark_moves_its_surroundings_only(points):
    source = points.copy()
    mouth = slice(48, 68)
    source[mouth, 1] += 6
    mapping = warping.landmark_map(source, points, SIZE)
    moved = mapping - warping.identity(SIZE)
    x, y = points[mouth].mean(axis=0).round().astype(int)
    assert moved[y, x, 1] > 3
    x, y = points[36:48].mean(axis=0).round().astype(int)
    assert abs(moved[y, x, 1]) < 1.5


def test_the_kernel_regression_equals_its_formula(points):
    rng = np.random.default_rng(0)
    source = points + rng.normal(0, 3, points.shape)
    mapping = warping.landmark_map(source, points, SIZE)
    # The centre of a cell is between pixels; four of them average to the node.
    row, column = 12, 15
    cell = warping.CELL
    middle = cell // 2
    block = mapping[
        row * cell + middle - 1 : row * cell + middle + 1,
        column * cell + middle - 1 : column * cell + middle + 1,
    ].mean(axis=(0, 1))
    node = np.array([column, row]) * cell + (cell - 1) / 2
    design = np.column_stack([points, np.ones(68)])
    affine = np.linalg.pinv(design) @ source
    width, height = np.ptp(points, axis=0)
    reach = warping.REACH * np.sqrt(width * height)
    kernel = np.exp(-((points - node) ** 2).sum(1) / (2 * reach**2))
    correction = (kernel[:, None] * (source - design @ affine)).sum(0)
    expected = [*node, 1] @ affine + correction / (kernel.sum() + warping.PULL)
    np.testing.assert_allclose(block, expected, atol=0.3)


def test_the_inverse_of_a_map_leads_back(points):
    rng = np.random.default_rng(1)
    source = points + rng.normal(0, 2, points.shape) + [5, -3]
    mapping = warping.landmark_map(source, points, SIZE)
    back = warping.invert(mapping, warping.fit_affine(source, points))
    there = cv2.remap(mapping, back, None, cv2.INTER_LINEAR)
    error = np.linalg.norm(there - warping.identity(SIZE), axis=-1)
    assert error[30:-30, 30:-30].max() < 0.3


def test_the_flow_corrects_a_wrong_map():
    rng = np.random.default_rng(2)
    texture = rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32)
    texture = cv2.GaussianBlur(texture, (0, 0), 4)
    texture = cv2.normalize(texture, None, 30, 220, cv2.NORM_MINMAX).astype(np.uint8)
    wrong = warping.identity(SIZE) + np.float32(2.5)  # the right map is the identity
    half = (SIZE // 2, SIZE // 2)
    moved = cv2.remap(texture, wrong, None, cv2.INTER_LINEAR)
    refined = warping.refine(
        warping.make_flow(),
        cv2.resize(texture, half),
        cv2.resize(moved, half),
        wrong,
        face_size=150.0,
    )
    error = np.abs(refined - warping.identity(SIZE))[40:-40, 40:-40]
    assert np.median(error) < 0.5


def test_the_correction_is_limited():
    rng = np.random.default_rng(3)
    target, source = rng.integers(0, 256, (2, SIZE // 2, SIZE // 2)).astype(np.uint8)
    mapping = warping.identity(SIZE)
    refined = warping.refine(warping.make_flow(), target, source, mapping, 100.0)
    length = np.linalg.norm(refined - mapping, axis=-1)
    assert length.max() <= warping.LIMIT * 100 + 0.1
