"""Smooths estimates over time where they are noisier than the motion.

Each series of numbers is a smooth motion plus noise. The smooth series minimises

    sum of (smooth - series)**2 + ratio * sum of (second difference of smooth)**2

(Whittaker, 1923). This uses past and future frames, so it causes no delay. The ratio is
the variance of the noise divided by that of the second differences of the motion, and
both are estimated from the series itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_data.compilation import compiled

MIN_FRAMES: Final = 12
"""Shorter series are not changed, because they do not show how large the noise is."""

MAX_RATIO: Final = 10.0
"""Largest ratio. It averages over about 5 frames.

A larger ratio hardly reduced the jitter of rendered clips, and it damped fast
expressions."""


def smooth(series: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Smooths series of numbers.

    The second differences of white noise of variance v have the variance 6 v, and their
    covariance with the next one is -4 v. So the covariance shows the noise. Fast motion
    can look like noise. Therefore the noise is at most the variance of the errors.

    Example:
      angles = smooth(angles, variances)

    Args:
      series: float64 (T, C), C series.
      variances: float64 (T, C), variances of the errors of the series.

    Returns:
      float64 (T, C).
    """
    result = np.array(series.T, np.float64, order="C")
    if len(series) < MIN_FRAMES:
        return result.T
    bends = np.diff(result, 2, axis=1)
    noise = -(bends[:, 1:] * bends[:, :-1]).mean(axis=1) / 4
    noise = np.clip(noise, 0, variances.mean(axis=0))
    motion = (bends**2).mean(axis=1) - 6 * noise
    for values, noise_variance, bend in zip(result, noise, motion, strict=True):
        if noise_variance > 0:
            _whittaker(values, noise_variance / max(bend, noise_variance / MAX_RATIO))
    return result.T


@compiled
def _whittaker(values, ratio):  # pragma: no cover (compiled)
    """Smooths a series (T,) in place, T >= 4.

    The matrix of the normal equations, I + ratio * D.T @ D with the second differences
    D, has five diagonals. It is factorized into L @ diag(pivots) @ L.T.
    """
    count = len(values)
    pivots = np.empty(count)
    first, second = np.zeros(count), np.zeros(count)  # L[i + 1, i] and L[i + 2, i]
    for i in range(count):
        # The row of D.T @ D from the diagonal on. It differs at both ends.
        diagonal, next_to_it, after_next = 6.0, -4.0, 1.0
        if i == 0 or i == count - 1:
            diagonal = 1.0
        elif i == 1 or i == count - 2:
            diagonal = 5.0
        if i == 0 or i == count - 2:
            next_to_it = -2.0
        pivot, below = 1 + ratio * diagonal, ratio * next_to_it
        if i > 0:
            pivot -= pivots[i - 1] * first[i - 1] ** 2
            below -= pivots[i - 1] * first[i - 1] * second[i - 1]
        if i > 1:
            pivot -= pivots[i - 2] * second[i - 2] ** 2
        pivots[i] = pivot
        if i < count - 1:
            first[i] = below / pivot
        if i < count - 2:
            second[i] = ratio * after_next / pivot
    for i in range(count):
        if i > 0:
            values[i] -= first[i - 1] * values[i - 1]
        if i > 1:
            values[i] -= second[i - 2] * values[i - 2]
    for i in range(count):
        values[i] /= pivots[i]
    for i in range(count - 1, -1, -1):
        if i < count - 1:
            values[i] -= first[i] * values[i + 1]
        if i < count - 2:
            values[i] -= second[i] * values[i + 2]
