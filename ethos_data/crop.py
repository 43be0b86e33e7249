"""The square window around a face, and the two frames of reference that it connects.

* Source pixels: the origin is the top left of the frame, and pixel centres are at
  integers, so the left edge of the frame is at x = -0.5. z is in the same pixels, and
  larger is nearer.
* Normalised frame: x and y are 0 at the left and top edge of the window and 1 at its
  right and bottom edge. z has the same unit and is 0 at the mean of the eye landmarks.

In a crop of S x S pixels, the normalised coordinate u is at the pixel u * S - 0.5.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from ethos_data import topology

STORED_CONTEXT: Final = 2.0
"""Side of a stored window divided by the longer side of the face box. It contains the
network's window (1.3) rotated by any angle (1.3 * 1.41) and shifted a little."""

NETWORK_CONTEXT: Final = 1.3
"""Side of the network's window divided by the longer side of the face box."""


@dataclasses.dataclass(frozen=True)
class Window:
    """A square of the source frame.

    Example:
      window = crop.window_around(face_box, crop.NETWORK_CONTEXT)
      image = crop.resize(crop.cut(frame, window), 112)
      normalized = window.to_normalized(landmarks)

    Attributes:
      left: x of the left edge, in source pixels. Edges of pixels are at k - 0.5.
      top: y of the top edge, in source pixels.
      size: Width and height, in source pixels.
    """

    left: float
    top: float
    size: float

    def to_normalized(self, points: np.ndarray) -> np.ndarray:
        """Converts source pixels to the normalised frame.

        Args:
          points: (..., 68, 3) landmarks or (..., N, 2) any points, in source pixels.

        Returns:
          float64 of the same shape. The mean z of the eye landmarks is zero.
        """
        points = np.asarray(points, np.float64)
        return _normalized(points, np.array([self.left, self.top]), self.size)

    def to_source(self, points: np.ndarray) -> np.ndarray:
        """Converts the normalised frame to source pixels.

        Args:
          points: (..., N, 2) or (..., N, 3), normalised.

        Returns:
          float64 of the same shape, in source pixels. z stays relative to the mean of
          the eye landmarks.
        """
        points = np.asarray(points, np.float64) * self.size
        points[..., :2] += (self.left, self.top)
        return points


def to_normalized_each(points: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """Applies `Window.to_normalized` to many frames in the time of a single frame.

    Args:
      points: float64 (N, 68, 3), landmarks in source pixels.
      windows: N windows, one for each frame.

    Returns:
      float64 (N, 68, 3), normalised.
    """
    edges = np.array([(w.left, w.top, w.size) for w in windows], np.float64)
    edges = edges.reshape(-1, 1, 3)
    return _normalized(points, edges[..., :2], edges[..., 2:])


def _normalized(points: np.ndarray, corner: np.ndarray, size: Any) -> np.ndarray:
    xy = (points[..., :2] - corner) / size
    if points.shape[-1] == 2:
        return xy
    z = points[..., 2:]
    z = (z - z[..., topology.EYES, :].mean(axis=-2, keepdims=True)) / size
    return np.concatenate([xy, z], axis=-1)


def windows_around(boxes: np.ndarray, context: float) -> np.ndarray:
    """Returns windows around face boxes. Their edges are edges of source pixels.

    Because a window consists of whole pixels, a crop is a slice of the frame and does
    not have to be resampled.

    Args:
      boxes: (N, 4) face boxes x0, y0, x1, y1, in source pixels.
      context: Side of a window divided by the longer side of its box.

    Returns:
      float64 (N, 3): left, top, size in source pixels.

    Raises:
      ValueError: A box is not finite or its longer side is not positive.
    """
    # Labels are often integers, so the centre of a box is often exactly between two
    # pixels. A box that was stored as float32 must be rounded to the same side as the
    # original box. Without this line, the windows of 1,080 of 3,520 frames of YouTube
    # Faces differed by a pixel.
    boxes = np.asarray(boxes, np.float64).round(3)
    low, high = boxes[:, :2], boxes[:, 2:]
    longer = (high - low).max(axis=1, keepdims=True)
    if not (np.isfinite(boxes).all() and (longer > 0).all()):
        raise ValueError(
            f"A face box must be finite and not empty. Received: boxes={boxes}"
        )
    size = np.maximum(1, np.rint(longer * context))
    # The left edge of pixel k is at k - 0.5.
    corner = np.rint((low + high - size) / 2 + 0.5) - 0.5
    return np.concatenate([corner, size], axis=1)


def window_around(box: np.ndarray, context: float) -> Window:
    """Returns the window around one face box (4,); see `windows_around`."""
    return Window(*windows_around(np.asarray(box)[None], context)[0].tolist())


def cut(image: np.ndarray, window: Window, fill: float = 0) -> np.ndarray:
    """Copies a window of whole pixels out of an image, without resampling.

    Args:
      image: (H, W) or (H, W, C), in source pixels.
      window: Result of `window_around`. It may extend beyond the image.
      fill: Value of the pixels outside the image.

    Returns:
      (size, size) or (size, size, C), C-contiguous, with the dtype of the image.

    Raises:
      ValueError: The edges of the window are not edges of pixels.
    """
    left, top, size = window.left + 0.5, window.top + 0.5, window.size
    if any(v != round(v) for v in (left, top, size)):
        raise ValueError(
            f"The window must consist of whole pixels. Received: window={window}"
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
    """Resizes a square crop: area averaging to shrink it, bilinear to enlarge it.

    Args:
      crop: (S, S) or (S, S, C), uint8 or float32.
      size: Width and height of the result, in pixels.

    Returns:
      (size, size) or (size, size, C), with the dtype of the crop.
    """
    if crop.shape[0] == size:
        return crop
    shrinks = size < crop.shape[0]
    return cv2.resize(
        crop,
        (size, size),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
