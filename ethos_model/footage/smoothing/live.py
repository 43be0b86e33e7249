"""Smooths the landmarks of live video with a Kalman filter, without delay."""

from __future__ import annotations

import numpy as np

from ethos_data.topology import face_box, face_size
from ethos_model.footage.smoothing import motion


class LandmarkFilter:
    """Smooths the landmarks of one face from frame to frame.

    Landmarks at rest are smoothed strongly. When the head moves, the filter follows the
    network at once; see `motion.estimate_acceleration`.

    Example:
      smooth = LandmarkFilter()
      landmarks = smooth(face.landmarks, face.uncertainty, frame.timestamp)
    """

    def __init__(self) -> None:
        self._belief: motion.Belief | None = None
        self._time = 0.0

    def __call__(
        self, landmarks: np.ndarray, uncertainty: np.ndarray, timestamp: float
    ) -> np.ndarray:
        """Smooths the next frame.

        Args:
          landmarks: (68, 3), in source pixels; larger z is nearer.
          uncertainty: (68,), standard deviation of x or y, in source pixels.
          timestamp: Time of the frame, in seconds. If it is not later than the last
            one, the filter starts again.

        Returns:
          float64 (68, 3), in source pixels. z is zero at the mean of the eyes.
        """
        landmarks = np.asarray(landmarks, np.float64)
        variance = motion.noise_variance(uncertainty)
        size = float(face_size(face_box(landmarks)))
        if self._belief is None or timestamp <= self._time:
            belief = motion.begin(landmarks, variance, size)
        else:
            matrix, covariance = motion.transition(timestamp - self._time)
            belief = motion.moved(self._belief, matrix)
            acceleration = np.maximum(
                motion.estimate_acceleration(belief, landmarks, variance, covariance),
                motion.MIN_ACCELERATION * size**2,
            )
            belief = motion.accelerated(belief, acceleration, covariance)
            belief = motion.updated(belief, landmarks, variance)
        self._belief, self._time = belief, timestamp
        return belief.landmarks
