"""Rasterisation of triangles to a depth map with a z-buffer."""

from __future__ import annotations

import numpy as np

from ethos_data.compilation import compiled

_EDGE = 1e-9
"""Tolerance in pixels. A pixel centre on an edge belongs to both triangles, so that no
gaps appear along shared edges."""


def rasterize(points: np.ndarray, triangles: np.ndarray, size: int) -> np.ndarray:
    """Computes the depth of the nearest triangle at each pixel centre.

    The projection is orthographic along z.

    Args:
      points: (P, 3) in the normalised frame of the window; larger z is nearer.
      triangles: int (T, 3), indices into `points`, in either orientation.
      size: Side of the map, in pixels. The centre of pixel (i, j) is at
        x = (j + 0.5) / size, y = (i + 0.5) / size.

    Returns:
      float32 (size, size), z in the unit of the points. NaN where no triangle is.
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
    """The first and last pixel whose centre is in [low, high]."""
    return int(np.ceil(low - _EDGE)), int(np.floor(high + _EDGE))


@compiled
def _fill(depth, points, triangles):  # pragma: no cover (compiled)
    """Writes the nearest z of each pixel into `depth`, which is NaN at the start."""
    size = depth.shape[0]
    # Pixel coordinates, in which the centre of pixel k is k.
    px, py = points[:, 0] * size - 0.5, points[:, 1] * size - 0.5
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, bx, cx = px[a], px[b], px[c]
        ay, by, cy = py[a], py[b], py[c]
        x0, x1 = _between(min(ax, bx, cx), max(ax, bx, cx))
        y0, y1 = _between(min(ay, by, cy), max(ay, by, cy))
        # Skip triangles that contain no pixel centre, up to half of a mesh. One test of
        # the sign bit is faster than two unpredictable branches.
        if (x1 - x0 | y1 - y0) < 0:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        # The barycentric weights of b and c are linear functions of x and y.
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
                if not depth[y, x] >= z:  # also true for NaN
                    depth[y, x] = z
