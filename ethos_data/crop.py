"""The square window that is cut around a face, and its map to and from source pixels.

Two frames of reference meet here.

* Source pixels: origin top-left, pixel centres at integers, so the left edge of the
  frame is at x = -0.5. z in the same pixels, larger = nearer.
* Normalised: x and y run from 0 at the left and top *edge* of the window to 1 at the
  right and bottom edge; z in the same unit, zero at the mean of the twelve eye points.

A crop of S x S pixels therefore shows the normalised point u at its pixel u * S - 0.5.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from ethos_data import topology

STORED_CONTEXT: Final = 2.0
"""Side of a stored window over the longer side of the face box. Holds the network's
window (1.3) turned by any angle (x 1.41) with some shift to spare."""

NETWORK_CONTEXT: Final = 1.3
"""Side of the window that the network sees over the longer side of the face box."""


@dataclasses.dataclass(frozen=True)
class Window:
    """A square of the source frame.

    Attributes:
      left: x of the left edge, source pixels (an edge between pixels is at k - 0.5).
      top: y of the top edge, source pixels.
      size: side, source pixels.
    """

    left: float
    top: float
    size: float

    def to_normalized(self, points: np.ndarray) -> np.ndarray:
        """Source pixels to the normalised frame.

        Args:
          points: (..., 68, 3) landmarks in source pixels, or (..., N, 2) any points.

        Returns:
          float64 of the same shape. z is shifted so that the eyes' mean is zero.
        """
        points = np.asarray(points, np.float64)
        return _normalized(points, np.array([self.left, self.top]), self.size)

    def to_source(self, points: np.ndarray) -> np.ndarray:
        """The normalised frame to source pixels; z stays relative to the eyes' mean.

        Args:
          points: (..., N, 2) or (..., N, 3), normalised.

        Returns:
          float64 of the same shape, source pixels.
        """
        points = np.asarray(points, np.float64) * self.size
        points[..., :2] += (self.left, self.top)
        return points


def to_normalized_each(points: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """`Window.to_normalized` of many frames at once, which costs hardly more than one.

    Args:
      points: float64 (N, 68, 3), source pixels.
      windows: N of them, one for each 68 points.

    Returns:
      float64 (N, 68, 3), normalised.
    """
    sides = np.array([(w.left, w.top, w.size) for w in windows], np.float64)
    sides = sides.reshape(-1, 1, 3)
    return _normalized(points, sides[..., :2], sides[..., 2:])


def _normalized(points: np.ndarray, corner: np.ndarray, size: Any) -> np.ndarray:
    xy = (points[..., :2] - corner) / size
    if points.shape[-1] == 2:
        return xy
    z = points[..., 2:]
    z = (z - z[..., topology.EYES, :].mean(axis=-2, keepdims=True)) / size
    return np.concatenate([xy, z], axis=-1)


def windows_around(boxes: np.ndarray, context: float) -> np.ndarray:
    """The windows of face boxes, their edges on the edges of source pixels.

    Whole pixels let a crop be a plain slice: nothing is resampled unless it must be.

    Args:
      boxes: (N, 4) x0, y0, x1, y1 of each face, source pixels.
      context: side of a window over the longer side of its box.

    Returns:
      float64 (N, 3): left, top, size.

    Raises:
      ValueError: a box is not finite or has no extent.
    """
    # Labels are often whole pixels, so the middle of a box often falls on a tie: a box
    # that went through a float32 record must round like the one it came from (without
    # this, 1,080 of 3,520 frames of YouTube Faces moved by a pixel).
    boxes = np.asarray(boxes, np.float64).round(3)
    low, high = boxes[:, :2], boxes[:, 2:]
    longer = (high - low).max(axis=1, keepdims=True)
    if not (np.isfinite(boxes).all() and (longer > 0).all()):
        raise ValueError(
            f"A face box must be finite and not empty. Received: boxes={boxes}"
        )
    size = np.maximum(1, np.rint(longer * context))
    # The edge before pixel k lies at k - 0.5.
    corner = np.rint((low + high - size) / 2 + 0.5) - 0.5
    return np.concatenate([corner, size], axis=1)


def window_around(box: np.ndarray, context: float) -> Window:
    """`windows_around` of one face box (4,)."""
    return Window(*windows_around(np.asarray(box)[None], context)[0].tolist())


def cut(image: np.ndarray, window: Window, fill: float = 0) -> np.ndarray:
    """Slices a window whose edges lie between pixels, at source resolution.

    Args:
      image: (H, W) or (H, W, C), source pixels.
      window: as `window_around` returns it.
      fill: value outside of the image.

    Returns:
      (size, size) or (size, size, C), dtype of the image, C-contiguous.

    Raises:
      ValueError: the window's edges are not on the edges of pixels.
    """
    left, top, size = window.left + 0.5, window.top + 0.5, window.size
    if any(v != round(v) for v in (left, top, size)):
        raise ValueError(
            f"The window must have whole pixels. Received: window={window}"
        )
    left, top, size = int(left), int(top), int(size)
    height, width = image.shape[:2]
    x0, x1 = max(left, 0), min(left + size, width)
    y0, y1 = max(top, 0), min(top + size, height)
    if x1 - x0 == y1 - y0 == size:
        return image[y0:y1, x0:x1].copy()
    crop = np.full((size, size, *image.shape[2:]), fill, image.dtype)
    if x0 < x1 and y0 < y1:
        crop[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return crop


def resize(crop: np.ndarray, size: int) -> np.ndarray:
    """Resamples a square crop: area-averaged when it shrinks, bilinear when it grows.

    Args:
      crop: (S, S) or (S, S, C) uint8 or float32.
      size: wanted side, pixels.

    Returns:
      (size, size) or (size, size, C), dtype of the crop.
    """
    if crop.shape[0] == size:
        return crop
    shrinks = size < crop.shape[0]
    return cv2.resize(
        crop,
        (size, size),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
