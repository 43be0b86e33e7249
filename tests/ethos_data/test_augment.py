"""Image, landmarks and depth move together, to a hundredth of a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ethos_data import augment, crop
from ethos_data import landmarks as topology

STRONG = augment.Augmentation(rotation=45, scale=(0.8, 1.3), shift=0.1)


def face(seed: int = 0) -> np.ndarray:
    """(68, 3): any 68 points that fill the middle of a stored crop, z small."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0.26, 0.74, (68, 3))
    points[:, 2] = 0.1 * rng.standard_normal(68)
    return points.astype(np.float32)


def batch(count: int, size: float = 200) -> tuple[np.ndarray, np.ndarray]:
    points = np.stack([face(seed) for seed in range(count)])
    windows = np.tile(np.float32([10.5, -3.5, size]), (count, 1))
    return points, windows


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
        seen = augment.sample_image(stored, pixels, 112).astype(np.float64)

        # What the landmarks say: spots at their new places, as large as the zoom.
        def expected(at, i=i, matrix=matrix):
            move = np.linalg.inv(np.vstack([matrix, [0, 0, 1]])) @ np.vstack(
                [at, [0, 0, 1]]
            )
            sigma = 0.05 / placement.side[i]
            return render(landmarks[i, chosen, :2], sigma, move[:2], 112)

        assert np.abs(offset(seen, expected, matrix, 112)).max() < 0.01
        assert np.abs(seen - expected(matrix)).mean() < 1.5


def test_no_augmentation_is_the_predictors_window():
    rng = np.random.default_rng(0)
    for _ in range(20):
        # Labels on whole pixels: the middle of the box is often on a tie.
        points = rng.integers(40, 140, (68, 3)).astype(np.float64)
        box = topology.face_box(points)
        stored = crop.window_around(box, crop.STORED_CONTEXT)
        window = crop.window_around(box, crop.NETWORK_CONTEXT)
        normalized = stored.to_normalized(points).astype(np.float32)
        at = np.float32([[stored.left, stored.top, stored.size]])
        placement = augment.place(normalized[None], at)
        np.testing.assert_allclose(
            placement.move(normalized[None])[0],
            window.to_normalized(points),
            atol=1e-6,
        )


def test_z_keeps_its_proportion_to_x_and_y():
    points, windows = batch(4)
    placement = augment.place(points, windows, augmentation=STRONG, seed=2)
    moved = placement.move(points).astype(np.float64)
    for i in range(4):
        source = topology.MIRROR if placement.mirrored[i] else np.arange(68)
        # A rotation about z, a mirror and a change of unit: distances in space scale.
        before = np.linalg.norm(points[i, source][:, None] - points[i, source], axis=-1)
        after = np.linalg.norm(moved[i][:, None] - moved[i], axis=-1)
        np.testing.assert_allclose(after * placement.side[i], before, atol=1e-5)


def test_a_mirrored_face_has_its_points_renamed():
    points, windows = batch(1)
    only_mirror = augment.Augmentation(rotation=0, scale=(1, 1), shift=0, mirror=1)
    plain = augment.place(points, windows).move(points)[0]
    mirrored = augment.place(points, windows, augmentation=only_mirror).move(points)[0]
    expected = plain[topology.MIRROR].copy()
    expected[:, 0] = 1 - expected[:, 0]
    np.testing.assert_allclose(mirrored, expected, atol=1e-6)


def test_a_hole_beside_a_pixel_never_becomes_depth():
    # OpenCV's weights may be 1e-7: about one window in 3,000 has a pixel that a hole
    # barely touches. Of these, number 124 is one.
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    inside = np.hypot(x - 47.5, y - 47.5) <= 30
    stored = np.where(inside, np.float32(0.25), np.float32(augment.HOLE))
    matrices = np.empty((200, 2, 3))
    for k, matrix in enumerate(matrices):
        side = rng.uniform(0.4, 0.8)
        angle = 0 if k % 2 else rng.uniform(-1, 1)
        c, s = np.cos(angle) * side, np.sin(angle) * side
        matrix[:] = [[c, -s, rng.uniform(0, 40)], [s, c, rng.uniform(0, 40)]]
    depth, mask = augment.sample_depth(
        np.stack([stored] * 200), matrices, 96, np.ones(200)
    )
    assert np.abs(depth).max() <= 2
    np.testing.assert_allclose(np.median(depth[mask == 1]), 0.25)
    assert (depth[mask == 0] == 0).all()


def test_depth_is_sampled_as_scipy_does():
    rng = np.random.default_rng(2)
    stored = rng.uniform(-0.9, 0.9, (6, 40, 40)).astype(np.float32)
    stored[rng.random(stored.shape) < 0.05] = np.nan
    matrices = rng.normal(size=(6, 2, 3)) * [0.4, 0.4, 3] + [[1, 0, 5], [0, 1, 5]]
    matrices[0] = [[1, 0, 3], [0, 1, -2]]  # exactly on pixels
    side = rng.uniform(0.5, 2, 6)
    filled = np.nan_to_num(stored, nan=augment.HOLE)
    depth, mask = augment.sample_depth(filled, matrices, 32, side)
    at = np.stack([*np.meshgrid(range(32), range(32)), np.ones((32, 32))])
    for i, matrix in enumerate(matrices):
        x, y = np.einsum("ij,jyx->iyx", matrix, at)
        want = ndimage.map_coordinates(stored[i], [y, x], order=1, cval=np.nan)
        if i == 0:  # scipy multiplies a hole by zero where it is hit exactly beside
            want = np.full((32, 32), np.nan, np.float32)
            want[2:, :] = stored[0, :30, 3:35]
        np.testing.assert_array_equal(mask[i], np.isfinite(want))
        want = np.where(np.isfinite(want), want, 0) / side[i]
        np.testing.assert_allclose(depth[i], want, atol=1e-5)


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
    (depth,), (mask,) = augment.sample_depth(
        np.where(known, stored, np.float32(augment.HOLE))[None],
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
        seen = augment.sample_image(stored, augment.to_pixels(matrix, 112, 300), 112)
        part = stored[left : left + window, left : left + window]
        expected = crop.resize(part, 112).astype(np.float64)
        # White noise is the worst case: every bit of aliasing shows in the spread.
        assert seen.std() == pytest.approx(expected.std(), rel=limit)
        assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.9


def test_draws_depend_on_seed_and_index_alone():
    points, windows = batch(6)
    whole = augment.place(
        points, windows, augmentation=STRONG, seed=4, index=np.arange(10, 16)
    )
    part = augment.place(
        points[2:4],
        windows[2:4],
        augmentation=STRONG,
        seed=4,
        index=np.array([12, 13]),
    )
    np.testing.assert_array_equal(part.matrix(), whole.matrix()[2:4])
    other = augment.place(
        points, windows, augmentation=STRONG, seed=5, index=np.arange(10, 16)
    )
    assert (other.matrix() != whole.matrix()).any(axis=(1, 2)).all()


def test_draws_fill_their_ranges_evenly():
    points, windows = (np.repeat(one[:1], 4000, axis=0) for one in batch(1))
    placed = augment.place(points, windows, augmentation=STRONG, seed=0)
    base = augment.place(points[:1], windows[:1])
    zoom = np.log(placed.side / base.side) / np.log([[0.8], [1.3]])
    assert zoom[0].max() <= 1 + 1e-9
    assert zoom[1].max() <= 1 + 1e-9
    degrees = np.degrees(placed.angle)
    for values, low, high in (
        (np.log(placed.side / base.side), np.log(0.8), np.log(1.3)),
        (degrees, -45, 45),
        ((placed.center[:, 0] - base.center[:, 0]) / base.side, -0.1, 0.1),
    ):
        share = np.histogram(values, 10, (low, high))[0] / 4000
        np.testing.assert_allclose(share, 0.1, atol=0.025)
    assert placed.mirrored.mean() == pytest.approx(0.5, abs=0.03)
    # One draw must not tell of another.
    together = np.corrcoef([placed.side, placed.angle, *placed.center.T])
    assert np.abs(together - np.eye(4)).max() < 0.06


@pytest.mark.parametrize("options", [{"scale": (1.2, 0.8)}, {"mirror": 2}])
def test_nonsense_is_refused(options):
    with pytest.raises(ValueError, match="Received"):
        augment.Augmentation(**options)
