"""Small geometric functions that several modules of this package use."""

from __future__ import annotations

from typing import Any

import numpy as np


def smoothstep(value: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
    """Rises smoothly from 0 at `low` to 1 at `high`, without a kink at the ends."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def inside_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Returns which points are inside a polygon.

    Args:
      points: (N, 2).
      polygon: Corners in order, (M, 2). The last corner joins the first.

    Returns:
      bool (N,).
    """
    x, y = points[:, None, 0], points[:, None, 1]
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    # A point is inside if the ray to its right crosses an odd number of edges.
    with np.errstate(divide="ignore", invalid="ignore"):
        crosses = ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return crosses.sum(axis=1) % 2 == 1


def axis_rotation(axis: int, degrees: float) -> np.ndarray:
    """Returns the rotation matrix (3, 3) about the x (0), y (1) or z (2) axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix
