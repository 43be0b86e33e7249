"""Turns heads for the tests of the depth prior."""

from __future__ import annotations

import numpy as np


def turned_by(degrees: tuple[float, float, float]) -> np.ndarray:
    """The product of rotations about x, then y, then z."""
    a, b, c = np.deg2rad(degrees)
    about_x = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    about_y = [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    about_z = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    return np.array(about_z) @ about_y @ about_x
