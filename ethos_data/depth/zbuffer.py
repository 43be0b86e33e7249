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
def _fill(depth, points, triangles):  # pragma: no cover (compiled)
    """Writes the nearest z of each pixel into `depth`, which is NaN at the start."""
    size, count = depth.shape[0], len(points)
    # Pixel coordinates, in which the centre of pixel k is k.
    px, py = points[:, 0] * size - 0.5, points[:, 1] * size - 0.5
    # The first and the last pixel centre on the right of and below each point. The last
    # ones are negative, so that all are minima. Rounding the points is faster than
    # rounding the corners of all triangles.
    limits = np.empty((count, 4), np.int64)
    for p in range(count):
        limits[p, 0], limits[p, 1] = np.ceil(px[p] - _EDGE), np.ceil(py[p] - _EDGE)
        limits[p, 2], limits[p, 3] = -np.floor(px[p] + _EDGE), -np.floor(py[p] + _EDGE)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0 = min(limits[a, 0], limits[b, 0], limits[c, 0])
        y0 = min(limits[a, 1], limits[b, 1], limits[c, 1])
        x1 = -min(limits[a, 2], limits[b, 2], limits[c, 2])
        y1 = -min(limits[a, 3], limits[b, 3], limits[c, 3])
        # Skip triangles that contain no pixel centre, up to half of a mesh. One test of
        # the sign bit is faster than two unpredictable branches.
        if (x1 - x0 | y1 - y0) < 0:
            continue
        ax, bx, cx = px[a], px[b], px[c]
        ay, by, cy = py[a], py[b], py[c]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        # The barycentric weights of b and c are linear functions of x and y.
        share = 1 / area
        b_by_x, b_by_y = (cy - ay) * share, (ax - cx) * share
        c_by_x, c_by_y = (ay - by) * share, (bx - ax) * share
        az = points[a, 2]
        b_z, c_z = points[b, 2] - az, points[c, 2] - az
        for y in range(max(y0, 0), min(y1, size - 1) + 1):
            b_row, c_row = (y - ay) * b_by_y, (y - ay) * c_by_y
            for x in range(max(x0, 0), min(x1, size - 1) + 1):
                wb, wc = b_row + (x - ax) * b_by_x, c_row + (x - ax) * c_by_x
                z = np.float32(az + wb * b_z + wc * c_z)
                # No branch, because it would be unpredictable.
                inside = (wb >= -_EDGE) & (wc >= -_EDGE) & (wb + wc <= 1.0 + _EDGE)
                old = depth[y, x]
                nearer = not old >= z  # also true for NaN
                depth[y, x] = z if inside & nearer else old
