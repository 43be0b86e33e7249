"""The computations of the benchmark of quality."""

import types

import numpy as np
import pytest
from scipy import stats

from benchmarks import quality
from benchmarks.degraded_faces import DegradedFace
from ethos_model.footage.measures.quality import ERROR_LIMIT


def make_face(error, value=0.5, sigma=0.02, kind="clean", severity=0, person="A"):
    picture = types.SimpleNamespace(size=80, sharpness=0.05, brightness=120, noise=2)
    measures = types.SimpleNamespace(
        quality=value, picture=picture, pose=types.SimpleNamespace(yaw=0.0)
    )
    return DegradedFace(person, kind, severity, error, sigma, measures)


def calibrated_faces(count=4000):
    """Faces whose error is small with a probability equal to their quality."""
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 1, count)
    errors = np.where(rng.random(count) < values, 1.5, 6.0)
    sigmas = rng.uniform(0.01, 0.05, count)
    return [
        make_face(*row) for row in zip(errors.tolist(), values, sigmas, strict=True)
    ]


def test_rank_correlation_with_equal_values_agrees_with_scipy():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 6, 50), rng.normal(size=50)
    expected = stats.spearmanr(a, b).statistic
    assert quality.spearman(a, b) == pytest.approx(expected)
    np.testing.assert_array_equal(quality.ranks(a) + 1, stats.rankdata(a))


def test_faces_are_divided_by_condition_and_severity():
    kinds = [("clean", 0), ("source", 0), ("trained", 3), ("unseen", 5), ("pair", 4)]
    faces = [make_face(1, kind=kind, severity=s) for kind, s in kinds]
    rows = {name: mask.tolist() for name, mask in quality.slices(faces).items()}
    assert rows["all conditions of the report"] == [True] * 4 + [False]
    assert rows["two degradations at once"] == [False] * 4 + [True]
    assert rows["severity 1 to 3"] == [False, False, True, False, False]
    assert rows["severity 4 and 5"] == [False, False, False, True, False]
    assert rows["trained"] == [False, False, True, False, False]
    assert sum(rows["report and pairs"]) == 5


def test_a_calibrated_quality_equals_the_share_of_small_errors():
    figures, baseline = quality.tables(calibrated_faces())
    for row in ("clean", "report and pairs"):
        assert 0.5 < figures[row]["rank correlation"] < 1
        assert figures[row]["faces"] == 4000
    groups = [cells for name, cells in figures.items() if name.startswith("quality ")]
    assert len(groups) == len(quality.BINS) - 1
    assert sum(cells["faces"] for cells in groups) == 4000
    for cells in groups:
        share = cells[f"share with error up to {ERROR_LIMIT:g} %"]
        assert share == pytest.approx(cells["mean quality"], abs=0.06)
    assert baseline.keys() <= figures.keys()


def test_conditions_without_a_face_are_left_out():
    figures, baseline = quality.tables(calibrated_faces(50))
    assert "clean" in figures
    assert "unseen" not in figures
    assert "unseen" not in baseline


def test_logistic_regression_finds_the_weights_of_simulated_data():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(20_000, 2))
    probability = 1 / (1 + np.exp(-(0.5 + x @ [2.0, -1.0])))
    weights = quality.logistic_regression(x, rng.random(20_000) < probability)
    np.testing.assert_allclose(weights, (0.5, 2, -1), atol=0.08)


def test_log_loss_is_that_of_the_true_probability_and_smaller_with_a_good_feature():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5000, 1))
    probability = 1 / (1 + np.exp(-3 * x[:, 0]))
    good = rng.random(5000) < probability
    people = rng.integers(0, 20, 5000)
    best = -np.log(np.where(good, probability, 1 - probability)).mean()
    assert quality.log_loss(x, good, people) == pytest.approx(best, abs=0.01)
    useless = quality.log_loss(rng.normal(size=(5000, 1)), good, people)
    assert useless == pytest.approx(np.log(2), abs=0.01)


def test_the_calibration_finds_the_constants_of_the_formula():
    rng = np.random.default_rng(4)
    sigma = np.exp(rng.normal(np.log(0.025), 0.4, 20_000))
    probability = 1 / (1 + (sigma / 0.03) ** 5)
    errors = np.where(rng.random(20_000) < probability, 1.0, 6.0)
    faces = [
        make_face(error, sigma=s, person=str(k % 30))
        for k, (error, s) in enumerate(zip(errors.tolist(), sigma, strict=True))
    ]
    lines = quality.calibration(faces)
    assert lines[0] == "20000 faces of 30 people"
    assert float(lines[1].split()[-1]) == pytest.approx(5, rel=0.05)
    assert float(lines[2].split()[-1]) == pytest.approx(0.03, rel=0.03)


def test_the_plot_shows_the_groups_at_their_place():
    picture = quality.plot(calibrated_faces())
    assert picture.shape == (340, 780, 3)
    blue = np.abs(picture.astype(int) - quality._BLUE).sum(axis=-1) < 30
    rows, columns = np.nonzero(blue[40:280, 60:360])
    # Left panel: 300 x 240 pixels for 0 to 1. Share of good faces equals the quality.
    np.testing.assert_allclose(1 - rows / 240, columns / 300, atol=0.12)
    assert np.ptp(columns) > 200
    right = np.nonzero(blue[40:280, 450:750])
    # Errors of 1.5 % and 6 % on an axis up to 10 %.
    assert set(np.unique(((1 - right[0] / 240) * 10).round())) >= {1.0, 2.0, 6.0}
