"""Windows and landmarks move together, by random numbers within the limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ethos_data import crop, topology
from ethos_data.batches import augment

STRONG = augment.Augmentation(rotation=45, scale=(0.8, 1.3), shift=0.1)


def face(seed: int = 0) -> np.ndarray:
    """Returns random landmarks (68, 3) in the middle of a stored crop, with small z."""
    rng = np.random.default_rng(seed)
    landmarks = rng.uniform(0.26, 0.74, (68, 3))
    landmarks[:, 2] = 0.1 * rng.standard_normal(68)
    return landmarks.astype(np.float32)


def batch(count: int, size: float = 200) -> tuple[np.ndarray, np.ndarray]:
    """Returns landmarks (count, 68, 3) and stored windows (count, 3)."""
    landmarks = np.stack([face(seed) for seed in range(count)])
    windows = np.tile(np.float32([10.5, -3.5, size]), (count, 1))
    return landmarks, windows


def test_without_augmentation_the_window_is_the_predictors():
    rng = np.random.default_rng(0)
    for _ in range(20):
        # With integer labels the centre of the box is often between two pixels.
        landmarks = rng.integers(40, 140, (68, 3)).astype(np.float64)
        box = topology.face_box(landmarks)
        stored = crop.window_around(box, crop.STORED_CONTEXT)
        window = crop.window_around(box, crop.NETWORK_CONTEXT)
        normalized = stored.to_normalized(landmarks).astype(np.float32)
        windows = np.float32([[stored.left, stored.top, stored.size]])
        placement = augment.place(normalized[None], windows)
        np.testing.assert_allclose(
            placement.move(normalized[None])[0],
            window.to_normalized(landmarks),
            atol=1e-6,
        )


def test_the_window_of_a_turned_image_is_the_predictors():
    """The window around the box of the turned landmarks, in numpy."""
    landmarks, windows = batch(40)
    only_turned = augment.Augmentation(
        rotation=10, turned=0.5, scale=(1, 1), shift=0, mirror=0
    )
    placement = augment.place(landmarks, windows, augmentation=only_turned, seed=3)
    angles = np.degrees(placement.angle)
    assert 5 < (np.abs(angles) > 10).sum() < 35
    assert np.abs(angles).max() > 120
    moved = placement.move(landmarks)
    for before, after, angle in zip(landmarks, moved, placement.angle, strict=True):
        turn = np.exp(-1j * angle)  # of the image, so that the window is upright
        points = (before[:, 0] + 1j * before[:, 1]) * turn
        x, y = points.real, points.imag
        side = crop.NETWORK_CONTEXT * max(np.ptp(x), np.ptp(y))
        middle = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
        expected = (np.stack([x, y], -1) - middle) / side + 0.5
        np.testing.assert_allclose(after[:, :2], expected, atol=1e-5)


def test_z_is_scaled_like_x_and_y():
    landmarks, windows = batch(4)
    placement = augment.place(landmarks, windows, augmentation=STRONG, seed=2)
    moved = placement.move(landmarks).astype(np.float64)
    for i in range(4):
        order = topology.MIRROR if placement.mirrored[i] else np.arange(68)
        # Rotation about z and reflection keep the 3D distances between landmarks, and
        # the change of unit scales all of them.
        source = landmarks[i, order]
        before = np.linalg.norm(source[:, None] - source, axis=-1)
        after = np.linalg.norm(moved[i][:, None] - moved[i], axis=-1)
        np.testing.assert_allclose(after * placement.side[i], before, atol=1e-5)


def test_mirroring_exchanges_left_and_right_landmarks():
    landmarks, windows = batch(1)
    only_mirror = augment.Augmentation(rotation=0, scale=(1, 1), shift=0, mirror=1)
    plain = augment.place(landmarks, windows).move(landmarks)[0]
    placement = augment.place(landmarks, windows, augmentation=only_mirror)
    mirrored = placement.move(landmarks)[0]
    expected = plain[topology.MIRROR].copy()
    expected[:, 0] = 1 - expected[:, 0]
    np.testing.assert_allclose(mirrored, expected, atol=1e-6)


@pytest.mark.parametrize(("own", "wanted"), [(3, 3), (3, 0), (0, 3), (-1, 2)])
@pytest.mark.parametrize("mirror", [0, 1])
def test_labels_have_the_wanted_shift_in_mirrored_images_too(mirror, own, wanted):
    truth, windows = batch(5)
    size = topology.face_size(topology.face_box(truth))
    labels = truth.copy()
    labels[..., 0] += own / 100 * size[:, None]
    upright = augment.Augmentation(
        rotation=0, mirror=mirror, label_shift=own, wanted_shift=wanted
    )
    placement = augment.place(labels, windows, augmentation=upright, seed=1)
    # The true landmarks move with the image.
    matrix = placement.matrix()
    moved_truth = truth[..., :2] - matrix[:, None, :, 2]
    moved_truth = np.linalg.solve(matrix[:, None, :, :2], moved_truth[..., None])
    moved_truth = moved_truth[..., 0]
    if mirror:
        moved_truth = moved_truth[:, topology.MIRROR]
    shift = placement.move(labels)[..., :2] - moved_truth
    expected = wanted / 100 * size / placement.side
    np.testing.assert_allclose(shift[..., 0], np.tile(expected, (68, 1)).T, atol=1e-5)
    np.testing.assert_allclose(shift[..., 1], 0, atol=1e-5)


def test_the_depth_map_moves_like_the_labels():
    labels, windows = batch(5)
    options = augment.Augmentation(mirror=1, label_shift=3, wanted_shift=3)
    placement = augment.place(labels, windows, augmentation=options, seed=1)
    matrix = placement.label_matrix()
    moved = placement.move(labels)[:, topology.MIRROR, :2]
    back = np.einsum("bij,bpj->bpi", matrix[:, :, :2], moved) + matrix[:, None, :, 2]
    np.testing.assert_allclose(back, labels[..., :2], atol=1e-5)


def test_the_placement_depends_on_seed_and_index_only():
    landmarks, windows = batch(6)
    all_rows = augment.place(
        landmarks, windows, augmentation=STRONG, seed=4, index=np.arange(10, 16)
    )
    two_rows = augment.place(
        landmarks[2:4],
        windows[2:4],
        augmentation=STRONG,
        seed=4,
        index=np.array([12, 13]),
    )
    np.testing.assert_array_equal(two_rows.matrix(), all_rows.matrix()[2:4])
    other_seed = augment.place(
        landmarks, windows, augmentation=STRONG, seed=5, index=np.arange(10, 16)
    )
    assert (other_seed.matrix() != all_rows.matrix()).any(axis=(1, 2)).all()


def test_the_movements_are_uniformly_distributed_and_independent():
    landmarks, windows = (np.repeat(array, 4000, axis=0) for array in batch(1))
    placed = augment.place(landmarks, windows, augmentation=STRONG, seed=0)
    only_turned = dataclasses.replace(STRONG, scale=(1, 1), shift=0)
    unmoved = augment.place(landmarks, windows, augmentation=only_turned, seed=0)
    np.testing.assert_array_equal(unmoved.angle, placed.angle)
    scale = placed.side / unmoved.side
    assert scale.min() >= 0.8 - 1e-9
    assert scale.max() <= 1.3 + 1e-9
    for values, low, high in (
        (np.log(scale), np.log(0.8), np.log(1.3)),
        (np.degrees(placed.angle), -45, 45),
        ((placed.center[:, 0] - unmoved.center[:, 0]) / unmoved.side, -0.1, 0.1),
    ):
        share = np.histogram(values, 10, (low, high))[0] / 4000
        np.testing.assert_allclose(share, 0.1, atol=0.025)
    assert placed.mirrored.mean() == pytest.approx(0.5, abs=0.03)
    moved = (placed.center - unmoved.center).T
    correlations = np.corrcoef([scale, placed.angle, *moved])
    assert np.abs(correlations - np.eye(4)).max() < 0.06


@pytest.mark.parametrize(
    "options", [{"scale": (1.2, 0.8)}, {"mirror": 2}, {"turned": -0.1}]
)
def test_rejects_invalid_limits(options):
    with pytest.raises(ValueError, match="Received"):
        augment.Augmentation(**options)


def test_mirroring_exchanges_the_values_of_both_sides():
    placement = augment.Placement(
        center=np.full((2, 2), 0.5),
        side=np.ones(2),
        angle=np.zeros(2),
        mirrored=np.array([False, True]),
        shift=np.zeros(2),
    )
    values = np.tile(np.arange(68), (2, 1))
    permuted = placement.permute(values)
    np.testing.assert_array_equal(permuted, [np.arange(68), topology.MIRROR])
