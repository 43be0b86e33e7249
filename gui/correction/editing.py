"""Changes of landmarks: move, rotate, scale and mirror. Pure functions.

All points are x and y in source pixels, y down.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_data.topology import MIRROR

RIGHT: Final = "right"
LEFT: Final = "left"
"""The person's own sides. The right side is at the left of the image of a person who
looks into the camera."""

MIDDLE: Final = np.flatnonzero(np.arange(len(MIRROR)) == MIRROR)
"""The landmarks on the axis of the face: chin, nose and the middle of the lips."""

_RIGHT_SIDE: Final = (*range(8), *range(17, 22), 31, 32, *range(36, 42))
_RIGHT_MOUTH: Final = (48, 49, 50, 58, 59, 60, 61, 67)
SIDES: Final = {
    RIGHT: np.array(sorted(_RIGHT_SIDE + _RIGHT_MOUTH)),
    LEFT: np.sort(MIRROR[np.array(_RIGHT_SIDE + _RIGHT_MOUTH)]),
}
"""Landmarks of each half of the face, without those in the middle."""


def side_of(landmark: int) -> str | None:
    """Returns `RIGHT` or `LEFT`; None for a landmark in the middle."""
    return next((side for side, part in SIDES.items() if landmark in part), None)


def move(points: np.ndarray, selected: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Returns a copy whose selected points are moved by `shift` (2,), in pixels."""
    moved = np.array(points, np.float64)
    moved[selected] += shift
    return moved


def rotate(points: np.ndarray, selected: np.ndarray, degrees: float) -> np.ndarray:
    """Returns a copy whose selected points are rotated about their centre.

    Args:
      points: (68, 2).
      selected: Indices of the points to rotate.
      degrees: Angle. A positive angle rotates clockwise on the screen.
    """
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    # y points down: this matrix rotates clockwise for the viewer.
    return _about_centre(points, selected, np.array([[cos, -sin], [sin, cos]]))


def scale(points: np.ndarray, selected: np.ndarray, factor: float) -> np.ndarray:
    """Returns a copy whose selected points are scaled about their centre."""
    return _about_centre(points, selected, factor * np.eye(2))


def _about_centre(
    points: np.ndarray, selected: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
    changed = np.array(points, np.float64)
    centre = centre_of(changed[selected])
    changed[selected] = centre + (changed[selected] - centre) @ matrix.T
    return changed


def centre_of(points: np.ndarray) -> np.ndarray:
    """The mean of points (N, 2), float64 (2,). A rotation about it does not move it.

    Points that are not finite do not count. Without others it is (0, 0).
    """
    points = np.asarray(points, np.float64)
    known = points[np.isfinite(points).all(axis=1)]
    return known.mean(axis=0) if len(known) else np.zeros(2)


def mirror(points: np.ndarray, wrong: str, z: np.ndarray | None = None) -> np.ndarray:
    """Replaces one half of the landmarks by the mirrored other half.

    The plane of symmetry is fitted to the landmarks in the middle of the face, which
    stay where they are. With z the result is right for a turned head as well. Without
    z, the halves are mirrored on the axis in the image, which fits a frontal face.
    A landmark is not changed if its mirror image has no position.

    Args:
      points: (68, 2).
      wrong: The half to replace, `RIGHT` or `LEFT`.
      z: (68,) of the landmarks in the same pixels, larger is nearer; for example of the
        model's prediction. None if it is unknown.

    Returns:
      float64 (68, 2).
    """
    points = np.asarray(points, np.float64)
    if z is None:
        space = points
    else:
        space = np.column_stack([points, np.asarray(z, np.float64)])
    middle = space[MIDDLE]
    middle = middle[np.isfinite(middle).all(axis=1)]
    if len(middle) < 2:  # no axis
        return points.copy()
    origin = middle.mean(axis=0)
    # The direction in which the middle landmarks vary least is the plane's normal.
    normal = np.linalg.svd(middle - origin)[2][-1]
    distance = (space - origin) @ normal
    reflected = (space - 2 * distance[:, None] * normal)[MIRROR]
    result = points.copy()
    changed = SIDES[wrong]
    changed = changed[np.isfinite(reflected[changed]).all(axis=1)]
    result[changed] = reflected[changed, :2]
    return result
