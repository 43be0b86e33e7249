"""Smooths landmarks with the One Euro filter (Casiez, Roussel and Vogel, CHI 2012).

The filter is a low-pass filter whose cutoff frequency rises with the speed. Landmarks
at rest are smoothed strongly, and moving landmarks have little delay.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class OneEuroOptions:
    """Settings of the filter.

    Attributes:
      min_cutoff: Cutoff frequency at rest, in Hz. A lower value smooths more.
      beta: Increase of the cutoff frequency with the speed, in Hz per face size per
        second. A higher value reduces the delay.
      derivative_cutoff: Cutoff frequency of the filter of the speed, in Hz. The paper
        uses 1.
    """

    min_cutoff: float = 0.4
    beta: float = 8.0
    derivative_cutoff: float = 1.0


def smoothing_factor(seconds: float, cutoff: np.ndarray | float) -> np.ndarray:
    """Weight of a new sample in an exponential low-pass filter (see the paper).

    Args:
      seconds: Time since the last sample.
      cutoff: Cutoff frequency in Hz.
    """
    r = 2 * math.pi * np.asarray(cutoff) * seconds
    return r / (r + 1)


class OneEuroFilter:
    """Smooths the landmarks of one face over time.

    Example:
      smooth = OneEuroFilter()
      landmarks = smooth(landmarks, timestamp, face_size)
    """

    def __init__(self, options: OneEuroOptions | None = None) -> None:
        self._options = options or OneEuroOptions()
        self._time: float | None = None
        self._value = np.zeros(0)
        self._speed = np.zeros(0)

    def __call__(
        self, points: np.ndarray, timestamp: float, scale: float
    ) -> np.ndarray:
        """Smooths the next sample.

        Args:
          points: (N, D), positions in source pixels.
          timestamp: Time in seconds. If it is not later than the last one, the filter
            starts again.
          scale: Face size in source pixels. Speeds are relative to it, so that the same
            settings suit large and small faces.

        Returns:
          float64 (N, D), the smoothed positions.
        """
        points = np.asarray(points, np.float64)
        if self._time is None or timestamp <= self._time:
            self._time, self._value = timestamp, points
            self._speed = np.zeros_like(points)
            return points
        options = self._options
        seconds = timestamp - self._time
        speed = (points - self._value) / seconds
        a = smoothing_factor(seconds, options.derivative_cutoff)
        self._speed = a * speed + (1 - a) * self._speed
        # All coordinates of a point have the same cutoff, which follows from the length
        # of its velocity. A straight path then stays straight.
        speed_length = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        cutoff = options.min_cutoff + options.beta * speed_length / max(scale, 1e-6)
        a = smoothing_factor(seconds, cutoff)
        self._time = timestamp
        self._value = a * points + (1 - a) * self._value
        return self._value
