import math

import numpy as np

from ethos_model.footage.smoother import OneEuroFilter, OneEuroOptions


def one_euro_scalar(samples, times, min_cutoff, beta, d_cutoff):
    """The filter as published by its authors, for a single number."""
    result, x_hat, dx_hat, last = [], None, 0.0, None
    for x, t in zip(samples, times, strict=True):
        if x_hat is None:
            x_hat = x
        else:
            te = t - last

            def alpha(cutoff, te=te):
                tau = 1 / (2 * math.pi * cutoff)
                return 1 / (1 + tau / te)

            dx = (x - x_hat) / te
            a = alpha(d_cutoff)
            dx_hat = a * dx + (1 - a) * dx_hat
            a = alpha(min_cutoff + beta * abs(dx_hat))
            x_hat = a * x + (1 - a) * x_hat
        last = t
        result.append(x_hat)
    return result


def test_equals_the_published_filter():
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.uniform(0.01, 0.08, 50))
    samples = np.cumsum(rng.normal(0, 2, 50))
    smooth = OneEuroFilter(OneEuroOptions(min_cutoff=1.3, beta=4.0))
    smoothed = [
        smooth(np.array([[x]]), t, scale=1.0)[0, 0]
        for x, t in zip(samples, times, strict=True)
    ]
    expected = one_euro_scalar(samples, times, 1.3, 4.0, 1.0)
    np.testing.assert_allclose(smoothed, expected, rtol=1e-12)


def test_does_not_depend_on_the_size_of_the_face():
    rng = np.random.default_rng(4)
    path = rng.normal(0, 1, (20, 68, 3))
    near, far = OneEuroFilter(), OneEuroFilter()
    for i, points in enumerate(path):
        large = near(8 * points, i / 25, scale=80.0)
        small = far(points, i / 25, scale=10.0)
        np.testing.assert_allclose(large, 8 * small)


def test_reduces_jitter_at_rest_and_hardly_delays_motion():
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.5, (100, 68, 3))
    still = OneEuroFilter()
    out = np.array([still(n, i / 25, 100.0) for i, n in enumerate(noise)])

    def jitter(x):
        return np.abs(np.diff(x, 2, axis=0)).mean()

    assert jitter(out[20:]) < 0.25 * jitter(noise[20:])
    moving = OneEuroFilter()
    for i in range(50):  # three face sizes a second
        last = moving(np.full((68, 3), 12.0 * i), i / 25, 100.0)
    assert 12.0 * 49 - last[0, 0] < 6.0


def test_a_step_back_in_time_starts_again():
    smooth = OneEuroFilter()
    smooth(np.zeros((2, 2)), 1.0, 10.0)
    jumped = smooth(np.full((2, 2), 7.0), 0.5, 10.0)
    np.testing.assert_array_equal(jumped, 7.0)
