"""Images and depth maps are sampled as by OpenCV and scipy, and at the right place."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from scipy import ndimage

from ethos_data import crop, depth_codec, records, topology
from ethos_data.batches import augment, sampling
from tests.ethos_data import pictures
from tests.ethos_data.batches.test_augment import STRONG, batch


def sample_image(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Samples a single image: uint8 (size, size, 3)."""
    start, side = np.array([0]), np.array([len(image)])
    flat = np.ascontiguousarray(image).reshape(-1)
    return sampling.sample_images(flat, start, side, matrix[None], size)[0]


def sample_depths(depth, matrices, size, side) -> tuple[np.ndarray, np.ndarray]:
    """Samples depth maps, NaN = unknown. Returns depth and masks (B, size, size)."""
    levels = depth_codec.encode(np.asarray(depth), *records.DEPTH_RANGE)
    rows = np.arange(len(matrices)) % len(levels)
    sampled, mask = sampling.sample_depths(levels, rows, matrices, size, side)
    return sampled[..., 0], mask[..., 0]


def by_opencv(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Samples an image with OpenCV: a finer warp, then the mean of each block."""
    fold = math.ceil(max(1, math.hypot(matrix[0, 0], matrix[1, 0])))
    fine = matrix.copy()
    fine[:, :2] /= fold
    fine[:, 2] -= matrix[:, :2].sum(axis=1) * (0.5 - 0.5 / fold)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, fine, (size * fold, size * fold), flags=flags)
    return cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("side", "size"), [(60, 112), (160, 112), (230, 112), (300, 70)]
)
def test_images_equal_those_of_opencv(side, size):
    landmarks, windows = batch(8, side)
    extreme = augment.Augmentation(rotation=180, scale=(0.5, 2.5), shift=0.5)
    placement = augment.place(landmarks, windows, augmentation=extreme, seed=1)
    matrices = augment.to_pixels(placement.matrix(), size, side)
    stored = pictures.batch(8, side)
    starts = np.arange(8) * stored[0].size
    sides = np.full(8, side)
    sampled = sampling.sample_images(stored.reshape(-1), starts, sides, matrices, size)
    for image, matrix, actual in zip(stored, matrices, sampled, strict=True):
        difference = np.abs(actual - by_opencv(image, matrix, size).astype(np.float64))
        assert difference.mean() < 0.1
        # At the edge of the image a weight may differ by 1/256, for a step of 255.
        assert difference.max() <= 2


def test_a_window_outside_the_image_is_black():
    image = np.full((40, 40, 3), 200, np.uint8)
    for x, y in ((100.0, 0.0), (-300.0, 5.0), (0.0, 1e4)):
        matrix = np.array([[1.3, 0, x], [0, 1.3, y]])
        assert not sample_image(image, matrix, 48).any()


def render(centers: np.ndarray, sigma: float, matrix: np.ndarray, size: int):
    """Renders a Gaussian spot in each channel, seen through an affine map.

    Args:
      centers: (3, 2), centres of the spots in the normalised frame of the crop.
      sigma: Standard deviation of a spot, in sides of the crop.
      matrix: (2, 3), map from the window to the crop, both normalised.
      size: Width and height of the window, in pixels.

    Returns:
      float64 (size, size, 3).
    """
    at = (np.arange(size) + 0.5) / size
    grid = np.stack(np.meshgrid(at, at), axis=-1)
    places = grid @ matrix[:, :2].T + matrix[:, 2]
    distance = ((places[:, :, None, :] - centers) ** 2).sum(axis=-1)
    return 20 + 200 * np.exp(-distance / (2 * sigma**2))


def offset(
    image: np.ndarray,
    rendered: Callable[[np.ndarray], np.ndarray],
    matrix: np.ndarray,
    size: int,
) -> np.ndarray:
    """Returns the distance (2,) of an image from its expected position, in pixels.

    Args:
      image: (size, size, 3), the image.
      rendered: Function from a map (2, 3) to the expected image.
      matrix: (2, 3), the map that the image should have.
      size: Width and height of the image, in pixels.
    """

    def shifted(dx: float, dy: float) -> np.ndarray:
        shifted_matrix = matrix.copy()
        shifted_matrix[:, 2] -= matrix[:, :2] @ (np.array([dx, dy]) / size)
        return rendered(shifted_matrix)

    slopes = [(shifted(h, v) - shifted(-h, -v)) / 0.2 for h, v in ((0.1, 0), (0, 0.1))]
    a = np.stack([slope.ravel() for slope in slopes], axis=-1)
    return np.linalg.lstsq(a, (image - rendered(matrix)).ravel(), rcond=None)[0]


@pytest.mark.parametrize("side", [90, 150, 200, 333])
def test_image_and_landmarks_agree_to_a_hundredth_of_a_pixel(side):
    # Windows of 60 pixels (enlarged to 112) to 220 pixels (shrunk to 112).
    original, windows = batch(6, side)
    placement = augment.place(
        original, windows, augmentation=STRONG, seed=1, index=np.arange(6)
    )
    landmarks = placement.move(original)
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    marked = [8, 36, 54]
    for i, matrix in enumerate(placement.matrix()):
        order = topology.MIRROR if placement.mirrored[i] else np.arange(68)
        stored = render(original[i, order[marked], :2], 0.05, identity, side)
        stored = np.clip(np.round(stored), 0, 255).astype(np.uint8)
        pixels = augment.to_pixels(matrix, 112, side)
        image = sample_image(stored, pixels, 112).astype(np.float64)

        # Spots at the moved landmarks, as large as the window enlarges them.
        def expected(shifted, i=i, matrix=matrix):
            move = np.linalg.inv(np.vstack([matrix, [0, 0, 1]])) @ np.vstack(
                [shifted, [0, 0, 1]]
            )
            sigma = 0.05 / placement.side[i]
            return render(landmarks[i, marked, :2], sigma, move[:2], 112)

        assert np.abs(offset(image, expected, matrix, 112)).max() < 0.01
        assert np.abs(image - expected(matrix)).mean() < 1.5


def test_unknown_depth_never_contributes_to_a_pixel():
    # A weight may be 1e-7. About one window in 3,000 has a pixel to which an unknown
    # value would contribute with such a weight; number 124 is such a window.
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    inside = np.hypot(x - 47.5, y - 47.5) <= 30
    stored = np.where(inside, np.float32(0.25), np.float32(np.nan))
    matrices = np.empty((200, 2, 3))
    for k, matrix in enumerate(matrices):
        side = rng.uniform(0.4, 0.8)
        angle = 0 if k % 2 else rng.uniform(-1, 1)
        c, s = np.cos(angle) * side, np.sin(angle) * side
        matrix[:] = [[c, -s, rng.uniform(0, 40)], [s, c, rng.uniform(0, 40)]]
    depth, mask = sample_depths([stored], matrices, 96, np.ones(200))
    assert np.abs(depth).max() <= 0.2501
    np.testing.assert_allclose(depth[mask == 1], 0.25, atol=1e-4)
    assert (depth[mask == 0] == 0).all()


def test_depth_equals_that_of_scipy():
    rng = np.random.default_rng(2)
    stored = rng.uniform(-0.9, 0.9, (6, 40, 40)).astype(np.float32)
    stored[rng.random(stored.shape) < 0.05] = np.nan
    levels = depth_codec.encode(stored, *records.DEPTH_RANGE)
    stored = depth_codec.decode(levels, *records.DEPTH_RANGE)
    matrices = rng.normal(size=(6, 2, 3)) * [0.4, 0.4, 3] + [[1, 0, 5], [0, 1, 5]]
    matrices[0] = [[1, 0, 3], [0, 1, -2]]  # exactly on pixels
    side = rng.uniform(0.5, 2, 6)
    depth, mask = sample_depths(stored, matrices, 32, side)
    at = np.stack([*np.meshgrid(range(32), range(32)), np.ones((32, 32))])
    for i, matrix in enumerate(matrices):
        x, y = np.einsum("ij,jyx->iyx", matrix, at)
        expected = ndimage.map_coordinates(stored[i], [y, x], order=1, cval=np.nan)
        if i == 0:  # exactly on pixels, scipy would return 0 * NaN = NaN
            expected = np.full((32, 32), np.nan, np.float32)
            expected[2:, :] = stored[0, :30, 3:35]
        np.testing.assert_array_equal(mask[i], np.isfinite(expected))
        expected = np.where(np.isfinite(expected), expected, 0) / side[i]
        # The depth is white noise, and positions are rounded to 2^-16 pixel.
        np.testing.assert_allclose(depth[i], expected, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_depth_and_mask_move_with_the_window(seed):
    landmarks, windows = batch(1)
    placement = augment.place(
        landmarks, windows, augmentation=STRONG, seed=seed, index=np.array([3])
    )
    (matrix,) = placement.matrix()
    at = (np.arange(96) + 0.5) / 96
    x, y = np.meshgrid(at, at)
    known = (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.2**2
    stored = (0.3 * x - 0.2 * y + 0.05).astype(np.float32)
    pixels = augment.to_pixels(matrix, 80, 96)
    (depth,), (mask,) = sample_depths(
        np.where(known, stored, np.float32(np.nan))[None],
        pixels[None],
        80,
        placement.side,
    )
    # The same plane and disc, at the positions of the window's pixels in the crop.
    at = (np.arange(80) + 0.5) / 80
    u, v = np.moveaxis(
        np.stack(np.meshgrid(at, at), -1) @ matrix[:, :2].T + matrix[:, 2], -1, 0
    )
    expected = (0.3 * u - 0.2 * v + 0.05) / placement.side[0]
    distance = np.hypot(u - 0.5, v - 0.5)
    inside = distance < 0.2 - 1.5 / 96
    np.testing.assert_allclose(depth[inside], expected[inside], atol=1e-3)
    assert set(np.unique(mask)) <= {0, 1}
    mask = mask == 1
    assert mask[inside].all()
    assert not mask[distance > 0.2 + 0.1 / 96].any()
    assert (depth[~mask] == 0).all()
    # The depth outside the stored crop is unknown.
    outside = (np.abs(np.stack([u, v]) - 0.5) > 0.5).any(axis=0)
    assert not mask[outside].any()
    np.testing.assert_allclose(depth[mask], expected[mask], atol=1e-3)


def test_shrinking_averages_areas_like_the_predictor():
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (300, 300, 3)).astype(np.uint8)
    for window, limit in ((280, 0.25), (200, 0.25), (150, 0.35)):
        left = (300 - window) // 2
        matrix = np.array(
            [[window / 300, 0, left / 300], [0, window / 300, left / 300]]
        )
        sampled = sample_image(stored, augment.to_pixels(matrix, 112, 300), 112)
        part = stored[left : left + window, left : left + window]
        expected = crop.resize(part, 112).astype(np.float64)
        # In white noise, aliasing increases the standard deviation most.
        assert sampled.std() == pytest.approx(expected.std(), rel=limit)
        assert np.corrcoef(sampled.ravel(), expected.ravel())[0, 1] > 0.9
