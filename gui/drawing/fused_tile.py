"""Draws a face that was reconstructed from several frames beside its last frame."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ethos_data import crop
from ethos_model.footage.fusion.face_fusion import FusedFace
from gui.drawing import palette

STRONGEST_SIGMA: Final = 32.0
"""Standard deviation, in grey levels, from which the overlay has its full strength."""

_OPACITY: Final = 0.85
"""Opacity of the overlay at its full strength."""


def fused_tile(
    frame_rgb: np.ndarray,
    fused: FusedFace,
    size: int,
    *,
    divider: float = 0.0,
    sigma: bool = False,
) -> np.ndarray:
    """Draws the frame at the left of a line and the reconstructed face at its right.

    Args:
      frame_rgb: uint8 (H, W, 3), the frame of `fused.window`.
      fused: The reconstructed face.
      size: Width and height of the result, in pixels.
      divider: Share of the width that shows the frame, 0 to 1.
      sigma: Whether uncertain parts of the reconstructed face are coloured.

    Returns:
      uint8 (size, size, 3) RGB.
    """
    image = with_sigma(fused) if sigma else fused.image
    picture = crop.resize(image, size).copy()  # it is drawn on
    column = round(divider * size)
    if column > 0:
        frame = crop.resize(crop.cut(frame_rgb, fused.window), size)
        picture[:, :column] = frame[:, :column]
    if 0 < column < size:
        cv2.line(picture, (column, 0), (column, size - 1), palette.SHADOW, 3)
        cv2.line(picture, (column, 0), (column, size - 1), palette.WHITE, 1)
    return picture


def with_sigma(fused: FusedFace) -> np.ndarray:
    """The reconstructed face with the colour `palette.UNSURE` over uncertain parts.

    The opacity grows with sigma, up to `STRONGEST_SIGMA`.

    Returns:
      uint8 (S, S, 3) RGB.
    """
    opacity = _OPACITY * np.clip(fused.sigma / STRONGEST_SIGMA, 0, 1)[..., None]
    color = np.array(palette.UNSURE, np.float32)
    return np.rint(fused.image + opacity * (color - fused.image)).astype(np.uint8)
