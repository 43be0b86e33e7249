"""The losses, compared with scipy and with their formulas in numpy."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import stats

from ethos_data import visibility
from ethos_model import metrics
from ethos_model.training import losses

rng = np.random.default_rng(3)
TRUE = rng.uniform(0, 1, (3, 68, 3)).astype(np.float32)
PREDICTED = (TRUE + rng.normal(0, 0.03, TRUE.shape)).astype(np.float32)
SIGMA = rng.uniform(0.01, 0.1, (3, 68)).astype(np.float32)


def scales():
    """Standard deviation of each coordinate, float64 (3, 68, 3)."""
    return np.stack([SIGMA, SIGMA, losses.Z_SIGMA * SIGMA], axis=-1).astype(np.float64)


@pytest.mark.parametrize(
    ("kind", "density"),
    [
        ("gaussian", lambda e, s: stats.norm.logpdf(e, scale=s)),
        ("laplace", lambda e, s: stats.laplace.logpdf(e, scale=s / np.sqrt(2))),
    ],
)
def test_likelihoods_equal_those_of_scipy_up_to_a_constant(kind, density):
    error = (PREDICTED - TRUE).astype(np.float64)
    log = -density(error, scales())
    log[..., 2] -= np.log(scales()[..., 2])  # z does not change sigma
    got = np.asarray(losses.landmark_loss(kind, TRUE, PREDICTED, SIGMA))
    shift = got - log.mean(axis=(1, 2))
    np.testing.assert_allclose(shift, shift[0], atol=1e-4)


@pytest.mark.parametrize("kind", ["gaussian", "laplace"])
def test_the_best_sigma_is_the_standard_deviation_of_the_error(kind):
    """A large error of z has no influence."""
    error = {"gaussian": rng.normal, "laplace": rng.laplace}[kind](0, 0.02, 60000)
    spread = error.std()
    true = np.zeros((1, 30000, 3), np.float32)
    predicted = np.concatenate(
        [error.reshape(1, 30000, 2), np.full((1, 30000, 1), 9.0)], axis=-1
    ).astype(np.float32)
    candidates = spread * np.array([0.8, 0.9, 1.0, 1.1, 1.25])
    plane = []
    for sigma in candidates:
        even = np.full((1, 30000), sigma, np.float32)
        total = losses.landmark_loss(kind, true, predicted, even)[0]
        only_z = predicted * np.float32([0, 0, 1])
        z_and_log = losses.landmark_loss(kind, true, only_z, even)[0]
        plane.append(float(total - z_and_log) + 2 / 3 * np.log(sigma))
    assert np.argmin(plane) == 2


def test_z_has_no_gradient_on_sigma():
    import tensorflow as tf

    sigma = tf.constant(SIGMA)
    wrong_z = tf.constant(PREDICTED + np.float32([0, 0, 5]))
    gradients = []
    for predicted in (tf.constant(PREDICTED), wrong_z):
        with tf.GradientTape() as tape:
            tape.watch(sigma)
            loss = losses.landmark_loss("gaussian", TRUE, predicted, sigma)
        gradients.append(tape.gradient(loss, sigma).numpy())
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-5)


def test_the_gradient_of_mse_is_that_of_the_squared_error():
    import tensorflow as tf

    predicted = tf.constant(PREDICTED)
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        loss = losses.landmark_loss("mse", TRUE, predicted, SIGMA)
    gradient = tape.gradient(loss, predicted).numpy()
    ratio = gradient / (PREDICTED - TRUE)
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)


def test_wing_is_the_formula_of_the_paper():
    """Feng et al., CVPR 2018, equation 5."""
    w, curve = 0.05, 0.01
    error = np.abs(PREDICTED - TRUE).astype(np.float64)
    constant = w - w * np.log(1 + w / curve)
    wing = np.where(error < w, w * np.log(1 + error / curve), error - constant)
    likelihood = losses.landmark_loss("gaussian", TRUE, PREDICTED, SIGMA)
    got = losses.landmark_loss("wing", TRUE, PREDICTED, SIGMA) - likelihood
    np.testing.assert_allclose(got, wing.mean(axis=(1, 2)) / 0.02, rtol=1e-4)


def test_depth_loss_uses_only_pixels_inside_the_mask():
    depth = rng.normal(0, 0.1, (2, 8, 8, 1)).astype(np.float32)
    mask = np.zeros((2, 8, 8, 1), np.float32)
    mask[0, 2:5, 3:6] = 1
    predicted = np.where(mask, depth + 0.1, 99).astype(np.float32)
    # The error is twice the scale of 0.05: Huber 2 - 0.5. The second face has no depth.
    np.testing.assert_allclose(
        losses.depth_loss(depth, predicted, mask), [1.5, 0], rtol=1e-5
    )


@pytest.mark.parametrize("code", [visibility.UNLABELLED, visibility.UNSTATED])
def test_visibility_has_no_loss_where_it_is_not_stated(code):
    """Cross-entropy in numpy over the landmarks whose visibility is stated."""
    codes = np.tile(np.uint8([visibility.VISIBLE, visibility.HIDDEN, code, code]), 17)
    predicted = rng.uniform(0.02, 0.98, (2, 68)).astype(np.float32)
    seen, hidden = codes == visibility.VISIBLE, codes == visibility.HIDDEN
    expected = -np.log(predicted[:, seen]).sum(axis=1)
    expected -= np.log(1 - predicted[:, hidden]).sum(axis=1)
    loss = losses.visible_loss(np.tile(codes, (2, 1)), predicted)
    np.testing.assert_allclose(loss, expected / 68, rtol=1e-5)


restored_loss = functools.partial(losses.restored_loss, protection=0.0)


def test_restored_prefers_a_sharp_face_to_a_blurred_one():
    import cv2

    sharp = rng.uniform(0, 1, (32, 32)).astype(np.float32)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2)
    offset = np.sqrt(np.mean((blurred - sharp) ** 2))  # for the same squared error
    true = sharp[None, ..., None]
    given = true + 1
    blurred_loss = restored_loss(true, blurred[None, ..., None], given)[0]
    shifted_loss = restored_loss(true, true + offset, given)[0]
    assert float(restored_loss(true, true, given)[0]) == pytest.approx(0, abs=1e-5)
    assert blurred_loss > 2 * shifted_loss


def test_restored_loss_is_the_sum_of_its_terms():
    """The terms in numpy, with a floor of 30 dB."""
    true = rng.uniform(0.2, 0.8, (2, 16, 16, 1)).astype(np.float32)
    for spread in (0.02, 0.3):
        predicted = true + rng.normal(0, spread, true.shape).astype(np.float32)
        error = (predicted - true).astype(np.float64)
        psnr = metrics.psnr(predicted[..., 0], true[..., 0])
        nearness = np.log10(10 ** (3 - psnr / 10) + 1)
        terms = (error, np.diff(error, axis=1), np.diff(error, axis=2))
        absolute = sum(np.abs(term).mean((1, 2, 3)) for term in terms)
        structure = 1 - np.asarray(losses.ssim(true, predicted))
        np.testing.assert_allclose(
            restored_loss(true, predicted, true + 1),
            absolute / 0.1 + nearness + structure,
            rtol=1e-3,
        )


def test_a_restored_image_that_is_worse_than_the_input_costs_more():
    """The weight times the lost decibels / 10 and the lost similarity."""
    true = rng.uniform(0.2, 0.8, (2, 16, 16, 1)).astype(np.float32)
    noise = rng.normal(0, 0.1, true.shape).astype(np.float32)
    predicted = true + noise
    loss = functools.partial(restored_loss, protection=0.8)
    improved = loss(true, predicted, true + 2 * noise)
    np.testing.assert_allclose(loss(true, predicted, predicted), improved, rtol=1e-5)
    added = loss(true, predicted, true + noise / 2) - improved
    lost = metrics.psnr((true + noise / 2)[..., 0], true[..., 0])
    lost -= metrics.psnr(predicted[..., 0], true[..., 0])
    unlike = losses.ssim(true, true + noise / 2) - losses.ssim(true, predicted)
    np.testing.assert_allclose(added, 4 * (lost / 10 + unlike), rtol=0.01)


def test_ssim_is_the_formula_in_every_window():
    true = rng.uniform(0, 1, (2, 16, 20, 1)).astype(np.float32)
    predicted = np.clip(true + rng.normal(0, 0.2, true.shape), 0, 1).astype(np.float32)
    expected = []
    for a, b in zip(true[..., 0], predicted[..., 0], strict=True):
        values = []
        for y in range(0, 9, 4):
            for x in range(0, 13, 4):
                u, v = (m[y : y + 8, x : x + 8].astype(float).ravel() for m in (a, b))
                covariance = np.mean((u - u.mean()) * (v - v.mean()))
                top = (2 * u.mean() * v.mean() + 1e-4) * (2 * covariance + 9e-4)
                bottom = u.mean() ** 2 + v.mean() ** 2 + 1e-4
                values.append(top / (bottom * (u.var() + v.var() + 9e-4)))
        expected.append(np.mean(values))
    np.testing.assert_allclose(losses.ssim(true, predicted), expected, rtol=1e-4)


def test_errors_agree_with_the_metrics_of_the_evaluation():
    depth = rng.normal(0, 0.1, (3, 8, 8, 1)).astype(np.float32)
    predicted = depth + rng.normal(0, 0.02, depth.shape).astype(np.float32)
    mask = (rng.uniform(size=depth.shape) < 0.5).astype(np.float32)
    errors = losses.errors(
        {"landmarks": TRUE, "depth": depth, "depth_mask": mask},
        {"landmarks": PREDICTED, "depth": predicted},
    )
    np.testing.assert_allclose(
        errors["nme"], metrics.nme_box(PREDICTED, TRUE), rtol=1e-4
    )
    difference = (PREDICTED - TRUE).reshape(3, -1)
    np.testing.assert_allclose(
        errors["landmarks_mae"], np.abs(difference).mean(axis=1), rtol=1e-4
    )
    np.testing.assert_allclose(
        errors["landmarks_mse"], (difference**2).mean(axis=1), rtol=1e-4
    )
    for index in range(3):
        inside = (predicted - depth)[index][mask[index] > 0]
        assert float(errors["depth_mae"][index]) == pytest.approx(
            np.abs(inside).mean(), rel=1e-4
        )
        assert float(errors["depth_mse"][index]) == pytest.approx(
            (inside**2).mean(), rel=1e-4
        )


@pytest.mark.parametrize("kind", ["gaussian", "laplace", "mse", "wing"])
def test_coordinates_without_label_do_not_influence_loss_and_errors(kind):
    rng = np.random.default_rng(0)
    true = rng.uniform(size=(2, 68, 3)).astype(np.float32)
    predicted = true + rng.normal(0, 0.02, true.shape).astype(np.float32)
    sigma = np.full((2, 68), 0.02, np.float32)
    visible = np.full((2, 68), 2, np.uint8)
    visible[:, 5] = 0
    maps = {"depth": np.zeros((2, 8, 8, 1)), "depth_mask": np.zeros((2, 8, 8, 1))}
    batch = {"landmarks": true, "visible": visible, "has_z": np.array([True, False])}
    other = predicted.copy()
    other[:, 5] += 0.1
    other[1, :, 2] -= 0.1

    def values(points):
        weight = losses.labelled(batch)
        outputs = {"landmarks": points, "depth": maps["depth"]}
        errors = losses.errors(batch | maps, outputs)
        loss = losses.landmark_loss(kind, true, points, sigma, weight)
        return np.array([loss, *errors.values()])

    np.testing.assert_allclose(values(other), values(predicted), rtol=1e-6)
    other[0, :, 2] -= 0.1
    assert (values(other)[0] != values(predicted)[0]).tolist() == [True, False]


def test_complete_labels_have_weights_of_exactly_1():
    batch = {
        "landmarks": np.zeros((3, 68, 3), np.float32),
        "visible": np.full((3, 68), 2, np.uint8),
        "has_z": np.ones(3, bool),
    }
    assert (np.array(losses.labelled(batch)) == 1).all()
