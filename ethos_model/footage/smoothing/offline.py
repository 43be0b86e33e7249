"""Smooths the landmarks of a whole track with past and future frames.

This is the smoother of Rauch, Tung and Striebel (1965). The accelerations of each part
of the face are estimated from the track itself with the EM algorithm (Shumway and
Stoffer, 1982), as a mean over half a second.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_model.footage.smoothing import motion
from ethos_model.footage.smoothing.motion import Belief

ROUNDS: Final = 3
"""Number of times that the accelerations are estimated."""

HALF_WINDOW: Final = 0.25
"""Accelerations are the mean from this time before a frame to this time after it, in
seconds."""

OUTLIER: Final = 3.0
"""How far a frame is from its two neighbours if it is an outlier: this many times half
the distance between the neighbours, and this many times the stated uncertainty. None of
16,860 frames of degraded rendered clips was."""

BLOCK: Final = 1000
"""Number of frames that are smoothed together. It limits the memory to 20 MB."""

OVERLAP: Final = 100
"""Number of frames before and after a block that are taken into account."""


def smooth_track(
    timestamps: np.ndarray, landmarks: np.ndarray, uncertainty: np.ndarray
) -> np.ndarray:
    """Smooths the landmarks of one face.

    Frames in which the face was not found are left out. The frames may have any
    distance in time. A single frame far from both neighbours counts little.

    Example:
      from ethos_model.footage import smooth_track

      smoothed = smooth_track(timestamps, landmarks, uncertainty)

    Args:
      timestamps: (T,), seconds, increasing.
      landmarks: (T, 68, 3), in source pixels; larger z is nearer. They must not have
        been smoothed before.
      uncertainty: (T, 68), standard deviation of x or y, in source pixels.

    Returns:
      float64 (T, 68, 3), in source pixels. z is zero at the mean of the eyes.

    Raises:
      ValueError: A shape is wrong, a value is not finite, or the timestamps do not
        increase.
    """
    timestamps = np.asarray(timestamps, np.float64)
    landmarks = np.asarray(landmarks, np.float64)
    uncertainty = np.asarray(uncertainty, np.float64)
    _check(timestamps, landmarks, uncertainty)
    result = np.empty_like(landmarks)
    for start in range(0, len(timestamps), BLOCK):
        first = max(start - OVERLAP, 0)
        frames = slice(first, start + BLOCK + OVERLAP)
        smoothed = _smooth_block(
            timestamps[frames], landmarks[frames], uncertainty[frames]
        )
        result[start : start + BLOCK] = smoothed[start - first :][:BLOCK]
    return result


def _check(
    timestamps: np.ndarray, landmarks: np.ndarray, uncertainty: np.ndarray
) -> None:
    count, points = len(timestamps), topology.NUM_LANDMARKS
    shapes = (timestamps.shape, landmarks.shape, uncertainty.shape)
    if shapes != ((count,), (count, points, 3), (count, points)):
        raise ValueError(
            "timestamps, landmarks and uncertainty must be (T,), (T, 68, 3) and "
            f"(T, 68). Received: {shapes}"
        )
    for values in (timestamps, landmarks, uncertainty):
        if not np.isfinite(values).all():
            raise ValueError("timestamps, landmarks and uncertainty must be finite.")
    if not (np.diff(timestamps) > 0).all():
        raise ValueError("timestamps must increase.")


def _smooth_block(
    times: np.ndarray, landmarks: np.ndarray, uncertainty: np.ndarray
) -> np.ndarray:
    if len(times) == 1:
        return landmarks
    sizes = topology.face_size(topology.face_box(landmarks))
    size = max(float(np.median(sizes)), 1e-6)
    variance = motion.noise_variance(uncertainty)
    variance += _outlier_variance(times, landmarks, uncertainty)[:, None]
    least = motion.MIN_ACCELERATION * size**2
    track = Measurements(times, landmarks, variance, size)
    accelerations = None
    for _ in range(ROUNDS):
        beliefs, estimates = smooth(track, accelerations)
        accelerations = np.maximum(_moving_mean(times[1:], estimates), least)
    beliefs, _ = smooth(track, accelerations)
    return np.stack([belief.landmarks for belief in beliefs])


def _outlier_variance(
    times: np.ndarray, landmarks: np.ndarray, uncertainty: np.ndarray
) -> np.ndarray:
    """Returns the additional variance (T,) of single frames that are far off."""
    before, here, after = (landmarks[k : len(times) - 2 + k, :, :2] for k in range(3))
    share = (times[1:-1] - times[:-2]) / (times[2:] - times[:-2])
    line = before + share[:, None, None] * (after - before)

    def length(vectors: np.ndarray) -> np.ndarray:
        return np.sqrt((vectors**2).sum(axis=-1).mean(axis=-1))

    usual = np.maximum(length((after - before) / 2), uncertainty[1:-1].mean(axis=1))
    distance = length(here - line)
    is_outlier = distance > OUTLIER * usual
    return np.pad(np.where(is_outlier, distance**2, 0.0), 1)[: len(times)]


def _moving_mean(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns means over `HALF_WINDOW` before and after each time, (N, 3)."""
    sums = np.pad(np.cumsum(values, axis=0), ((1, 0), (0, 0)))
    first = np.searchsorted(times, times - HALF_WINDOW, "left")
    last = np.searchsorted(times, times + HALF_WINDOW, "right")
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None])


@dataclasses.dataclass(frozen=True, eq=False)
class Measurements:
    """The measurements of one face.

    Attributes:
      times: (T,), seconds.
      landmarks: (T, 68, 3), in source pixels.
      variance: (T, 68), variance of x, y or z, in source pixels**2.
      size: Face size, in source pixels.
    """

    times: np.ndarray
    landmarks: np.ndarray
    variance: np.ndarray
    size: float


def smooth(
    track: Measurements, accelerations: np.ndarray | None
) -> tuple[list[Belief], np.ndarray]:
    """Filters a track forwards and smooths it backwards.

    Args:
      track: The measurements.
      accelerations: (T - 1, 3), spectral densities before each frame but the first, in
        source pixels**2 / s**3. None estimates each of them from its frame.

    Returns:
      The beliefs about each frame given all frames, and new estimates of the
      accelerations, (T - 1, 3).
    """
    steps = [motion.transition(float(seconds)) for seconds in np.diff(track.times)]
    filtered, expected = _forwards(track, steps, accelerations)
    beliefs = [filtered[-1]]
    estimates = np.empty((len(steps), 3))
    for k in reversed(range(len(steps))):
        belief, estimates[k] = _backwards(
            filtered[k], expected[k], beliefs[-1], *steps[k]
        )
        beliefs.append(belief)
    return beliefs[::-1], estimates


def _forwards(
    track: Measurements,
    steps: list[tuple[np.ndarray, np.ndarray]],
    accelerations: np.ndarray | None,
) -> tuple[list[Belief], list[Belief]]:
    """Returns the beliefs after each frame, and before each frame but the first."""
    filtered = [motion.begin(track.landmarks[0], track.variance[0], track.size)]
    expected = []
    least = motion.MIN_ACCELERATION * track.size**2
    for k, (matrix, covariance) in enumerate(steps):
        landmarks, variance = track.landmarks[k + 1], track.variance[k + 1]
        belief = motion.moved(filtered[-1], matrix)
        if accelerations is None:
            acceleration = np.maximum(
                motion.estimate_acceleration(belief, landmarks, variance, covariance),
                least,
            )
        else:
            acceleration = accelerations[k]
        expected.append(motion.accelerated(belief, acceleration, covariance))
        filtered.append(motion.updated(expected[-1], landmarks, variance))
    return filtered, expected


def _backwards(
    filtered: Belief,
    expected: Belief,
    later: Belief,
    matrix: np.ndarray,
    covariance: np.ndarray,
) -> tuple[Belief, np.ndarray]:
    """Improves the belief about a frame with the belief about the frame after it.

    Args:
      filtered: The belief about the frame, given the frames up to it.
      expected: The belief about the next frame, given the same frames.
      later: The belief about the next frame, given all frames.
      matrix: First result of `motion.transition` between both frames.
      covariance: Its second result.

    Returns:
      The belief about the frame, given all frames, and the expected spectral density of
      the accelerations (3,) between both frames.
    """
    gain = filtered.covariance @ matrix.T @ np.linalg.inv(expected.covariance)
    gain_t = gain.transpose(0, 2, 1)
    belief = Belief(
        filtered.mean + gain @ (later.mean - expected.mean),
        filtered.covariance + gain @ (later.covariance - expected.covariance) @ gain_t,
    )
    change = (later.mean - matrix @ belief.mean)[..., :2]
    shared = matrix @ gain @ later.covariance
    square = (
        change @ change.transpose(0, 2, 1) / 2
        + later.covariance
        + matrix @ belief.covariance @ matrix.T
        - shared
        - shared.transpose(0, 2, 1)
    )
    weights = np.linalg.inv(covariance)
    return belief, motion.part_mean((square * weights).sum(axis=(1, 2)) / 2)
