"""The surface of the built-in head, as a signed distance field.

The field is a smooth union of ellipsoids, spheres and cones: skull, jaw, cheeks, nose,
lips, lids, ears and neck. Their sizes were chosen by hand after mean measures of
adults: head 15 x 22 x 19 cm, pupils 6.3 cm apart, root of the nose to chin 11 cm. The
primitives and the smooth union are those of Inigo Quilez,
https://iquilezles.org/articles/distfunctions/.
"""

from __future__ import annotations

from typing import Final

import numpy as np

ORIGIN: Final = np.array((0.0, 1.0, 1.0))
"""Point inside the head, (3,), in cm. Every ray from it crosses the surface once."""

EYE_CENTER: Final = np.array((3.08, 3.38, 8.25))
"""Centre of the left eyeball, (3,), in cm."""

EYE_RADIUS: Final = 1.22
"""Radius of the eyeballs, in cm."""

_LOWER_END: Final = -17.0
"""Height at which the neck is cut off, in cm."""

_MAX_STEPS: Final = 150
"""Maximum number of steps along a ray."""

_Vector = tuple[float, float, float]


def signed_distance(points: np.ndarray) -> np.ndarray:
    """Returns the approximate distance to the head's surface.

    Args:
      points: (..., 3), in cm.

    Returns:
      (...,), in cm, negative inside.
    """
    p = np.array(points, np.float64)
    p[..., 0] = np.abs(p[..., 0])
    d = _ellipsoid(p, (0, 5.2, -0.3), (7.3, 8.0, 9.9))  # skull
    d = _join(d, _ellipsoid(p, (0, 0.6, 2.8), (7.3, 8.3, 7.0)), 1.5)  # face
    d = _join(d, _cone(p, (4.2, -3.0, 2.9), (0.6, -6.65, 8.3), 1.9, 1.4), 2.6)  # jaw
    d = _join(d, _ellipsoid(p, (0, -6.8, 9.2), (1.5, 1.25, 1.4)), 1.8)  # chin
    d = _join(d, _ellipsoid(p, (4.4, 1.0, 6.5), (2.0, 1.7, 2.1)), 2.2)  # cheekbone
    d = _join(d, _ellipsoid(p, (2.7, -0.9, 7.9), (2.2, 2.2, 2.1)), 1.8)  # cheek
    d = _join(d, _ellipsoid(p, (2.9, -3.0, 6.6), (2.1, 2.4, 2.2)), 2.2)  # lower cheek
    d = _join(d, _ellipsoid(p, (0, -3.2, 8.3), (2.8, 2.8, 2.75)), 1.6)  # around mouth
    d = _join(d, _cone(p, (0.6, 5.5, 9.1), (4.0, 5.7, 7.3), 1.2, 1.0), 2.4)  # brow
    d = _carve(d, _ellipsoid(p, (2.9, 3.35, 11.1), (1.8, 1.3, 1.9)), 1.4)  # eye socket
    d = _carve(d, _ellipsoid(p, (8.2, 4.2, 6.6), (1.2, 2.6, 2.4)), 1.6)  # temple
    eyelids = np.linalg.norm(p - EYE_CENTER, axis=-1) - EYE_RADIUS - 0.1
    d = _join(d, eyelids, 0.45)
    d = _with_nose(p, d)
    d = _with_lips(p, d)
    d = _join(d, _cone(p, (0, -5, -0.6), (0, -21, -2.4), 4.6, 5.0), 2.0)  # neck
    neck_muscle = _cone(p, (5.4, -3, -1.5), (1.2, -17, 3.2), 0.9, 0.9)
    d = _join(d, neck_muscle, 1.6)
    d = _join(d, _ear(p), 0.5)
    return np.maximum(d, _LOWER_END - p[..., 1])


def surface_along(directions: np.ndarray) -> np.ndarray:
    """Returns the surface points (N, 3), in cm, in unit directions from `ORIGIN`."""
    return _march(ORIGIN + 26.0 * directions, -directions)


def surface_in_front(xy: np.ndarray) -> np.ndarray:
    """Returns the surface points (N, 3), in cm, that a viewer in front sees at x, y."""
    start = np.concatenate([xy, np.full((len(xy), 1), 16.0)], axis=1)
    return _march(start, np.tile((0.0, 0.0, -1.0), (len(xy), 1)))


def _march(start: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Walks from points outside (N, 3) along unit directions to the surface (N, 3)."""
    points = np.array(start, np.float64)
    moving = np.arange(len(points))
    for _ in range(_MAX_STEPS):
        distance = signed_distance(points[moving])
        # The field is not an exact distance, so that a full step could go too far.
        points[moving] += 0.8 * distance[:, None] * directions[moving]
        moving = moving[np.abs(distance) > 1e-4]
        if len(moving) == 0:
            break
    return points


def _ellipsoid(p: np.ndarray, center: _Vector, radii: _Vector) -> np.ndarray:
    q = p - center
    k0 = np.linalg.norm(q / radii, axis=-1)
    k1 = np.linalg.norm(q / np.square(radii), axis=-1)
    return k0 * (k0 - 1) / np.maximum(k1, 1e-9)


def _cone(
    p: np.ndarray,
    start: _Vector,
    stop: _Vector,
    start_radius: float,
    stop_radius: float,
) -> np.ndarray:
    """A capsule whose radius changes linearly from `start` to `stop`."""
    axis = np.subtract(stop, start)
    t = np.clip((p - start) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(p - start - t[..., None] * axis, axis=-1) - (
        start_radius + t * (stop_radius - start_radius)
    )


def _join(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """Smooth union of two fields, blended over a width in cm."""
    h = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return b + (a - b) * h - width * h * (1 - h)


def _carve(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """Smooth difference: removes `b` from `a`, blended over a width in cm."""
    return -_join(-a, b, width)


def _with_nose(p: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Adds the nose to the field d at points p."""
    d = _join(d, _cone(p, (0, 4.1, 9.6), (0, 0.6, 11.55), 0.75, 0.8), 1.3)  # bridge
    d = _join(d, _cone(p, (0, 3.5, 8.9), (0, 0.1, 10.1), 0.8, 1.3), 0.9)  # flanks
    d = _join(d, np.linalg.norm(p - (0, 0.05, 12.05), axis=-1) - 0.88, 0.7)  # tip
    d = _join(d, _ellipsoid(p, (1.12, -0.35, 10.95), (0.55, 0.6, 0.8)), 0.6)  # wing
    d = _join(d, _cone(p, (0, -0.35, 12.0), (0, -1.0, 11.1), 0.42, 0.35), 0.4)  # septum
    return _carve(d, _ellipsoid(p, (0.56, -0.95, 11.35), (0.26, 0.22, 0.4)), 0.25)


def _with_lips(p: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Adds the lips and the grooves above and below them to the field d at points p."""
    d = _carve(d, _cone(p, (0, -1.5, 12.2), (0, -2.3, 12.6), 0.35, 0.45), 0.7)
    d = _carve(d, _cone(p, (0, -5.35, 12.05), (1.2, -5.25, 11.6), 0.6, 0.4), 0.8)
    d = _join(d, _cone(p, (0.15, -3.0, 11.1), (1.3, -3.16, 10.75), 0.52, 0.42), 0.35)
    d = _join(d, _cone(p, (1.3, -3.16, 10.75), (2.4, -3.5, 9.75), 0.42, 0.25), 0.35)
    d = _join(d, _cone(p, (0, -3.98, 10.85), (1.2, -3.88, 10.55), 0.6, 0.5), 0.35)
    return _join(d, _cone(p, (1.2, -3.88, 10.55), (2.4, -3.5, 9.7), 0.5, 0.25), 0.35)


def _ear(p: np.ndarray) -> np.ndarray:
    turn = np.array(((0.94, 0, -0.34), (0, 1, 0), (0.34, 0, 0.94)))
    q = (p - (7.1, 1.6, -0.9)) @ turn
    ear = _ellipsoid(q, (0, 0, 0), (1.0, 3.1, 1.9))
    return _carve(ear, _ellipsoid(q, (1.1, 0.3, 0.4), (0.75, 1.9, 1.0)), 0.35)
