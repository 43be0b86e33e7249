"""Displacements of vertices, from which identity and expression shapes are built.

A displacement is an array (N, 3) in cm for N vertices. Weights are arrays (N, 1).
"""

from __future__ import annotations

import numpy as np

X, Y, Z = np.eye(3)
"""Directions of displacement: left of the person, up, forwards."""

Vector = tuple[float, float, float]


def bump(p: np.ndarray, center: Vector, radius: float | Vector) -> np.ndarray:
    """Returns a Gaussian weight (N, 1) that is 1 at the centre.

    Args:
      p: Vertices, (N, 3), in cm.
      center: Centre, in cm.
      radius: Standard deviation in all directions or along x, y and z, in cm.
    """
    return np.exp(-np.square((p - center) / radius).sum(axis=1, keepdims=True) / 2)


def two_bumps(p: np.ndarray, center: Vector, radius: float | Vector) -> np.ndarray:
    """Returns the sum of a Gaussian weight and its mirror image, (N, 1)."""
    x, y, z = center
    return bump(p, center, radius) + bump(p, (-x, y, z), radius)


def sideways(p: np.ndarray) -> np.ndarray:
    """Returns a weight from -1 on the person's right to 1 on the left, (N, 1)."""
    return np.tanh(p[:, :1] / 0.8)


def turned(p: np.ndarray, center: np.ndarray, axis: int, degrees: float) -> np.ndarray:
    """Returns the displacements (N, 3) of a rotation about an axis through a point.

    Args:
      p: Vertices, (N, 3), in cm.
      center: Point on the axis, (3,), in cm.
      axis: Direction of the axis: 0 for x, 1 for y, 2 for z.
      degrees: Angle, in degrees.
    """
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    q = p - center
    result = q.copy()
    result[:, i], result[:, j] = c * q[:, i] - s * q[:, j], s * q[:, i] + c * q[:, j]
    return result - q
