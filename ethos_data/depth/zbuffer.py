"""Triangles to a depth map: a z-buffer small enough to be one numba function."""

from __future__ import annotations

import numpy as np

from ethos_data.compilation import compiled

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


@compiled
def _between(low, high):  # pragma: no cover (compiled)
    """First and last pixel whose centre lies between, edges included."""
    return int(np.ceil(low - _EDGE)), int(np.floor(high + _EDGE))


@compiled
def _fill(depth, points, triangles):  # pragma: no cover (compiled)
    size = depth.shape[0]
    # In pixels, where the centre of pixel k is k.
    px, py = points[:, 0] * size - 0.5, points[:, 1] * size - 0.5
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, bx, cx = px[a], px[b], px[c]
        ay, by, cy = py[a], py[b], py[c]
        x0, x1 = _between(min(ax, bx, cx), max(ax, bx, cx))
        y0, y1 = _between(min(ay, by, cy), max(ay, by, cy))
        # Between the pixel centres, as half of a mesh may be: one test, for which of
        # the two it is cannot be foreseen.
        if (x1 - x0 | y1 - y0) < 0:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        # The weights of b and c are planes over the image.
        b_by_x, b_by_y = (cy - ay) / area, (ax - cx) / area
        c_by_x, c_by_y = (ay - by) / area, (bx - ax) / area
        az = points[a, 2]
        b_z, c_z = points[b, 2] - az, points[c, 2] - az
        for y in range(max(y0, 0), min(y1, size - 1) + 1):
            b_row, c_row = (y - ay) * b_by_y, (y - ay) * c_by_y
            for x in range(max(x0, 0), min(x1, size - 1) + 1):
                wb, wc = b_row + (x - ax) * b_by_x, c_row + (x - ax) * c_by_x
                if min(wb, wc, 1.0 - wb - wc) < -_EDGE:
                    continue
                z = az + wb * b_z + wc * c_z
                if not depth[y, x] >= z:  # also true where there is nothing yet
                    depth[y, x] = z
