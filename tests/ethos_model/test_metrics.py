"""Every metric against a second way of computing it."""

import math

import numpy as np
import pytest

from ethos_model import metrics


@pytest.fixture
def faces():
    """Three true faces and predictions, (3, 68, 3), normalised."""
    rng = np.random.default_rng(1)
    true = rng.uniform(0.1, 0.9, (3, 68, 3))
    return true + rng.normal(0, 0.02, true.shape), true


def _size(true):
    """sqrt(w * h) by plain Python."""
    x, y = [p[0] for p in true], [p[1] for p in true]
    return math.sqrt((max(x) - min(x)) * (max(y) - min(y)))


def _mean_distance(predicted, true):
    distances = [math.dist(p[:2], t[:2]) for p, t in zip(predicted, true, strict=True)]
    return sum(distances) / len(distances)


def test_nme_box_is_the_mean_distance_over_the_face_size(faces):
    predicted, true = faces
    expected = [
        100 * _mean_distance(p, t) / _size(t)
        for p, t in zip(predicted, true, strict=True)
    ]
    np.testing.assert_allclose(metrics.nme_box(predicted, true), expected)


def test_a_shift_by_a_known_part_of_the_face_gives_that_nme():
    true = np.zeros((68, 2))
    true[0] = (10, 20)  # box of 40 x 90 source pixels: size 60
    true[1:] = (50, 110)
    assert metrics.nme_box(true + np.array([3.0, 0]), true) == pytest.approx(5.0)


def test_labels_to_one_side_have_a_shift(faces):
    predicted, true = faces
    size = np.array([_size(one) for one in true])
    noise = (true - predicted)[..., :2].mean(axis=1) / size[:, None]
    beside = true + np.array([0.03, -0.01, 5])
    expected = 100 * (noise + np.array([0.03, -0.01]) / size[:, None])
    np.testing.assert_allclose(metrics.label_shift(predicted, beside), expected)


def test_nme_iod_divides_by_the_outer_eye_corners(faces):
    predicted, true = faces
    expected = [
        100 * _mean_distance(p, t) / math.dist(t[36][:2], t[45][:2])
        for p, t in zip(predicted, true, strict=True)
    ]
    np.testing.assert_allclose(metrics.nme_iod(predicted, true), expected)


def test_nme_does_not_change_with_the_frame_of_reference(faces):
    predicted, true = faces
    for metric in (metrics.nme_box, metrics.nme_iod, metrics.z_error):
        np.testing.assert_allclose(
            metric(predicted * 83 + (7, -5, 0), true * 83 + (7, -5, 0)),
            metric(predicted, true),
        )


def test_nme_ignores_z(faces):
    predicted, true = faces
    moved = predicted + np.array([0, 0, 5.0])
    np.testing.assert_array_equal(
        metrics.nme_box(moved, true), metrics.nme_box(predicted, true)
    )


def test_point_errors_average_to_nme(faces):
    predicted, true = faces
    errors = metrics.point_errors(predicted, true)
    assert errors.shape == (3, 68)
    np.testing.assert_allclose(errors.mean(1), metrics.nme_box(predicted, true))


def test_auc_is_the_integral_of_the_cumulative_distribution():
    errors = np.random.default_rng(2).gamma(3, 1.5, 400)
    limits = np.linspace(0, 8, 200_001)
    cumulative = np.searchsorted(np.sort(errors), limits, side="right") / len(errors)
    expected = 100 * np.trapezoid(cumulative, limits) / 8
    assert metrics.auc(errors) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("error", "area"), [(0.0, 100.0), (2.0, 75.0), (9.0, 0.0)])
def test_auc_of_equal_errors(error, area):
    assert metrics.auc(np.full(5, error)) == pytest.approx(area)


def test_failure_rate_counts_what_lies_above_the_limit():
    assert metrics.failure_rate(np.array([1.0, 8.0, 8.1, 20.0])) == 50.0


def test_z_error_is_in_percent_of_the_face_size(faces):
    predicted, true = faces
    expected = [
        100 * sum(abs(p[2] - t[2]) for p, t in zip(a, b, strict=True)) / 68 / _size(b)
        for a, b in zip(predicted, true, strict=True)
    ]
    np.testing.assert_allclose(metrics.z_error(predicted, true), expected)


def test_depth_error_ignores_a_constant_offset_and_what_lies_outside():
    rng = np.random.default_rng(3)
    true = rng.normal(size=(2, 6, 6))
    mask = rng.random((2, 6, 6)) < 0.5
    predicted = np.where(mask, true + 0.7, 99.0)
    size = np.array([0.5, 0.25])
    np.testing.assert_allclose(
        metrics.depth_error(predicted, true, mask, size), 0, atol=1e-9
    )
    noisy = predicted + rng.normal(size=true.shape)
    for i in range(2):
        difference = (noisy - true)[i][mask[i]]
        expected = 100 * np.mean(np.abs(difference - np.mean(difference))) / size[i]
        got = metrics.depth_error(noisy, true, mask, size)[i]
        assert got == pytest.approx(expected)


def test_depth_error_without_a_mask_is_not_a_number():
    zeros = np.zeros((1, 4, 4))
    assert np.isnan(metrics.depth_error(zeros, zeros, zeros, np.ones(1))).all()


def test_psnr_of_a_known_error():
    clean = np.full((5, 7), 0.5)
    assert metrics.psnr(clean + 0.1, clean) == pytest.approx(20.0)  # 10 log10(1 / 0.01)
    assert metrics.psnr(clean, clean) == pytest.approx(100.0)


def test_ssim_agrees_with_an_explicit_sum_over_windows():
    rng = np.random.default_rng(4)
    clean = rng.random((14, 13))
    image = np.clip(clean + rng.normal(0, 0.2, clean.shape), 0, 1)
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for top in range(14 - 10):
        for left in range(13 - 10):
            a = image[top : top + 11, left : left + 11]
            b = clean[top : top + 11, left : left + 11]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a = (weights * (a - mean_a) ** 2).sum()
            var_b = (weights * (b - mean_b) ** 2).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            values.append(
                (2 * mean_a * mean_b + 0.0001)
                * (2 * covariance + 0.0009)
                / ((mean_a**2 + mean_b**2 + 0.0001) * (var_a + var_b + 0.0009))
            )
    assert metrics.ssim(image, clean) == pytest.approx(np.mean(values))
    np.testing.assert_allclose(metrics.ssim(np.stack([clean] * 2), clean), 1.0)


def test_mce_is_the_mean_of_ratios():
    nme = {("blur", 1): 3.0, ("blur", 2): 4.0, ("dark", 1): 2.0}
    baseline = {("blur", 1): 6.0, ("blur", 2): 16.0, ("dark", 1): 2.0, "clean": 1.0}
    assert metrics.mce(nme, baseline) == pytest.approx(100 * (0.5 + 0.25 + 1) / 3)
    assert math.isnan(metrics.mce({}, baseline))


def test_jitter_of_a_steady_movement_is_zero_and_of_a_flicker_is_known(faces):
    still = faces[1][0]
    size = _size(still)
    drift = still + np.arange(6)[:, None, None] * (0.01, 0.02, 0)
    np.testing.assert_allclose(metrics.jitter(drift), 0, atol=1e-9)
    flicker = still + (np.arange(6) % 2)[:, None, None] * (0.01, 0, 0)
    # To and fro by 0.01: each second difference is 0.02 long.
    assert metrics.jitter(flicker) == pytest.approx(100 * 0.02 / size)
    assert metrics.jitter(flicker, 0.5) == pytest.approx(4.0)


def test_coverage_of_an_honest_gaussian():
    rng = np.random.default_rng(5)
    sigma = rng.uniform(0.01, 0.05, (400, 68))
    true = np.zeros((400, 68, 3))
    predicted = rng.normal(size=true.shape) * sigma[..., None]
    for sigmas in (0.5, 1.0, 2.0):
        expected = 100 * math.erf(sigmas / math.sqrt(2))
        got = metrics.coverage(predicted, true, sigma, sigmas).mean()
        assert got == pytest.approx(expected, abs=1.0)


def test_leading_axes_are_kept(faces):
    predicted, true = (np.stack([x, x]) for x in faces)
    for metric in (metrics.nme_box, metrics.nme_iod, metrics.z_error):
        assert metric(predicted, true).shape == (2, 3)
        np.testing.assert_allclose(
            metric(predicted, true)[1], metric(predicted[1], true[1])
        )
