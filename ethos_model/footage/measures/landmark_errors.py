"""The errors of the network's landmarks: what they have in common within one face.

The network states one standard deviation per landmark. The errors of the landmarks of a
face are not independent: a whole brow, or the mouth and the chin, are too high or too
low together. Such common errors look like a turn of the head. A few patterns describe
them; the rest of the error is independent. Everything is relative to the stated
standard deviation.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
from typing import Final

import numpy as np

from ethos_data import topology

ASSET: Final = "assets/landmark_errors.npz"
"""Path of the file in `ethos_model.footage`."""

NUM_PATTERNS: Final = 16
"""Number of patterns. With 0, 4, 8, 16 and 24 patterns, the mean error of the pitch was
3.77, 3.64, 3.66, 3.55 and 3.53 degrees. It was measured on other people than those of
the patterns (120 rendered people, up to 60 degrees of yaw, clean frames and 15 px
motion blur). Yaw and roll changed by less than 0.05 degrees."""

_MIN_INDEPENDENT: Final = 0.05
"""Least share of the variance that is independent."""


@dataclasses.dataclass(frozen=True, eq=False)
class LandmarkErrors:
    """Distribution of the errors of x and y, with y up, in stated standard deviations.

    The error of a face is `b @ patterns` plus an independent error, where b is a vector
    of P independent normal numbers with standard deviation 1.

    Attributes:
      patterns: float64 (P, 2, 68).
      independent: float64 (2, 68), standard deviation of the independent error.
    """

    patterns: np.ndarray
    independent: np.ndarray


def learn(errors: np.ndarray, num_patterns: int = NUM_PATTERNS) -> LandmarkErrors:
    """Finds the patterns of errors of many faces.

    The patterns are the principal components of the correlation matrix. Each face also
    counts as its mirror image, because the network prefers neither side.

    Args:
      errors: (N, 2, 68), error of x and of y divided by the stated standard deviation,
        with y up.
      num_patterns: Number of patterns.
    """
    mirrored = errors[:, :, topology.MIRROR] * np.array([-1.0, 1.0])[:, None]
    rows = np.concatenate([errors, mirrored]).reshape(-1, 2 * topology.NUM_LANDMARKS)
    covariance = rows.T @ rows / len(rows)
    deviation = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    largest = slice(None, -num_patterns - 1, -1)
    components = vectors[:, largest] * np.sqrt(values[largest])
    rest = np.clip(1 - np.sum(components**2, axis=1), _MIN_INDEPENDENT, None)
    shape = (2, topology.NUM_LANDMARKS)
    return LandmarkErrors(
        patterns=(deviation * components.T).reshape(-1, *shape),
        independent=(deviation * np.sqrt(rest)).reshape(shape),
    )


@functools.cache
def load() -> LandmarkErrors:
    """Reads the patterns that are part of ETHOS. Later calls are free."""
    path = importlib.resources.files("ethos_model.footage") / ASSET
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        return LandmarkErrors(
            **{name: data[name].astype(np.float64) for name in data.files}
        )
