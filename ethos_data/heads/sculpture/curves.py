"""Curves of the built-in head that become edges of its mesh.

They are drawn in front view, for the left side of the head, in cm. Landmarks on them
are vertices of the mesh, and the eyes and the mouth can open along them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy.interpolate import CubicSpline

LID_START: Final = 1.87
"""x of the inner corner of the left eye, in cm."""

LID_STOP: Final = 4.41
"""x of the outer corner of the left eye, in cm."""

upper_lid: Final = CubicSpline(
    (LID_START, 2.4, 2.92, 3.55, LID_STOP), (3.22, 3.72, 3.96, 3.92, 3.44)
)
"""Height of the upper lid's edge at x of the left eye, in cm."""

lower_lid: Final = CubicSpline(
    (LID_START, 2.36, 2.92, 3.55, LID_STOP), (3.22, 3.03, 2.93, 3.0, 3.44)
)
"""Height of the lower lid's edge at x of the left eye, in cm."""


def lip_seam(x: Any) -> Any:
    """Returns the height at which the closed lips meet, in cm."""
    return -3.46 - 0.02 * x**2 + 0.05 * np.cos(np.minimum(np.abs(x), 2.0) * np.pi)


# x and y of the knots. The inner or the upper end is first.
UPPER_LIP: Final = ((0.0, -2.68), (0.62, -2.48), (1.45, -2.9), (2.36, -3.5))
LOWER_LIP: Final = ((0.0, -4.52), (0.85, -4.42), (1.5, -4.12), (2.36, -3.5))
LIP_SEAM: Final = tuple((x, lip_seam(x)) for x in (0.0, 0.6, 1.2, 1.65, 2.1))
BROW: Final = ((1.75, 5.65), (2.65, 6.05), (3.7, 6.2), (4.8, 5.95), (5.75, 5.25))
NOSE_BRIDGE: Final = ((0, 3.5), (0, 2.3), (0, 1.1), (0, 0.05), (0, -1.25))
NOSE_BASE: Final = ((0.62, -1.28), (1.28, -1.1))

LID_X: Final = 3.14 - 1.27 * np.cos(np.linspace(0, np.pi, 18))
"""x of the vertices on the lids' edges, (18,), in cm. Denser near the eye's corners."""

JAW: Final = (
    # x, y, z of the jaw's landmarks from chin to ear. Only the direction from
    # `field.ORIGIN` matters.
    (0.0, -8.0, 10.2),
    (2.2, -7.6, 9.6),
    (3.7, -6.6, 7.9),
    (4.9, -5.6, 6.2),
    (5.9, -4.1, 5.3),
    (6.5, -2.3, 4.7),
    (6.9, -0.5, 4.2),
    (7.2, 1.4, 3.7),
    (7.3, 3.5, 3.4),
)


def spline(knots: tuple[tuple[float, float], ...], count: int) -> np.ndarray:
    """Returns points on a smooth curve through knots.

    Args:
      knots: x and y of the knots, in cm.
      count: Number of points. The first and the last knot are among them.

    Returns:
      (count, 2), in cm.
    """
    array = np.array(knots)
    steps = np.linalg.norm(np.diff(array, axis=0), axis=1)
    lengths = np.concatenate([[0], np.cumsum(steps)])
    return CubicSpline(lengths, array)(np.linspace(0, lengths[-1], count))
