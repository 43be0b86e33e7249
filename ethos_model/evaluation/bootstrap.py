"""Confidence intervals by bootstrap over people instead of frames.

Frames of one person are similar: a model that fails on a person fails on most of that
person's frames. Resampling frames would give intervals that are far too narrow, so
people are resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

RESAMPLES: Final = 2000
"""Number of resamples. Each end of a 95 % interval then depends on 50 resamples."""


def mean_interval(
    values: np.ndarray,
    people: Sequence[str] | np.ndarray,
    *,
    over: np.ndarray | None = None,
    confidence: float = 95.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the mean of `values` under resampling of people.

    With `over`, the interval is that of the ratio of two means. Both means use the same
    people, so a person who is difficult in both does not widen the interval.

    Example:
      low, high = mean_interval(errors, person_ids)    # 95 % interval of the mean

    Args:
      values: (N,), one value per frame. NaN values are left out.
      people: (N,), person shown in each frame.
      over: (N,), values of the same frames whose mean is the denominator.
      confidence: Confidence level in %.
      resamples: Number of resamples, each with as many people as there are.
      seed: Random seed. The same seed gives the same interval.

    Returns:
      The lower and the upper end, in the unit of `values` or as a ratio. Both are NaN
      if fewer than two people have a value.
    """
    values = np.asarray(values, np.float64)
    denominator = np.ones_like(values) if over is None else np.asarray(over, np.float64)
    known = np.isfinite(values) & np.isfinite(denominator)
    names, person = np.unique(np.asarray(people)[known], return_inverse=True)
    if len(names) < 2:
        return float("nan"), float("nan")
    sums = np.bincount(person, values[known])
    denominator_sums = np.bincount(person, denominator[known])
    rng = np.random.default_rng(seed)
    # How often each person is drawn, instead of a list of the people drawn. The means
    # are then one matrix product.
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    means = drawn @ sums / (drawn @ denominator_sums)
    low, high = np.percentile(means, [50 - confidence / 2, 50 + confidence / 2])
    return float(low), float(high)
