"""Makes areas of an image unrecognisable: blurred, pixelated or black.

Blurring and pixelating first reduce the area to at most two cells across the face. What
is lost there cannot be restored by sharpening.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

KINDS: Final = ("blur", "pixelate", "box")
"""Ways to hide a face."""

CELLS: Final = {"blur": 2.0, "pixelate": 1.5}
"""Number of cells across the face that remain. The landmark network is trained on bad
images: it recognises 92 % of the faces that are 5 cells wide. With these numbers, its
uncertainty is always that of an image without a face (`python -m benchmarks.hiding`).
"""

_BETWEEN: Final = 8
"""Number of pixels per cell in which a blurred area is smoothed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Cover:
    """An area to hide.

    Attributes:
      box: float64 (4,), x0, y0, x1, y1 in source pixels. It may extend beyond the
        frame.
      face_size: Size of the face in it, sqrt(width * height) of the face box, in source
        pixels.
    """

    box: np.ndarray
    face_size: float


def hide(
    image: np.ndarray,
    covers: Sequence[Cover],
    kind: str,
    *,
    cells: float | None = None,
) -> np.ndarray:
    """Hides areas of an image.

    Args:
      image: uint8 (H, W, 3) RGB.
      covers: The areas.
      kind: One of `KINDS`.
      cells: Number of cells across the face; None for that of `CELLS`.

    Returns:
      uint8 (H, W, 3) RGB. `image` is not changed.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}. Received: {kind!r}")
    cells = cells or CELLS.get(kind, 1.0)
    result = image.copy()
    height, width = image.shape[:2]
    for cover in covers:
        x0, y0 = np.floor(cover.box[:2]).clip(0, (width, height)).astype(int)
        x1, y1 = np.ceil(cover.box[2:] + 1).clip(0, (width, height)).astype(int)
        if x0 < x1 and y0 < y1:
            area = result[y0:y1, x0:x1]
            area[:] = _hidden(area, cover.face_size / cells, kind)
    return result


def _hidden(area: np.ndarray, cell: float, kind: str) -> np.ndarray:
    """The hidden area, of the same shape.

    Args:
      area: uint8 (H, W, 3).
      cell: Side of a cell, in pixels.
      kind: One of `KINDS`.
    """
    if kind == "box":
        return np.zeros_like(area)
    size = area.shape[1::-1]
    counts = [max(1, round(side / cell)) for side in size]
    small = cv2.resize(area, counts, interpolation=cv2.INTER_AREA)
    if kind == "pixelate":
        return cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)
    # Smoothing at a size between both is fast.
    between = [_BETWEEN * count for count in counts]
    smooth = cv2.resize(small, between, interpolation=cv2.INTER_LINEAR)
    smooth = cv2.GaussianBlur(smooth, (0, 0), _BETWEEN / 2)
    return cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR)
