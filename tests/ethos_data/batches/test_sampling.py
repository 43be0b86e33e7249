"""Image and depth follow a window to a hundredth of a pixel, as OpenCV samples."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from scipy import ndimage

from ethos_data import crop, depth_codec, records, topology
from ethos_data.batches import augment, sampling
from tests.ethos_data import pictures
from tests.ethos_data.batches.test_augment import STRONG, batch


def sample_image(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """One window of one image."""
    start, side = np.array([0]), np.array([len(image)])
    flat = np.ascontiguousarray(image).reshape(-1)
    return sampling.sample_images(flat, start, side, matrix[None], size)[0]


def sample_depths(depth, matrices, size, side) -> tuple[np.ndarray, np.ndarray]:
    """Depth and masks (B, size, size) of float maps, NaN = none."""
    values = depth_codec.encode(np.asarray(depth), *records.DEPTH_RANGE)
    rows = np.arange(len(matrices)) % len(values)
    made = sampling.sample_depths(values, rows, matrices, size, side)
    return made[0][..., 0], made[1][..., 0]


def by_opencv(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """The definition in OpenCV's terms: a finer warp, then the mean of blocks."""
    fold = math.ceil(max(1, math.hypot(matrix[0, 0], matrix[1, 0])))
    fine = matrix.copy()
    fine[:, :2] /= fold
    fine[:, 2] -= matrix[:, :2].sum(axis=1) * (0.5 - 0.5 / fold)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    many = cv2.warpAffine(image, fine, (size * fold, size * fold), flags=flags)
    return cv2.resize(many, (size, size), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("side", "size"), [(60, 112), (160, 112), (230, 112), (300, 70)]
)
def test_images_are_sampled_as_opencv_does(side, size):
    points, windows = batch(8, side)
    wild = augment.Augmentation(rotation=180, scale=(0.5, 2.5), shift=0.5)
    placement = augment.place(points, windows, augmentation=wild, seed=1)
    matrices = augment.to_pixels(placement.matrix(), size, side)
    stored = pictures.batch(8, side)
    starts = np.arange(8) * stored[0].size
    sides = np.full(8, side)
    seen = sampling.sample_images(stored.reshape(-1), starts, sides, matrices, size)
    for image, matrix, got in zip(stored, matrices, seen, strict=True):
        difference = np.abs(got - by_opencv(image, matrix, size).astype(np.float64))
        assert difference.mean() < 0.1
        # A step from 0 to 255 at the image's edge, and 256 weights.
        assert difference.max() <= 2


def test_a_window_outside_of_the_image_is_black():
    image = np.full((40, 40, 3), 200, np.uint8)
    for x, y in ((100.0, 0.0), (-300.0, 5.0), (0.0, 1e4)):
        matrix = np.array([[1.3, 0, x], [0, 1.3, y]])
        assert not sample_image(image, matrix, 48).any()


def render(centers: np.ndarray, sigma: float, matrix: np.ndarray, size: int):
    """An analytic picture of round spots, one in each channel, through an affine map.

    Args:
      centers: (3, 2) spots in the crop's frame, normalised.
      sigma: of a spot, in sides of the crop.
      matrix: (2, 3), window to crop, normalised.
      size: pixels of the window.
    """
    at = (np.arange(size) + 0.5) / size
    grid = np.stack(np.meshgrid(at, at), axis=-1)
    places = grid @ matrix[:, :2].T + matrix[:, 2]
    distance = ((places[:, :, None, :] - centers) ** 2).sum(axis=-1)
    return 20 + 200 * np.exp(-distance / (2 * sigma**2))


def offset(got: np.ndarray, make, matrix: np.ndarray, size: int) -> np.ndarray:
    """(2,) by how many pixels the window's picture lies beside where it should."""

    def moved(dx: float, dy: float) -> np.ndarray:
        at = matrix.copy()
        at[:, 2] -= matrix[:, :2] @ (np.array([dx, dy]) / size)
        return make(at)

    slope = [(moved(h, v) - moved(-h, -v)) / 0.2 for h, v in ((0.1, 0), (0, 0.1))]
    a = np.stack([one.ravel() for one in slope], axis=-1)
    return np.linalg.lstsq(a, (got - make(matrix)).ravel(), rcond=None)[0]


@pytest.mark.parametrize("side", [90, 150, 200, 333])
def test_image_follows_the_landmarks_to_a_hundredth_of_a_pixel(side):
    # Window sides from 60 (enlarged) to 220 pixels (shrunk to 112).
    points, windows = batch(6, side)
    placement = augment.place(
        points, windows, augmentation=STRONG, seed=1, index=np.arange(6)
    )
    landmarks = placement.move(points)
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    chosen = [8, 36, 54]
    for i, matrix in enumerate(placement.matrix()):
        source = topology.MIRROR if placement.mirrored[i] else np.arange(68)
        stored = render(points[i, source[chosen], :2], 0.05, identity, side)
        stored = np.clip(np.round(stored), 0, 255).astype(np.uint8)
        pixels = augment.to_pixels(matrix, 112, side)
        seen = sample_image(stored, pixels, 112).astype(np.float64)

        # What the landmarks say: spots at their new places, as large as the zoom.
        def expected(at, i=i, matrix=matrix):
            move = np.linalg.inv(np.vstack([matrix, [0, 0, 1]])) @ np.vstack(
                [at, [0, 0, 1]]
            )
            sigma = 0.05 / placement.side[i]
            return render(landmarks[i, chosen, :2], sigma, move[:2], 112)

        assert np.abs(offset(seen, expected, matrix, 112)).max() < 0.01
        assert np.abs(seen - expected(matrix)).mean() < 1.5


def test_a_hole_beside_a_pixel_never_becomes_depth():
    # A weight may be 1e-7: about one window in 3,000 has a pixel that a hole barely
    # touches. Of these, number 124 is one.
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


def test_depth_is_sampled_as_scipy_does():
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
        want = ndimage.map_coordinates(stored[i], [y, x], order=1, cval=np.nan)
        if i == 0:  # scipy multiplies a hole by zero where it is hit exactly beside
            want = np.full((32, 32), np.nan, np.float32)
            want[2:, :] = stored[0, :30, 3:35]
        np.testing.assert_array_equal(mask[i], np.isfinite(want))
        want = np.where(np.isfinite(want), want, 0) / side[i]
        # White noise, at fractions of 2^-16 of a pixel.
        np.testing.assert_allclose(depth[i], want, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_depth_follows_to_a_thousandth_of_the_unit(seed):
    points, windows = batch(1)
    placement = augment.place(
        points, windows, augmentation=STRONG, seed=seed, index=np.array([3])
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
    # The same plane and disc where the window's pixels lie in the crop.
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
    # Nothing is known beyond the stored crop either.
    outside = (np.abs(np.stack([u, v]) - 0.5) > 0.5).any(axis=0)
    assert not mask[outside].any()
    np.testing.assert_allclose(depth[mask], expected[mask], atol=1e-3)


def test_shrinking_averages_areas_like_the_predictors_resize():
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (300, 300, 3)).astype(np.uint8)
    for window, limit in ((280, 0.25), (200, 0.25), (150, 0.35)):
        left = (300 - window) // 2
        matrix = np.array(
            [[window / 300, 0, left / 300], [0, window / 300, left / 300]]
        )
        seen = sample_image(stored, augment.to_pixels(matrix, 112, 300), 112)
        part = stored[left : left + window, left : left + window]
        expected = crop.resize(part, 112).astype(np.float64)
        # White noise is the worst case: every bit of aliasing shows in the spread.
        assert seen.std() == pytest.approx(expected.std(), rel=limit)
        assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.9
