"""Confidence intervals by bootstrap over people, not over frames.

Frames of one person are alike: a model that fails on one face fails on all its frames.
Drawing frames would call the mean far more certain than it is, so people are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

RESAMPLES: Final = 2000
"""Draws; the ends of a 95 % interval then rest on 50 draws each."""


def mean_interval(
    values: np.ndarray,
    people: Sequence[str] | np.ndarray,
    *,
    over: np.ndarray | None = None,
    confidence: float = 95.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the mean of `values` when people are drawn anew.

    Of a ratio of two means if `over` is given: both are of the same draw, so that what
    makes a person hard in both does not count.

    Args:
      values: (N,), one number a frame; NaN is left out.
      people: (N,), whose frame it is.
      over: (N,), of the same frames, by whose mean that of `values` is divided.
      confidence: %.
      resamples: number of draws of as many people as there are.
      seed: the same seed gives the same interval.

    Returns:
      The lower and upper end, in the unit of `values`, or as a ratio; NaN if fewer than
      two people have a value, because then nothing can be said.
    """
    values = np.asarray(values, np.float64)
    below = np.ones_like(values) if over is None else np.asarray(over, np.float64)
    known = np.isfinite(values) & np.isfinite(below)
    names, person = np.unique(np.asarray(people)[known], return_inverse=True)
    if len(names) < 2:
        return float("nan"), float("nan")
    total = np.bincount(person, values[known])
    divisor = np.bincount(person, below[known])
    rng = np.random.default_rng(seed)
    # How often each person is drawn, instead of the list of those drawn: one matrix
    # product gives the means.
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    means = drawn @ total / (drawn @ divisor)
    low, high = np.percentile(means, [50 - confidence / 2, 50 + confidence / 2])
    return float(low), float(high)
