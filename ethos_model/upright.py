"""A second look at faces that are turned in the image plane.

The network is trained mostly with upright faces. Its landmarks of a face that lies on
its side or is upside down are good enough to see by how much the face is turned. The
face is then sampled upright and predicted again, and the result is turned back.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import cv2
import numpy as np

from ethos_data import crop, topology

LIMIT: Final = 40.0
"""Angle in degrees from which a face is predicted again. Training turns all images by
up to 30 degrees, so the network reads such faces as well as upright ones."""

_UPPER: Final = np.r_[17:27, 36:48]  # brows and eyes
_LOWER: Final = np.r_[6:11, 48:68]  # chin and mouth


@dataclasses.dataclass(frozen=True)
class TurnedWindow:
    """A square of the frame whose sides are parallel to the axes of a face.

    Attributes:
      center: float64 (2,), x and y of the centre, in source pixels.
      size: Width and height, in source pixels.
      angle: Angle of the face in radians. A positive angle turns an upright face from
        x towards y: its top moves to the right of the image.
    """

    center: np.ndarray
    size: float
    angle: float

    @property
    def axes(self) -> np.ndarray:
        """Directions of the window's x and y in the frame, as columns, (2, 2)."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cos, -sin], [sin, cos]])

    def image(self, frame: np.ndarray, size: int) -> np.ndarray:
        """Samples the window.

        Args:
          frame: uint8 (H, W, 3).
          size: Width and height of the result.

        Returns:
          uint8 (size, size, 3), 0 outside the frame.
        """
        # As many pixels as the frame has, so that shrinking averages areas.
        side = max(round(self.size), size)
        step = self.size / side
        linear = self.axes * step
        offset = self.center - linear @ np.full(2, (side - 1) / 2)
        turned = cv2.warpAffine(
            frame,
            np.column_stack([linear, offset]),
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        return crop.resize(turned, size)

    def to_source(self, points: np.ndarray) -> np.ndarray:
        """Converts normalised positions in the window to source pixels.

        Args:
          points: (N, 3), x and y from 0 to 1 in the window, z in the same unit.

        Returns:
          float64 (N, 3), in source pixels.
        """
        points = np.asarray(points, np.float64)
        xy = self.center + self.size * (points[:, :2] - 0.5) @ self.axes.T
        return np.column_stack([xy, self.size * points[:, 2]])

    def map_in(self, window: crop.Window, values: np.ndarray) -> np.ndarray:
        """Samples a map that covers this window in a window without a turn.

        Args:
          window: The other window.
          values: float32 (D, D).

        Returns:
          float32 (D, D). Beyond the edges, the values at the edges are repeated.
        """
        side = len(values)
        linear = self.axes.T * (window.size / self.size)
        corner = np.array([window.left, window.top]) + 0.5 * window.size / side
        first = (corner - self.center) @ self.axes / self.size + 0.5
        return cv2.warpAffine(
            values,
            np.column_stack([linear, first * side - 0.5]),
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def angle_of(landmarks: np.ndarray) -> float:
    """Returns the angle of a face in the image plane; see `TurnedWindow`.

    The direction from mouth and chin to eyes and brows is used, because it can be seen
    in a profile as well.

    Args:
      landmarks: (68, 2) or (68, 3), y points down.

    Returns:
      Radians, from -pi to pi. 0 for an upright face.
    """
    up = landmarks[_UPPER, :2].mean(axis=0) - landmarks[_LOWER, :2].mean(axis=0)
    return math.atan2(up[0], -up[1])


def quarter_turns(landmarks: np.ndarray) -> int:
    """Returns how often an image must be turned left by 90 degrees for a face.

    Args:
      landmarks: (68, 2) or (68, 3), y points down.

    Returns:
      0 to 3. Afterwards the face is turned by at most 45 degrees.
    """
    return round(angle_of(landmarks) / (math.pi / 2)) % 4


def turned_window(landmarks: np.ndarray, context: float) -> TurnedWindow | None:
    """Returns the window of a turned face, or None if the face is nearly upright.

    Args:
      landmarks: (68, 2) or (68, 3), in source pixels.
      context: Side of the window divided by the longer side of the face box.
    """
    angle = angle_of(landmarks)
    if abs(angle) < math.radians(LIMIT):
        return None
    axes = TurnedWindow(np.zeros(2), 1.0, angle).axes
    box = topology.face_box(landmarks[:, :2].astype(np.float64) @ axes)
    low, high = box[:2], box[2:]
    size = context * float((high - low).max())
    if not size >= 1:
        return None
    return TurnedWindow(axes @ (low + high) / 2, size, angle)
