"""Draws the 68 landmarks into a picture.

Every picture with landmarks that ETHOS writes comes from here: the viewer's overlay,
the contact sheet of `ethos-inspect`, the samples of a training run.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ethos_data.topology import EDGES

SHIFT: Final = 4
"""Fractional bits of the coordinates given to OpenCV: a resolution of 1/16 pixel."""

_LIMIT: Final = 2.0**26
"""Largest fixed-point coordinate. OpenCV computes with 32-bit integers."""

_ANGLES: Final = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_CIRCLE: Final = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)
"""Corners of the polygon that is drawn for a circle, (16, 2)."""

Color = tuple[int, int, int]
"""0 to 255 for each channel, in the channel order of the picture."""


def draw_landmarks(
    picture: np.ndarray,
    landmarks: np.ndarray,
    *,
    edges: Color | None = None,
    points: Color | np.ndarray | None = None,
    line_width: int = 1,
    radius: float = 1.25,
    hollow: np.ndarray | None = None,
) -> np.ndarray:
    """Draws one face in place: the edges first, the points on top of them.

    Example:
      drawing.draw_landmarks(frame, face.landmarks, edges=(235, 240, 245))

    Args:
      picture: uint8 (H, W, 3), contiguous.
      landmarks: (68, 2) or (68, 3): x and y in pixels of `picture`, pixel centres at
        integers. Landmarks that are not finite are not drawn, nor are lines to them.
      edges: Colour of the lines between neighbouring landmarks; None for no lines.
      points: Colour of the landmarks, or uint8 (68, 3) with the colour of each; None
        for no points.
      line_width: Width of the lines, in pixels.
      radius: Radius of the points, in pixels.
      hollow: bool (68,), the points that are drawn as circles, because the picture does
        not show them; None for none.

    Returns:
      `picture`.
    """
    if edges is not None:
        fixed = _fixed(landmarks)
        finite = np.isfinite(np.asarray(landmarks)[:, :2]).all(axis=1)
        segments = [
            fixed[[start, end]].reshape(-1, 1, 2)
            for start, end in EDGES
            if finite[start] and finite[end]
        ]
        cv2.polylines(picture, segments, False, edges, line_width, cv2.LINE_AA, SHIFT)
    if points is not None:
        colors = np.broadcast_to(np.asarray(points, np.uint8), (len(landmarks), 3))
        filled = np.full(len(landmarks), True) if hollow is None else ~hollow
        draw_disks(
            picture, landmarks[filled], np.full(filled.sum(), radius), colors[filled]
        )
        corners = _circles(landmarks[~filled], np.full((~filled).sum(), radius))
        for polygon, color in zip(corners, colors[~filled].tolist(), strict=True):
            cv2.polylines(picture, [polygon], True, color, 1, cv2.LINE_AA, SHIFT)
    return picture


def draw_disks(
    picture: np.ndarray, centers: np.ndarray, radii: np.ndarray, colors: np.ndarray
) -> None:
    """Draws filled circles in place.

    Args:
      picture: uint8 (H, W, 3), contiguous.
      centers: (N, 2) or (N, 3): x and y in pixels of `picture`.
      radii: (N,) radii, in pixels.
      colors: uint8 (N, 3), in the channel order of the picture.
    """
    polygons = _circles(centers, radii)
    for polygon, color in zip(polygons, colors.tolist(), strict=True):
        cv2.fillConvexPoly(picture, polygon, color, cv2.LINE_AA, SHIFT)


def _circles(centers: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Circles as polygons in 1/16 pixel. cv2.circle draws small circles as squares."""
    offsets = np.nan_to_num(radii)[:, None, None] * _CIRCLE
    corners = np.asarray(centers, np.float64)[:, None, :2] + offsets
    return _fixed(corners.reshape(-1, 2)).reshape(corners.shape)


def _fixed(xy: np.ndarray) -> np.ndarray:
    """Coordinates in 1/16 pixel, int32 (N, 2)."""
    scaled = np.asarray(xy, np.float64)[:, :2] * 2**SHIFT
    scaled = np.nan_to_num(scaled, nan=-_LIMIT)
    return np.round(np.clip(scaled, -_LIMIT, _LIMIT)).astype(np.int32)
