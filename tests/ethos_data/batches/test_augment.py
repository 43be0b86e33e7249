"""Windows move as the predictor's and their draws say, landmarks with them."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data import crop, topology
from ethos_data.batches import augment

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


@pytest.mark.parametrize(("own", "wanted"), [(3, 3), (3, 0), (0, 3), (-1, 2)])
@pytest.mark.parametrize("mirror", [0, 1])
def test_labels_lie_right_of_the_truth_in_a_mirrored_picture_too(mirror, own, wanted):
    truth, windows = batch(5)
    size = topology.face_size(topology.face_box(truth))
    labels = truth.copy()
    labels[..., 0] += own / 100 * size[:, None]
    upright = augment.Augmentation(
        rotation=0, mirror=mirror, label_shift=own, wanted_shift=wanted
    )
    placement = augment.place(labels, windows, augmentation=upright, seed=1)
    # Where the picture went, and with it the truth.
    matrix = placement.matrix()
    seen = truth[..., :2] - matrix[:, None, :, 2]
    seen = np.linalg.solve(matrix[:, None, :, :2], seen[..., None])[..., 0]
    if mirror:
        seen = seen[:, topology.MIRROR]
    away = placement.move(labels)[..., :2] - seen
    expected = wanted / 100 * size / placement.side
    np.testing.assert_allclose(away[..., 0], np.tile(expected, (68, 1)).T, atol=1e-5)
    np.testing.assert_allclose(away[..., 1], 0, atol=1e-5)


def test_depth_moves_with_the_labels():
    labels, windows = batch(5)
    options = augment.Augmentation(mirror=1, label_shift=3, wanted_shift=3)
    placement = augment.place(labels, windows, augmentation=options, seed=1)
    matrix = placement.label_matrix()
    moved = placement.move(labels)[:, topology.MIRROR, :2]
    back = np.einsum("bij,bpj->bpi", matrix[:, :, :2], moved) + matrix[:, None, :, 2]
    np.testing.assert_allclose(back, labels[..., :2], atol=1e-5)


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
