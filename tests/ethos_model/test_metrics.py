"""Compares every metric with an independent computation."""

import math

import numpy as np
import pytest

from ethos_model import metrics


@pytest.fixture
def faces():
    """Predicted and true landmarks of three faces, (3, 68, 3), normalised."""
    rng = np.random.default_rng(1)
    true = rng.uniform(0.1, 0.9, (3, 68, 3))
    return true + rng.normal(0, 0.02, true.shape), true


def _size(true):
    """Face size sqrt(w * h), without NumPy."""
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


def test_nme_box_of_a_known_shift():
    true = np.zeros((68, 2))
    true[0] = (10, 20)  # The box has 40 x 90 source pixels, so the face size is 60.
    true[1:] = (50, 110)
    assert metrics.nme_box(true + np.array([3.0, 0]), true) == pytest.approx(5.0)


def test_label_shift_of_labels_moved_by_a_known_offset(faces):
    predicted, true = faces
    size = np.array([_size(face) for face in true])
    noise = (true - predicted)[..., :2].mean(axis=1) / size[:, None]
    shifted = true + np.array([0.03, -0.01, 5])
    expected = 100 * (noise + np.array([0.03, -0.01]) / size[:, None])
    np.testing.assert_allclose(metrics.label_shift(predicted, shifted), expected)


def test_nme_iod_divides_by_the_distance_of_the_outer_eye_corners(faces):
    predicted, true = faces
    expected = [
        100 * _mean_distance(p, t) / math.dist(t[36][:2], t[45][:2])
        for p, t in zip(predicted, true, strict=True)
    ]
    np.testing.assert_allclose(metrics.nme_iod(predicted, true), expected)


def test_errors_do_not_depend_on_the_frame_of_reference(faces):
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


def test_the_mean_of_the_landmark_errors_is_nme_box(faces):
    predicted, true = faces
    errors = metrics.landmark_errors(predicted, true)
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


def test_failure_rate_counts_errors_above_the_limit():
    assert metrics.failure_rate(np.array([1.0, 8.0, 8.1, 20.0])) == 50.0


def test_z_error_is_in_percent_of_the_face_size(faces):
    predicted, true = faces
    expected = [
        100 * sum(abs(p[2] - t[2]) for p, t in zip(a, b, strict=True)) / 68 / _size(b)
        for a, b in zip(predicted, true, strict=True)
    ]
    np.testing.assert_allclose(metrics.z_error(predicted, true), expected)


def test_depth_error_ignores_a_constant_offset_and_pixels_outside_the_mask():
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
        actual = metrics.depth_error(noisy, true, mask, size)[i]
        assert actual == pytest.approx(expected)


def test_depth_error_is_nan_for_an_empty_mask():
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


def test_mce_is_the_mean_of_the_ratios():
    nme = {("blur", 1): 3.0, ("blur", 2): 4.0, ("dark", 1): 2.0}
    baseline = {("blur", 1): 6.0, ("blur", 2): 16.0, ("dark", 1): 2.0, "clean": 1.0}
    assert metrics.mce(nme, baseline) == pytest.approx(100 * (0.5 + 0.25 + 1) / 3)
    assert math.isnan(metrics.mce({}, baseline))


def test_jitter_of_a_constant_movement_and_of_an_alternating_one(faces):
    still = faces[1][0]
    size = _size(still)
    moving = still + np.arange(6)[:, None, None] * (0.01, 0.02, 0)
    np.testing.assert_allclose(metrics.jitter(moving), 0, atol=1e-9)
    alternating = still + (np.arange(6) % 2)[:, None, None] * (0.01, 0, 0)
    # Landmarks that alternate by 0.01 have second differences of length 0.02.
    assert metrics.jitter(alternating) == pytest.approx(100 * 0.02 / size)
    assert metrics.jitter(alternating, 0.5) == pytest.approx(4.0)


def test_coverage_of_calibrated_gaussian_errors():
    rng = np.random.default_rng(5)
    sigma = rng.uniform(0.01, 0.05, (400, 68))
    true = np.zeros((400, 68, 3))
    predicted = rng.normal(size=true.shape) * sigma[..., None]
    for sigmas in (0.5, 1.0, 2.0):
        expected = 100 * math.erf(sigmas / math.sqrt(2))
        actual = metrics.coverage(predicted, true, sigma, sigmas).mean()
        assert actual == pytest.approx(expected, abs=1.0)


def test_metrics_keep_the_leading_axes(faces):
    predicted, true = (np.stack([x, x]) for x in faces)
    for metric in (metrics.nme_box, metrics.nme_iod, metrics.z_error):
        assert metric(predicted, true).shape == (2, 3)
        np.testing.assert_allclose(
            metric(predicted, true)[1], metric(predicted[1], true[1])
        )


def test_only_landmarks_with_a_label_count(faces):
    predicted, true = faces
    known = np.random.default_rng(6).random((3, 68)) < 0.6
    known[:, [36, 45]] = True
    for i in range(3):
        rows = np.flatnonzero(known[i])
        p, t, size = predicted[i], true[i], _size(true[i])
        distance = _mean_distance(p[rows], t[rows])
        expected = {
            metrics.nme_box: 100 * distance / size,
            metrics.nme_iod: 100 * distance / math.dist(t[36][:2], t[45][:2]),
            metrics.z_error: 100
            * sum(abs(p[k, 2] - t[k, 2]) for k in rows)
            / len(rows)
            / size,
        }
        for metric, value in expected.items():
            assert metric(p, t, known[i]) == pytest.approx(value)
            assert metric(predicted, true, known)[i] == pytest.approx(value)
        shift = [
            100 * sum(t[k, a] - p[k, a] for k in rows) / len(rows) / size
            for a in (0, 1)
        ]
        assert metrics.label_shift(p, t, known[i]) == pytest.approx(shift)
        sigma = np.full(68, 0.015)
        within = [abs(p[k, a] - t[k, a]) <= 0.015 for k in rows for a in (0, 1)]
        share = 100 * sum(within) / len(within)
        assert metrics.coverage(p, t, sigma, known=known[i]) == pytest.approx(share)


def test_errors_without_a_label_are_nan(faces):
    predicted, true = faces
    nothing = np.zeros((3, 68), bool)
    for metric in (metrics.nme_box, metrics.z_error, metrics.label_shift):
        assert np.isnan(metric(predicted, true, nothing)).all()
    no_corner = np.ones((3, 68), bool)
    no_corner[1, 36] = False
    unknown = np.isnan(metrics.nme_iod(predicted, true, no_corner))
    assert unknown.tolist() == [False, True, False]
