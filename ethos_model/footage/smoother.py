"""The One Euro filter (Casiez, Roussel and Vogel, CHI 2012) for landmarks.

A low pass whose cutoff rises with speed: a face at rest stands still, a face that moves
does not lag.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class OneEuroOptions:
    """How much to smooth.

    Attributes:
      min_cutoff: Hz, of points at rest. Lower is calmer.
      beta: Hz of cutoff for each face size a second of speed. Higher lags less.
      derivative_cutoff: Hz, of the speed's own low pass (1 in the paper).
    """

    min_cutoff: float = 0.4
    beta: float = 8.0
    derivative_cutoff: float = 1.0


def smoothing_factor(seconds: float, cutoff: np.ndarray | float) -> np.ndarray:
    """Weight of a new sample in an exponential low pass. Casiez et al., appendix."""
    r = 2 * math.pi * np.asarray(cutoff) * seconds
    return r / (r + 1)


class OneEuroFilter:
    """Smooths an array of points over time; one filter follows one face."""

    def __init__(self, options: OneEuroOptions | None = None) -> None:
        self._options = options or OneEuroOptions()
        self._time: float | None = None
        self._value = np.zeros(0)
        self._speed = np.zeros(0)

    def __call__(
        self, points: np.ndarray, timestamp: float, scale: float
    ) -> np.ndarray:
        """Takes the next sample.

        Args:
          points: (N, D) positions, source pixels.
          timestamp: seconds. A sample that is not later than the last one starts anew.
          scale: face size in the unit of the points: speed is measured in it, so that
            one setting suits near and far faces.

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
        # One cutoff for a point, from the length of its speed, so that a straight path
        # stays straight.
        speed_length = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        cutoff = options.min_cutoff + options.beta * speed_length / max(scale, 1e-6)
        a = smoothing_factor(seconds, cutoff)
        self._time = timestamp
        self._value = a * points + (1 - a) * self._value
        return self._value
