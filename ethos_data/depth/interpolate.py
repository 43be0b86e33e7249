"""Surfaces that only know the 68 points: the baselines of the learned prior.

scipy is imported where it is used: it takes 0.3 s of a worker's start, and the default
method does not need it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ethos_data.depth import zbuffer

_RIDGE = 1e-9
"""Added to the spline's diagonal: two landmarks at one place stay solvable."""


def delaunay(points: np.ndarray, size: int) -> np.ndarray:
    """Linear z over the Delaunay triangulation of x and y, on the convex hull.

    Args:
      points: (T, 68, 3) finite, normalised.
      size: side of the map, pixels.

    Returns:
      float32 (T, size, size), z in the unit of the points, NaN outside of the hull.
    """
    return _each(_delaunay, points, size)


def thin_plate(points: np.ndarray, size: int) -> np.ndarray:
    """The thin-plate spline through the points (Duchon, 1977), on the convex hull.

    Args:
      points: (T, 68, 3) finite, normalised.
      size: side of the map, pixels.

    Returns:
      float32 (T, size, size), z in the unit of the points, NaN outside of the hull.
    """
    return _each(_thin_plate, points, size)


def _each(
    method: Callable[[np.ndarray, int], np.ndarray], points: np.ndarray, size: int
) -> np.ndarray:
    maps = np.empty((len(points), size, size), np.float32)
    for depth, one in zip(maps, points, strict=True):
        depth[:] = method(one, size)
    return maps


def _delaunay(points: np.ndarray, size: int) -> np.ndarray:
    from scipy import spatial

    try:
        triangles = spatial.Delaunay(points[:, :2]).simplices
    except spatial.QhullError:  # all on one line
        return np.full((size, size), np.nan, np.float32)
    return zbuffer.rasterize(points, triangles, size)


def _thin_plate(points: np.ndarray, size: int) -> np.ndarray:
    depth = _delaunay(points, size)
    rows, columns = np.nonzero(np.isfinite(depth))
    if not rows.size:
        return depth
    # Centred and scaled to unit spread: the system is then as well conditioned for a
    # face of 0.1 as for one of 1.
    centre = points[:, :2].mean(axis=0)
    spread = points[:, :2].std()
    sites = (points[:, :2] - centre) / spread
    wanted = (np.stack([columns, rows], axis=1) + 0.5) / size
    wanted = (wanted - centre) / spread

    count = len(sites)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(sites, sites) + _RIDGE * np.eye(count)
    system[:count, count:] = np.pad(sites, ((0, 0), (1, 0)), constant_values=1)
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.pad(points[:, 2], (0, 3)))
    affine = weights[count:]
    depth[rows, columns] = (
        _kernel(wanted, sites) @ weights[:count] + affine[0] + wanted @ affine[1:]
    )
    return depth


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """r^2 log r between points (N, 2) and (M, 2): (N, M), half of r^2 log r^2."""
    from scipy import spatial

    squared = spatial.distance.cdist(a, b, "sqeuclidean")
    return 0.5 * squared * np.log(np.maximum(squared, 1e-30))
