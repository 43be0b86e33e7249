"""Composes pictures: the reconstruction of one face, and a whole annotated frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.drawing import Color
from ethos_model.footage.tracks import TrackedFace
from ethos_model.predict import Face
from gui.drawing import palette, surface
from gui.drawing.overlay import OverlayOptions, draw_faces, resized
from gui.drawing.text import put_text

BACKGROUND: Final = palette.Ink.background
"""RGB of areas without a face."""

RECONSTRUCTIONS: Final = ("restored", "depth", "shaded", "surface")
"""Kinds of reconstruction; see `tile`."""


def tile(
    face: Face,
    kind: str,
    size: int,
    *,
    background: Color = BACKGROUND,
    rotation: surface.Rotation | None = None,
    texture: bool = False,
) -> np.ndarray:
    """Draws one reconstruction of a face.

    Args:
      face: Prediction for one face.
      kind: One of `RECONSTRUCTIONS`: "restored" is the clean grey face, "depth" the
        depth in colours, "shaded" the surface seen from the front, "surface" the
        rotated surface.
      size: Width and height of the result, in pixels.
      background: RGB where there is no face.
      rotation: Rotation of "surface"; None for the default view.
      texture: Whether "surface" shows the restored face on the surface.

    Returns:
      uint8 (size, size, 3) RGB.
    """
    if kind == "restored":
        grey = np.clip(255 * np.nan_to_num(face.restored), 0, 255).astype(np.uint8)
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
        return cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    if kind not in RECONSTRUCTIONS:
        raise ValueError(f"kind must be one of {RECONSTRUCTIONS}. Received: {kind=}")
    # Drawn at the size of the result: an enlarged small picture would show blocks.
    height = surface.height_map(face, size)
    if kind == "depth":
        return surface.color_map(height, background)
    if kind == "shaded":
        return surface.shaded(height, background)
    skin = tile(face, "restored", size) if texture else None
    rotation = rotation or surface.Rotation()
    return surface.rotated(height, rotation, size, background, skin)


def annotated_frame(
    image: np.ndarray,
    faces: Sequence[TrackedFace],
    *,
    scale: float = 1.0,
    options: OverlayOptions | None = None,
    kinds: Sequence[str] = ("restored", "depth"),
) -> np.ndarray:
    """Draws a frame with its landmarks, and reconstructions in a column at the right.

    Args:
      image: uint8 (H, W, 3) RGB.
      faces: The faces of the frame. The reconstructions show the first.
      scale: Pixels of the result per source pixel.
      options: What to draw over the frame.
      kinds: Kinds of reconstruction from top to bottom; () for no column.

    Returns:
      uint8 (H', W', 3) RGB. H' and W' are even, because video codecs require it.
    """
    frame = image if scale == 1 else resized(image, scale)
    height, width = frame.shape[:2]
    side = height // len(kinds) if kinds else 0
    # The frame and the column are drawn into one array: joining them would copy both.
    picture = np.empty((height, width + side, 3), np.uint8)
    canvas, column = picture[:, :width], picture[:, width:]
    canvas[:] = frame
    draw_faces(canvas, faces, options or OverlayOptions(), scale=scale)
    if not faces:
        put_text(canvas, "no face", (8, height - 8), palette.UNSURE)
    cv2.rectangle(picture, (width, 0), (width + side, height), BACKGROUND, -1)
    for row, kind in enumerate(kinds):
        cell = column[row * side : (row + 1) * side]
        if faces:
            cell[:] = tile(faces[0].face, kind, side)
        put_text(cell, kind, (6, side - 6), height=max(9, side // 24))
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: height - height % 2, : width - width % 2])
