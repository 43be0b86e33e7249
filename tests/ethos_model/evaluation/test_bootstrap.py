"""Compares the bootstrap over people with theory and with an explicit loop."""

import numpy as np
import pytest

from ethos_model.evaluation.bootstrap import mean_interval


def test_interval_agrees_with_the_standard_error_of_cluster_means():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(60), 10)
    person_mean = rng.normal(5, 1, 60)
    values = person_mean[people] + rng.normal(0, 0.1, 600)
    low, high = mean_interval(values, people)
    # The clusters have equal sizes, so the standard error is that of their means.
    means = values.reshape(60, 10).mean(1)
    half = 1.96 * means.std(ddof=1) / np.sqrt(60)
    assert low == pytest.approx(means.mean() - half, abs=0.05)
    assert high == pytest.approx(means.mean() + half, abs=0.05)


def test_interval_agrees_with_an_explicit_resampling_loop():
    rng = np.random.default_rng(1)
    people = np.array(["a"] * 3 + ["b"] * 1 + ["c"] * 6 + ["d"] * 2)
    values = rng.normal(size=12)
    drawn = []
    for _ in range(5000):
        names = rng.choice(list("abcd"), 4)
        drawn.append(np.concatenate([values[people == name] for name in names]).mean())
    expected = np.percentile(drawn, [2.5, 97.5])
    np.testing.assert_allclose(mean_interval(values, people), expected, atol=0.1)


def test_both_means_of_a_ratio_use_the_same_people():
    rng = np.random.default_rng(2)
    people = np.array(["a"] * 3 + ["b"] * 1 + ["c"] * 6 + ["d"] * 2)
    denominator = rng.uniform(1, 5, 12)
    values = denominator * rng.uniform(1.1, 1.2, 12)
    drawn = []
    for _ in range(5000):
        names = rng.choice(list("abcd"), 4)
        rows = np.concatenate([np.flatnonzero(people == name) for name in names])
        drawn.append(values[rows].mean() / denominator[rows].mean())
    low, high = mean_interval(values, people, over=denominator)
    np.testing.assert_allclose(
        (low, high), np.percentile(drawn, [2.5, 97.5]), atol=0.005
    )
    # The interval of one mean is much wider than that of the ratio.
    single = mean_interval(values, people)
    assert high / low < 1.1 < 1.3 < single[1] / single[0]


def test_interval_of_a_single_person_is_nan():
    assert np.isnan(mean_interval(np.arange(5.0), ["a"] * 5)).all()
    unknown = np.array([1.0, np.nan])
    assert np.isnan(mean_interval(unknown, ["a", "b"])).all()


def test_interval_is_deterministic():
    values, people = np.arange(20.0), np.arange(20) // 4
    assert mean_interval(values, people) == mean_interval(values, people)
