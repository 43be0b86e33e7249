import numpy as np
import pytest
from scipy.linalg import expm

from ethos_model.footage.smoothing import motion
from tests.ethos_model.footage.smoothing import tracks


@pytest.mark.parametrize("seconds", [0.002, 0.04, 0.3, 0.8])
def test_the_transition_is_the_solution_of_the_differential_equation(seconds):
    # Van Loan (1978): covariance of a linear system from one matrix exponential.
    drift = np.array([[0, 1], [0, -1 / motion.SPEED_SECONDS]])
    noise = np.diag([0.0, 1.0])
    block = np.block([[-drift, noise], [np.zeros((2, 2)), drift.T]]) * seconds
    exponential = expm(block)
    matrix, covariance = motion.transition(seconds)
    expected = exponential[2:, 2:].T
    np.testing.assert_allclose(matrix, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(covariance, expected @ exponential[:2, 2:], rtol=1e-5)


def test_the_acceleration_is_recovered_from_many_frames():
    rng = np.random.default_rng(0)
    matrix, covariance = motion.transition(0.04)
    variance = np.full(68, 0.5)
    belief = motion.moved(motion.begin(tracks.face(), variance, 100.0), matrix)
    true = np.array([2e7, 5e6, 0.0])[motion.PART]
    spread = np.sqrt(belief.covariance[:, 0, 0] + variance + true * covariance[0, 0])
    estimates = [
        motion.estimate_acceleration(
            belief,
            belief.mean[:, 0] + spread[:, None] * rng.normal(size=(68, 3)),
            variance,
            covariance,
        )
        for _ in range(300)
    ]
    mean = np.mean(estimates, axis=0)
    np.testing.assert_allclose(mean[:2], [2e7, 5e6], rtol=0.1)
    assert mean[2] < 0.2 * mean[1]


def test_a_measurement_counts_by_its_variance():
    belief = motion.begin(np.zeros((68, 3)), np.full(68, 4.0), 100.0)
    variance = np.full(68, 4.0)
    variance[0], variance[1] = 1e12, 1e-12
    landmarks = motion.updated(belief, np.full((68, 3), 6.0), variance).mean[:, 0]
    np.testing.assert_allclose(landmarks[0], 0, atol=1e-6)
    np.testing.assert_allclose(landmarks[1], 6, atol=1e-6)
    np.testing.assert_allclose(landmarks[2:], 3)  # both count the same
