"""The bootstrap over people against theory and a plain loop."""

import numpy as np
import pytest

from ethos_model.evaluation.bootstrap import mean_interval


def test_agrees_with_the_normal_theory_of_cluster_means():
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(60), 10)
    person_mean = rng.normal(5, 1, 60)
    values = person_mean[people] + rng.normal(0, 0.1, 600)
    low, high = mean_interval(values, people)
    # Equal clusters: the standard error is that of the 60 cluster means.
    means = values.reshape(60, 10).mean(1)
    half = 1.96 * means.std(ddof=1) / np.sqrt(60)
    assert low == pytest.approx(means.mean() - half, abs=0.05)
    assert high == pytest.approx(means.mean() + half, abs=0.05)


def test_agrees_with_drawing_people_one_by_one():
    rng = np.random.default_rng(1)
    people = np.array(["a"] * 3 + ["b"] * 1 + ["c"] * 6 + ["d"] * 2)
    values = rng.normal(size=12)
    drawn = []
    for _ in range(5000):
        names = rng.choice(list("abcd"), 4)
        drawn.append(np.concatenate([values[people == name] for name in names]).mean())
    expected = np.percentile(drawn, [2.5, 97.5])
    np.testing.assert_allclose(mean_interval(values, people), expected, atol=0.1)


def test_a_ratio_is_of_the_same_people():
    rng = np.random.default_rng(2)
    people = np.array(["a"] * 3 + ["b"] * 1 + ["c"] * 6 + ["d"] * 2)
    below = rng.uniform(1, 5, 12)
    values = below * rng.uniform(1.1, 1.2, 12)
    drawn = []
    for _ in range(5000):
        names = rng.choice(list("abcd"), 4)
        at = np.concatenate([np.flatnonzero(people == name) for name in names])
        drawn.append(values[at].mean() / below[at].mean())
    low, high = mean_interval(values, people, over=below)
    np.testing.assert_allclose(
        (low, high), np.percentile(drawn, [2.5, 97.5]), atol=0.005
    )
    # Each alone is far less certain than their ratio.
    alone = mean_interval(values, people)
    assert high / low < 1.1 < 1.3 < alone[1] / alone[0]


def test_one_person_says_nothing():
    assert np.isnan(mean_interval(np.arange(5.0), ["a"] * 5)).all()
    unknown = np.array([1.0, np.nan])
    assert np.isnan(mean_interval(unknown, ["a", "b"])).all()


def test_repeats_itself():
    values, people = np.arange(20.0), np.arange(20) // 4
    assert mean_interval(values, people) == mean_interval(values, people)
