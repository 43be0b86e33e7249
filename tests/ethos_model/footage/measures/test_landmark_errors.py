"""Errors that the landmarks of a face have in common."""

import numpy as np
import pytest

from benchmarks import learn_landmark_errors, rendered_faces
from ethos_data.topology import MIRROR
from ethos_model.footage.measures import fitting, landmark_errors, pose
from tests.ethos_model.footage.measures.synthetic import SIGMA, look


def covariance(errors):
    """Covariance (136, 136) that a distribution of errors states."""
    rows = errors.patterns.reshape(len(errors.patterns), -1)
    return rows.T @ rows + np.diag(errors.independent.ravel() ** 2)


def mirrored(values):
    """Values (..., 2, 68) of the mirror image of a face."""
    return values[..., MIRROR] * np.array([[-1.0], [1.0]])


@pytest.fixture(scope="module")
def sampled():
    """Errors (N, 2, 68) of a known distribution that prefers neither side."""
    rng = np.random.default_rng(0)
    half = rng.normal(0, 0.3, (2, 2, 68))
    patterns = np.concatenate([half, mirrored(half)])
    errors = np.tensordot(rng.standard_normal((40_000, 4)), patterns, 1)
    errors += 0.8 * rng.standard_normal(errors.shape)
    return errors, landmark_errors.LandmarkErrors(patterns, np.full((2, 68), 0.8))


def test_learns_the_distribution_that_the_errors_come_from(sampled):
    errors, true = sampled
    learned = landmark_errors.learn(errors, 4)
    np.testing.assert_allclose(covariance(learned), covariance(true), atol=0.06)


def test_the_variance_does_not_depend_on_the_number_of_patterns(sampled):
    errors, _ = sampled
    few, many = (np.diag(covariance(landmark_errors.learn(errors, n))) for n in (1, 9))
    np.testing.assert_allclose(few, many)


def test_a_face_and_its_mirror_image_have_the_same_errors(sampled):
    errors = sampled[0][:50]
    learned, other = (landmark_errors.learn(e) for e in (errors, mirrored(errors)))
    np.testing.assert_allclose(covariance(learned), covariance(other), atol=1e-9)


def test_the_patterns_of_the_network_explain_most_of_its_errors():
    errors = landmark_errors.load()
    assert errors.patterns.shape == (landmark_errors.NUM_PATTERNS, 2, 68)
    variance = np.diag(covariance(errors))
    assert 0.5 < variance.min() < np.median(variance) < 2
    # Most of the error is common, or the patterns would be useless.
    assert (errors.independent**2).sum() < 0.4 * variance.sum()


def test_a_common_error_turns_the_head_less_than_without_the_patterns(monkeypatch):
    landmarks, sigma = look(20, 5, 0), 4 * SIGMA
    exact = pose.angles_of(fitting.fit(landmarks, sigma).rotation)
    shift = np.tensordot([2.0, -2.0, 2.0], landmark_errors.load().patterns[:3], 1)
    wrong = landmarks.copy()
    wrong[:, :2] += (sigma * shift).T * (1, -1)
    found = pose.angles_of(fitting.fit(wrong, sigma).rotation)
    none = landmark_errors.LandmarkErrors(np.zeros((0, 2, 68)), np.ones((2, 68)))
    monkeypatch.setattr(landmark_errors, "load", lambda: none)
    without = pose.angles_of(fitting.fit(wrong, sigma).rotation)
    assert np.abs(np.subtract(found, exact)).max() < 0.9 * (
        np.abs(np.subtract(without, exact)).max()
    )


def test_the_command_learns_from_rendered_people(tmp_path, monkeypatch):
    monkeypatch.setattr(rendered_faces, "FRAMES", 1)
    path = tmp_path / "errors.npz"
    flags = ["--num_people=2", f"--output={path}"]
    assert learn_landmark_errors.main(flags) == 0
    with np.load(path, allow_pickle=False) as data:
        shapes = {name: data[name].shape for name in data.files}
    assert shapes == {"patterns": (16, 2, 68), "independent": (2, 68)}
