"""Dense depth from 68 3D points: what the corpus does not have and the network learns.

Three methods give a depth map in the same frame, so that they can be compared:

* ``"prior"``: what a face with these points most probably looks like, learned from a
  morphable head. Defined from the jaw line to the lower forehead.
* ``"delaunay"``: the Delaunay triangulation of the points in x and y, z linear on each
  triangle. Defined on the convex hull of the points.
* ``"thin_plate"``: the thin-plate spline through the points, the smoothest surface that
  meets them all. Defined on the convex hull as well.

No TensorFlow here: a Beam worker imports this package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_data.depth import interpolate, prior

DEFAULT_METHOD: Final = "prior"

METHODS: Final[dict[str, Callable[[np.ndarray, int], np.ndarray]]] = {
    "prior": prior.depth_maps,
    "delaunay": interpolate.delaunay,
    "thin_plate": interpolate.thin_plate,
}
"""Name to function of (T, 68, 3) float64 finite landmarks and size."""


def depth_map(
    landmarks: np.ndarray, size: int, *, method: str = DEFAULT_METHOD
) -> np.ndarray:
    """The depth of the face on the pixels of a square window.

    Every method moves with the points: shift x and y and the map shifts, scale all
    three and its values scale, mirror the face and the map is mirrored.

    Args:
      landmarks: (68, 3) in the normalised frame of the window, z larger = nearer.
      size: side of the map, pixels. Pixel (row i, column j) has its centre at
        x = (j + 0.5) / size, y = (i + 0.5) / size.
      method: a key of `METHODS`.

    Returns:
      float32 (size, size): z in normalised units, larger = nearer, zero at the mean of
      the twelve eye points; NaN outside of the face. All NaN if the points enclose no
      area.

    Raises:
      ValueError: landmarks are not finite or of another shape, or an unknown method.
    """
    if np.shape(landmarks) != (topology.NUM_LANDMARKS, 3):
        shape = np.shape(landmarks)
        raise ValueError(f"Landmarks must be (68, 3). Received: shape={shape}")
    return depth_maps(np.asarray(landmarks)[None], size, method=method)[0]


def depth_maps(
    landmarks: np.ndarray, size: int, *, method: str = DEFAULT_METHOD
) -> np.ndarray:
    """`depth_map` of T faces (T, 68, 3) at once, faster: float32 (T, size, size)."""
    points = np.array(landmarks, np.float64)
    if points.ndim != 3 or points.shape[1:] != (topology.NUM_LANDMARKS, 3):
        raise ValueError(
            f"Landmarks must be (T, 68, 3). Received: shape={points.shape}"
        )
    if not np.isfinite(points).all():
        raise ValueError("Landmarks must be finite. Received: NaN or infinity")
    if method not in METHODS:
        raise ValueError(f"Unknown method, know {sorted(METHODS)}. Received: {method=}")
    points[..., 2] -= points[:, topology.EYES, 2].mean(axis=1, keepdims=True)
    return METHODS[method](points, size)
