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
    assert mapping.positions().dtype == np.float32
    np.testing.assert_allclose(mapping.positions(), affine_positions(matrix), atol=2e-3)


def test_a_moved_landmark_moves_its_surroundings_only(points):
    source = points.copy()
    mouth = slice(48, 68)
    source[mouth, 1] += 6
    mapping = warping.landmark_map(source, points, SIZE)
    moved = mapping.positions() - warping.centres(SIZE, SIZE)
    x, y = points[mouth].mean(axis=0).round().astype(int)
    assert moved[y, x, 1] > 3
    x, y = points[36:48].mean(axis=0).round().astype(int)
    assert abs(moved[y, x, 1]) < 1.5


def test_the_kernel_regression_equals_its_formula(points):
    rng = np.random.default_rng(0)
    source = points + rng.normal(0, 3, points.shape)
    mapping = warping.landmark_map(source, points, SIZE)
    row, column = 12, 15
    node = np.array([column, row]) * warping.CELL + (warping.CELL - 1) / 2
    design = np.column_stack([points, np.ones(68)])
    affine = np.linalg.pinv(design) @ source
    width, height = np.ptp(points, axis=0)
    reach = warping.REACH * np.sqrt(width * height)
    kernel = np.exp(-((points - node) ** 2).sum(1) / (2 * reach**2))
    correction = (kernel[:, None] * (source - design @ affine)).sum(0)
    expected = [*node, 1] @ affine + correction / (kernel.sum() + warping.PULL)
    cells = mapping.positions(SIZE // warping.CELL)
    np.testing.assert_allclose(cells[row, column], expected, atol=1e-3)
    # Between the centres of four cells the map is their mean.
    corner = slice(row, row + 2), slice(column, column + 2)
    x, y = np.array([column + 1, row + 1]) * warping.CELL
    pixels = mapping.positions()[y - 1 : y + 1, x - 1 : x + 1]
    np.testing.assert_allclose(
        pixels.mean(axis=(0, 1)), cells[corner].mean(axis=(0, 1)), atol=1e-3
    )


def test_the_centres_of_cells_are_the_means_of_their_pixels():
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    np.testing.assert_array_equal(warping.centres(SIZE, SIZE), np.dstack([x, y]))
    cells = np.dstack([x, y]).reshape(56, 4, 56, 4, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(warping.centres(SIZE, 56), cells)


def test_the_identity_leaves_pixels_where_they_are():
    mapping = warping.FaceMap.identity(SIZE)
    np.testing.assert_array_equal(mapping.positions(), warping.centres(SIZE, SIZE))
    inverse = mapping.inverse().positions()
    np.testing.assert_allclose(inverse, warping.centres(SIZE, SIZE), atol=1e-4)


def test_the_inverse_of_a_map_leads_back(points):
    rng = np.random.default_rng(1)
    source = points + rng.normal(0, 2, points.shape) + [5, -3]
    mapping = warping.landmark_map(source, points, SIZE)
    back = mapping.inverse().positions()
    there = cv2.remap(mapping.positions(), back, None, cv2.INTER_LINEAR)
    error = np.linalg.norm(there - warping.centres(SIZE, SIZE), axis=-1)
    assert error[30:-30, 30:-30].max() < 0.3


def test_the_flow_corrects_a_wrong_map(points):
    rng = np.random.default_rng(2)
    texture = rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32)
    texture = cv2.GaussianBlur(texture, (0, 0), 4)
    texture = cv2.normalize(texture, None, 30, 220, cv2.NORM_MINMAX).astype(np.uint8)
    # The right map is the identity.
    wrong = warping.landmark_map(points + 2.5, points, SIZE)
    half = (SIZE // 2, SIZE // 2)
    moved = cv2.remap(texture, wrong.positions(), None, cv2.INTER_LINEAR)
    refined = warping.refine(
        warping.make_flow(),
        cv2.resize(texture, half),
        cv2.resize(moved, half),
        wrong,
        face_size=150.0,
    )
    error = np.abs(refined.positions() - warping.centres(SIZE, SIZE))
    assert np.median(error[40:-40, 40:-40]) < 0.5


def test_the_flow_is_in_the_target_picture(points):
    """A flow moves a turned and corrected map as if its positions were looked up."""

    class Shift:
        def calc(self, target, source, start):
            return start + np.array([1.5, -1], np.float32)

    matrix = np.array([[0.9, -0.3, 30.0], [0.3, 0.9, -20.0]])
    source = points @ matrix[:, :2].T + matrix[:, 2]
    source[48:68, 1] += 5
    mapping = warping.landmark_map(source, points, SIZE)
    grey = np.zeros((SIZE // 2, SIZE // 2), np.uint8)
    refined = warping.refine(Shift(), grey, grey, mapping, face_size=1000.0)
    shift = np.array([[1.0, 0, -3], [0, 1, 2]])  # twice the flow
    expected = cv2.warpAffine(mapping.positions(), shift, (SIZE, SIZE))
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(refined.positions()[inner], expected[inner], atol=0.05)


def test_the_correction_is_limited():
    rng = np.random.default_rng(3)
    target, source = rng.integers(0, 256, (2, SIZE // 2, SIZE // 2)).astype(np.uint8)
    mapping = warping.FaceMap.identity(SIZE)
    refined = warping.refine(warping.make_flow(), target, source, mapping, 100.0)
    length = np.linalg.norm(refined.positions() - mapping.positions(), axis=-1)
    assert length.max() <= warping.LIMIT * 100 + 0.1
