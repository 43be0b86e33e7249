"""Depth maps by interpolation of the 68 landmarks: baselines of the learned prior.

scipy is imported inside the functions. Its import takes 0.3 s, and the default method
does not need it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ethos_data.depth import zbuffer

_RIDGE = 1e-9
"""Added to the diagonal of the spline's system, so that two landmarks may coincide."""


def delaunay(points: np.ndarray, size: int) -> np.ndarray:
    """Interpolates z linearly over the Delaunay triangulation of x and y.

    Args:
      points: (T, 68, 3), finite, in the normalised frame.
      size: Side of the maps, in pixels.

    Returns:
      float32 (T, size, size), z in the unit of the points. NaN outside the convex hull.
    """
    return _each(_delaunay, points, size)


def thin_plate(points: np.ndarray, size: int) -> np.ndarray:
    """Interpolates z with a thin-plate spline (Duchon, 1977).

    Args:
      points: (T, 68, 3), finite, in the normalised frame.
      size: Side of the maps, in pixels.

    Returns:
      float32 (T, size, size), z in the unit of the points. NaN outside the convex hull.
    """
    return _each(_thin_plate, points, size)


def _each(
    method: Callable[[np.ndarray, int], np.ndarray], points: np.ndarray, size: int
) -> np.ndarray:
    maps = np.empty((len(points), size, size), np.float32)
    for depth, landmarks in zip(maps, points, strict=True):
        depth[:] = method(landmarks, size)
    return maps


def _delaunay(points: np.ndarray, size: int) -> np.ndarray:
    from scipy import spatial

    try:
        triangles = spatial.Delaunay(points[:, :2]).simplices
    except spatial.QhullError:  # all landmarks are on one line
        return np.full((size, size), np.nan, np.float32)
    return zbuffer.rasterize(points, triangles, size)


def _thin_plate(points: np.ndarray, size: int) -> np.ndarray:
    depth = _delaunay(points, size)
    rows, columns = np.nonzero(np.isfinite(depth))
    if not rows.size:
        return depth
    # Centre the landmarks and scale them to unit standard deviation, so that the system
    # is equally well conditioned for small and large faces.
    centre = points[:, :2].mean(axis=0)
    spread = points[:, :2].std()
    sites = (points[:, :2] - centre) / spread
    pixels = (np.stack([columns, rows], axis=1) + 0.5) / size
    pixels = (pixels - centre) / spread

    count = len(sites)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(sites, sites) + _RIDGE * np.eye(count)
    system[:count, count:] = np.pad(sites, ((0, 0), (1, 0)), constant_values=1)
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.pad(points[:, 2], (0, 3)))
    affine = weights[count:]
    depth[rows, columns] = (
        _kernel(pixels, sites) @ weights[:count] + affine[0] + pixels @ affine[1:]
    )
    return depth


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The kernel r^2 log r between points (N, 2) and (M, 2), as an array (N, M)."""
    from scipy import spatial

    squared = spatial.distance.cdist(a, b, "sqeuclidean")
    return 0.5 * squared * np.log(np.maximum(squared, 1e-30))
