"""Dense depth maps from 68 landmarks in 3D.

A corpus contains no depth, so the conversion derives it from the landmarks. Three
methods give a depth map in the same frame of reference:

* ``"prior"``: the most probable face with these landmarks, under a linear model that
  was learned from a morphable head. Covers the face from the jaw line to the lower
  forehead.
* ``"delaunay"``: the Delaunay triangulation of the landmarks in x and y, with linear z
  on each triangle. Covers the convex hull of the landmarks.
* ``"thin_plate"``: the thin-plate spline through the landmarks, which is the smoothest
  surface through all of them. Covers the convex hull.

The frames of a video show one person. For the first method, `video_depth_maps` uses
this: the shape of the face is the same in all frames. The other methods process each
frame separately.

This package does not import TensorFlow, because Beam workers import it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data import crop, topology
from ethos_data.depth import interpolate, prior

DEFAULT_METHOD: Final = "prior"

METHODS: Final[dict[str, Callable[[np.ndarray, int], np.ndarray]]] = {
    "prior": prior.depth_maps,
    "delaunay": interpolate.delaunay,
    "thin_plate": interpolate.thin_plate,
}
"""Functions of finite float64 landmarks (T, 68, 3) and a size, by name."""


METHOD_VERSIONS: Final = {"prior": 2}
"""Versions of the methods that changed since the first release. Data sets of another
version have other depth maps."""

_AT_ONCE: Final = 64
"""Number of depth maps in memory at the same time. Each has 37 kB."""


def depth_map(
    landmarks: np.ndarray, size: int, *, method: str = DEFAULT_METHOD
) -> np.ndarray:
    """Computes the depth of a face on the pixels of a square window.

    All methods follow the landmarks: a shift in x and y shifts the map, a common scale
    of all three coordinates scales its values, and a mirrored face gives a mirrored
    map.

    Example:
      depth = depth_map(window.to_normalized(landmarks), size=112)

    Args:
      landmarks: (68, 3) in the normalised frame of the window; larger z is nearer.
      size: Side of the map, in pixels. Pixel (row i, column j) has its centre at
        x = (j + 0.5) / size, y = (i + 0.5) / size.
      method: A key of `METHODS`.

    Returns:
      float32 (size, size), z in normalised units. Larger is nearer, and zero is the
      mean of the twelve eye landmarks. NaN outside the face. All values are NaN if the
      landmarks enclose no area.

    Raises:
      ValueError: The landmarks are not finite or have another shape, or the method is
        unknown.
    """
    if np.shape(landmarks) != (topology.NUM_LANDMARKS, 3):
        shape = np.shape(landmarks)
        raise ValueError(f"Landmarks must be (68, 3). Received: shape={shape}")
    return depth_maps(np.asarray(landmarks)[None], size, method=method)[0]


def depth_maps(
    landmarks: np.ndarray, size: int, *, method: str = DEFAULT_METHOD
) -> np.ndarray:
    """Computes `depth_map` for T faces at once, which is faster.

    Args:
      landmarks: (T, 68, 3), as in `depth_map`.
      size: Side of the maps, in pixels.
      method: A key of `METHODS`.

    Returns:
      float32 (T, size, size).

    Raises:
      ValueError: As in `depth_map`.
    """
    points = _checked(landmarks, method)
    return METHODS[method](points, size)


def video_depth_maps(
    landmarks: np.ndarray,
    windows: Sequence[crop.Window],
    size: int,
    *,
    method: str = DEFAULT_METHOD,
) -> Iterator[np.ndarray]:
    """Computes the depth maps of a video of one person.

    With the method "prior", the person has the same shape in all frames. This is faster
    and more accurate than separate frames, and the maps jitter less.

    Example:
      maps = list(video_depth_maps(video.landmarks, windows, size=96))

    Args:
      landmarks: (T, 68, 3), finite, in source pixels, in order of time.
      windows: T windows, one for each frame.
      size: Side of the maps, in pixels.
      method: A key of `METHODS`.

    Yields:
      For each frame its map, float32 (size, size), as `depth_map` returns it for the
      landmarks in the normalised frame of the window.

    Raises:
      ValueError: As in `depth_map`.
    """
    points = _checked(landmarks, method)
    if method == "prior" and len(points) > 1:
        yield from prior.shipped().video_depth_maps(points, windows, size)
        return
    normalized = crop.to_normalized_each(points, windows)
    for start in range(0, len(points), _AT_ONCE):
        yield from METHODS[method](normalized[start : start + _AT_ONCE], size)


def _checked(landmarks: np.ndarray, method: str) -> np.ndarray:
    """Returns the landmarks as float64 with z relative to the eyes."""
    points = np.array(landmarks, np.float64)
    if points.ndim != 3 or points.shape[1:] != (topology.NUM_LANDMARKS, 3):
        raise ValueError(
            f"Landmarks must be (T, 68, 3). Received: shape={points.shape}"
        )
    if not np.isfinite(points).all():
        raise ValueError("Landmarks must be finite. Received: NaN or infinity")
    if method not in METHODS:
        raise ValueError(
            f"method must be one of {sorted(METHODS)}. Received: {method=}"
        )
    points[..., 2] -= points[:, topology.EYES, 2].mean(axis=1, keepdims=True)
    return points
