"""The motion model of landmarks: what the live filter and the smoother share.

Each landmark has a position and a velocity, which decays. Random accelerations change
them. How large these are is not known in advance: at rest they are close to zero, and
when the head turns, all landmarks accelerate together. They are therefore estimated,
for three parts of the face: the head with its rigid landmarks, the eyes and the mouth.

A measurement is a landmark of the network. The filter uses only `NOISE` times its
stated uncertainty, because most of the network's error is the same in the next frame.
On rendered clips of moving heads, the correlation of the errors of two frames was 0.96
(clean) to 0.77 (motion blur) after 0.04 s, and 0.59 to 0.45 after 2 s (see
`benchmarks/landmark_smoothing.py`). A filter can remove only what differs between
frames.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import topology

NOISE: Final = 0.45
"""Standard deviation of the error that differs between frames, divided by the stated
uncertainty. On rendered clips, 0.4 to 0.5 gave the smallest error of `smooth_track`; at
rest, less than 0.4 leaves more than 0.1 % of jitter in live video."""

SPEED_SECONDS: Final = 0.1
"""Time in which a velocity decays to 37 %, in seconds. Heads turn back: without decay,
the jitter at rest doubles and the error is the same."""

START_SPEED: Final = 0.5
"""Standard deviation of the velocity in the first frame, in face sizes per second."""

MIN_ACCELERATION: Final = 1e-3
"""Spectral density of the acceleration of a face at rest, in face sizes**2 / s**3."""


def _parts() -> np.ndarray:
    part = np.zeros(topology.NUM_LANDMARKS, np.intp)
    part[topology.EYES] = 1
    for name in ("outer_lip", "inner_lip"):
        part[topology.GROUPS[name]] = 2
    return part


PART: Final = _parts()
"""Part of each landmark, (68,): 0 for the head, 1 for the eyes, 2 for the mouth."""

_COUNT: Final = np.bincount(PART)
"""Number of landmarks of each part, (3,)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Belief:
    """What is known about the landmarks at one time.

    Attributes:
      mean: float64 (68, 2, 3). Positions, in source pixels, and velocities, in source
        pixels per second, of x, y and z.
      covariance: float64 (68, 2, 2). Covariance of position and velocity, equal for x,
        y and z.
    """

    mean: np.ndarray
    covariance: np.ndarray

    @property
    def landmarks(self) -> np.ndarray:
        """float64 (68, 3), in source pixels. z is zero at the mean of the eyes."""
        landmarks = self.mean[:, 0].copy()
        landmarks[:, 2] -= landmarks[topology.EYES, 2].mean()
        return landmarks


def noise_variance(uncertainty: np.ndarray) -> np.ndarray:
    """Returns the variance of the error that differs between frames.

    Args:
      uncertainty: (..., 68), stated standard deviations, in source pixels.

    Returns:
      float64 (..., 68), above 0.
    """
    return np.maximum(NOISE * np.asarray(uncertainty, np.float64), 1e-6) ** 2


def begin(landmarks: np.ndarray, variance: np.ndarray, size: float) -> Belief:
    """Returns the belief after the first frame.

    Args:
      landmarks: (68, 3), in source pixels.
      variance: (68,), variance of the landmarks, in source pixels**2.
      size: Face size, in source pixels.
    """
    mean = np.zeros((topology.NUM_LANDMARKS, 2, 3))
    mean[:, 0] = landmarks
    covariance = np.zeros((topology.NUM_LANDMARKS, 2, 2))
    covariance[:, 0, 0] = variance
    covariance[:, 1, 1] = (START_SPEED * size) ** 2
    return Belief(mean, covariance)


def transition(seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns how position and velocity change within a time (above 0).

    The velocity is an Ornstein-Uhlenbeck process, and the position is its integral.

    Returns:
      The matrix (2, 2) by which the state is multiplied, and the covariance (2, 2) that
      accelerations of spectral density 1 add.
    """
    tau = SPEED_SECONDS
    decay = np.exp(-seconds / tau)
    rest = -np.expm1(-seconds / tau)
    velocity = tau / 2 * (1 - decay**2)
    both = tau**2 / 2 * rest**2
    position = tau**2 * (seconds - 2 * tau * rest + velocity)
    matrix = np.array([[1.0, tau * rest], [0.0, decay]])
    return matrix, np.array([[position, both], [both, velocity]])


def moved(belief: Belief, matrix: np.ndarray) -> Belief:
    """Returns the belief about a later time, without accelerations."""
    return Belief(matrix @ belief.mean, matrix @ belief.covariance @ matrix.T)


def accelerated(
    belief: Belief, acceleration: np.ndarray, covariance: np.ndarray
) -> Belief:
    """Returns the belief with the uncertainty of the accelerations.

    Args:
      belief: Result of `moved`.
      acceleration: (3,), spectral density of the acceleration of each part, in source
        pixels**2 / s**3.
      covariance: Second result of `transition`.
    """
    added = acceleration[PART, None, None] * covariance
    return Belief(belief.mean, belief.covariance + added)


def estimate_acceleration(
    belief: Belief, landmarks: np.ndarray, variance: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Estimates the accelerations from a single frame.

    The landmarks differ from the expected ones because of the noise and because of the
    acceleration. The mean square over the landmarks of a part shows how large the
    second cause is. This is the positive-part estimator of James and Stein (1961): the
    filter trusts its expectation only as far as the frame agrees with it.

    Args:
      belief: Result of `moved`.
      landmarks: (68, 3), in source pixels.
      variance: (68,), in source pixels**2.
      covariance: Second result of `transition`.

    Returns:
      float64 (3,), spectral density for each part, at least 0, in source pixels**2 /
      s**3.
    """
    difference = landmarks[:, :2] - belief.mean[:, 0, :2]
    expected = belief.covariance[:, 0, 0] + variance
    excess = part_mean((difference**2).mean(axis=1) - expected)
    return np.maximum(excess, 0) / covariance[0, 0]


def part_mean(values: np.ndarray) -> np.ndarray:
    """Returns the means (3,) over the landmarks of each part, of values (68,)."""
    return np.bincount(PART, values) / _COUNT


def updated(belief: Belief, landmarks: np.ndarray, variance: np.ndarray) -> Belief:
    """Returns the belief after a measurement (Kalman, 1960).

    Args:
      belief: Result of `accelerated`.
      landmarks: (68, 3), in source pixels.
      variance: (68,), in source pixels**2.
    """
    total = belief.covariance[:, 0, 0] + variance
    gain = belief.covariance[:, :, 0] / total[:, None]
    difference = landmarks - belief.mean[:, 0]
    mean = belief.mean + gain[:, :, None] * difference[:, None]
    covariance = belief.covariance - gain[:, :, None] * belief.covariance[:, None, 0]
    return Belief(mean, covariance)
