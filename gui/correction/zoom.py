"""The part of a frame that a panel shows, enlarged."""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

MIN_SCALE: Final = 0.05
MAX_SCALE: Final = 64.0
"""Limits of the enlargement, in screen pixels per source pixel."""

CONTEXT: Final = 1.5
"""Shorter side of the panel divided by the longer side of the face box after `fit`."""


@dataclasses.dataclass(frozen=True)
class Zoom:
    """Connects source pixels with the pixels of a panel.

    Attributes:
      scale: Screen pixels per source pixel.
      x: Horizontal place of the panel's centre, in source pixels.
      y: Vertical place of the panel's centre, in source pixels.
      width: Width of the panel, in screen pixels.
      height: Height of the panel, in screen pixels.
    """

    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0
    width: int = 1
    height: int = 1

    @property
    def _origin(self) -> np.ndarray:
        """Place of source pixel (0, 0) in the panel."""
        return np.array([self.width / 2, self.height / 2]) - self.scale * np.array(
            [self.x, self.y]
        )

    def to_screen(self, points: np.ndarray) -> np.ndarray:
        """Converts source pixels (..., 2) into pixels of the panel, float64."""
        return self.scale * np.asarray(points, np.float64) + self._origin

    def to_source(self, points: np.ndarray) -> np.ndarray:
        """Converts pixels of the panel (..., 2) into source pixels, float64."""
        return (np.asarray(points, np.float64) - self._origin) / self.scale

    def fit(self, box: np.ndarray) -> Zoom:
        """Shows a face box (4,) in the middle, as large as possible."""
        box = np.asarray(box, np.float64)
        side = max(float((box[2:] - box[:2]).max()), 1.0)
        x, y = ((box[:2] + box[2:]) / 2).tolist()
        scale = min(self.width, self.height) / (CONTEXT * side)
        return dataclasses.replace(self, scale=_limited(scale), x=x, y=y)

    def at(self, place: tuple[float, float], factor: float) -> Zoom:
        """Enlarges by a factor. The source pixel at `place` stays there."""
        scale = _limited(self.scale * factor)
        fixed = self.to_source(np.array(place))
        offset = np.array(place) - (self.width / 2, self.height / 2)
        x, y = (fixed - offset / scale).tolist()
        return dataclasses.replace(self, scale=scale, x=x, y=y)

    def moved(self, dx: float, dy: float) -> Zoom:
        """Moves the picture in the panel, in screen pixels."""
        x, y = self.x - dx / self.scale, self.y - dy / self.scale
        return dataclasses.replace(self, x=x, y=y)

    def resized(self, width: int, height: int) -> Zoom:
        """The same place in a panel of another size."""
        return dataclasses.replace(self, width=max(1, width), height=max(1, height))

    def picture(
        self, image: np.ndarray, background: tuple[int, int, int]
    ) -> np.ndarray:
        """Draws the part of a frame that the panel shows.

        Args:
          image: uint8 (H, W, 3) RGB, the frame.
          background: RGB outside of the frame.

        Returns:
          uint8 (height, width, 3) RGB.
        """
        first, step = np.zeros(2), np.ones(2)  # of the pixels to draw, in source pixels
        if self.scale < 1:
            image, first, step = self._reduced(image)
        dx, dy = self.to_screen(first)
        method = cv2.INTER_CUBIC if self.scale > 1 else cv2.INTER_LINEAR
        return cv2.warpAffine(
            image,
            np.array([[self.scale * step[0], 0, dx], [0, self.scale * step[1], dy]]),
            (self.width, self.height),
            flags=method,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=background,
        )

    def _reduced(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The visible part of a frame, in about the resolution of the panel.

        `cv2.warpAffine` reads at most 2 x 2 pixels for each pixel of the panel, so that
        a frame that is made much smaller has to be averaged before.

        Args:
          image: uint8 (H, W, 3), the frame.

        Returns:
          The part, uint8 (h, w, 3); the centre of its first pixel and the distance of
          its pixels, each float64 (2,) in source pixels.
        """
        # Two pixels of the panel more, so that the background is not mixed in.
        corners = np.array([(-2.0, -2.0), (self.width + 2.0, self.height + 2.0)])
        size = np.array(image.shape[1::-1])
        low, high = self.to_source(corners)
        low = np.clip(np.floor(low), 0, size - 1).astype(int)
        high = np.clip(np.ceil(high) + 1, low + 1, size).astype(int)
        part = image[low[1] : high[1], low[0] : high[0]]
        columns, rows = np.maximum(np.round((high - low) * self.scale), 1).astype(int)
        reduced = cv2.resize(
            part, (int(columns), int(rows)), interpolation=cv2.INTER_AREA
        )
        # The edges of the part are those of the reduced part, whose size is rounded.
        step = (high - low) / (columns, rows)
        return reduced, low - 0.5 + step / 2, step


def _limited(scale: float) -> float:
    return min(MAX_SCALE, max(MIN_SCALE, scale))
