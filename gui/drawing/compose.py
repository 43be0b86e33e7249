"""The picture of one frame: source with landmarks, reconstruction beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_model.footage.tracker import TrackedFace
from ethos_model.predict import Face
from gui.drawing import surface
from gui.drawing.overlay import OverlayOptions, draw_faces, put_text, resized

BACKGROUND: Final = (24, 26, 31)

RECONSTRUCTIONS: Final = ("restored", "depth", "shaded", "surface")


def tile(
    face: Face,
    kind: str,
    size: int,
    *,
    background: tuple[int, int, int] = BACKGROUND,
    turn: surface.Turn | None = None,
    texture: bool = False,
) -> np.ndarray:
    """One reconstruction of a face.

    Args:
      face: Prediction for one face.
      kind: "restored" (the network's clean grey face), "depth" (colour map), "shaded"
        (lit from the front) or "surface" (turned).
      size: side, pixels.
      background: RGB where there is no face.
      turn: of the surface; None = the standing view.
      texture: the surface shows the restored face instead of clay.

    Returns:
      uint8 (size, size, 3) RGB.
    """
    if kind == "restored":
        grey = np.clip(255 * np.nan_to_num(face.restored), 0, 255).astype(np.uint8)
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
        return cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    if kind == "surface":
        skin = tile(face, "restored", size) if texture else None
        height = surface.heights(face, size)
        return surface.turned(height, turn or surface.Turn(), size, background, skin)
    # Colours are found at the picture's size: small tiles enlarged would show blocks.
    if kind == "depth":
        return surface.color_map(surface.heights(face, size), background)
    if kind == "shaded":
        return surface.shaded(surface.heights(face, size), background)
    raise ValueError(f"One of {RECONSTRUCTIONS}. Received: kind={kind}")


def beside(
    image: np.ndarray,
    faces: Sequence[TrackedFace],
    *,
    scale: float = 1.0,
    options: OverlayOptions | None = None,
    kinds: Sequence[str] = ("restored", "depth"),
) -> np.ndarray:
    """Source with landmarks at the left, a column of reconstructions at the right.

    Args:
      image: uint8 (H, W, 3) RGB.
      faces: of this frame; the reconstructions show the first.
      scale: picture pixels per source pixel.
      options: of the overlay.
      kinds: from top to bottom; () leaves the column out.

    Returns:
      uint8 (H', W', 3) RGB with even sides, as video codecs want them.
    """
    canvas = resized(image, scale)
    draw_faces(canvas, faces, options or OverlayOptions(), scale=scale)
    if not faces:
        put_text(canvas, "no face", (8, canvas.shape[0] - 8), (255, 170, 60))
    if kinds:
        side = canvas.shape[0] // len(kinds)
        column = np.empty((canvas.shape[0], side, 3), np.uint8)
        column[:] = BACKGROUND
        for row, kind in enumerate(kinds):
            part = column[row * side : (row + 1) * side]
            if faces:
                part[:] = tile(faces[0].face, kind, side)
            put_text(part, kind, (6, side - 6), height=max(9, side // 24))
        canvas = np.concatenate([canvas, column], axis=1)
    height, width = canvas.shape[:2]
    return np.ascontiguousarray(canvas[: height - height % 2, : width - width % 2])
