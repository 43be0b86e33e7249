"""Triangles to a depth map: a z-buffer small enough to be one numba function."""

from __future__ import annotations

import numba
import numpy as np

_EDGE = 1e-9
"""A pixel centre on an edge belongs to both triangles: no cracks along shared edges."""


def rasterize(points: np.ndarray, triangles: np.ndarray, size: int) -> np.ndarray:
    """Depth of the nearest triangle at every pixel centre, orthographic along z.

    Args:
      points: (P, 3) normalised: x, y in [0, 1] of the window, z larger = nearer.
      triangles: int (T, 3), indices into points, wound either way.
      size: side of the map, pixels; the centre of pixel (i, j) is at
        x = (j + 0.5) / size, y = (i + 0.5) / size.

    Returns:
      float32 (size, size), z in the unit of the points, NaN where there is no triangle.
    """
    depth = np.full((size, size), np.nan, np.float32)
    _fill(
        depth,
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(triangles, np.int32),
    )
    return depth


@numba.njit(cache=True, nogil=True)
def _fill(depth, points, triangles):  # pragma: no cover (compiled)
    size = depth.shape[0]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        # In pixels, where the centre of pixel k is k.
        ax, ay = points[a, 0] * size - 0.5, points[a, 1] * size - 0.5
        bx, by = points[b, 0] * size - 0.5, points[b, 1] * size - 0.5
        cx, cy = points[c, 0] * size - 0.5, points[c, 1] * size - 0.5
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        x0 = max(int(np.ceil(min(ax, bx, cx) - _EDGE)), 0)
        x1 = min(int(np.floor(max(ax, bx, cx) + _EDGE)), size - 1)
        y0 = max(int(np.ceil(min(ay, by, cy) - _EDGE)), 0)
        y1 = min(int(np.floor(max(ay, by, cy) + _EDGE)), size - 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                wa = 1.0 - wb - wc
                if wa < -_EDGE or wb < -_EDGE or wc < -_EDGE:
                    continue
                z = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
                if not depth[y, x] >= z:  # also true where there is nothing yet
                    depth[y, x] = z
