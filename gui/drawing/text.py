"""Draws text into pictures, with the font that Pillow contains."""

from __future__ import annotations

import functools
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ethos_data.drawing import Color
from gui.drawing import palette

CAPITAL: Final = 0.72
"""Height of a capital letter divided by the size of the font."""


def put_text(
    canvas: np.ndarray,
    text: str,
    origin: tuple[int, int],
    color: Color = palette.WHITE,
    *,
    height: int | None = None,
    anchor: str = "ls",
    outline: bool = True,
) -> None:
    """Draws a line of text. It is moved as little as necessary to be inside the canvas.

    Example:
      put_text(frame, "person 2", (x0, y0 - 5), palette.person(2))

    Args:
      canvas: uint8 (H, W, 3) RGB, changed in place.
      text: The text.
      origin: x and y of the anchor, in canvas pixels.
      color: RGB, 0 to 255.
      height: Height of a capital letter, in pixels; None for 1/40 of the shorter side
        of the canvas, at least 9.
      anchor: Part of the text that is placed at `origin`, as in Pillow: "l" left, "m"
        middle or "r" right; then "s" baseline or "m" middle.
      outline: Whether the text has a dark outline, which makes it legible on any
        picture.
    """
    height = height or max(9, round(min(canvas.shape[:2]) / 40))
    mask, shadow, base = _masks(text, height)
    rows, columns = mask.shape[:2]
    left = origin[0] - round({"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * columns)
    top = origin[1] - (base if anchor[1] == "s" else base - height // 2)
    left = max(0, min(left, canvas.shape[1] - columns))
    top = max(0, min(top, canvas.shape[0] - rows))
    part = canvas[top : top + rows, left : left + columns]
    if outline:
        _blend(part, shadow, palette.SHADOW)
    _blend(part, mask, color)


def text_width(text: str, height: int) -> int:
    """Width of a text, in pixels.

    Args:
      text: The text.
      height: Height of a capital letter, in pixels.
    """
    return _masks(text, height)[0].shape[1]


def _blend(part: np.ndarray, mask: np.ndarray, color: Color) -> None:
    """Paints a colour through a mask, float32 (H, W, 1) from 0 to 1, in place."""
    mask = mask[: part.shape[0], : part.shape[1]]
    part[:] = np.round(part + mask * (np.array(color, np.float32) - part))


@functools.lru_cache(maxsize=1024)
def _masks(text: str, height: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The coverage of a text and of its outline.

    Returns:
      Two arrays float32 (H, W, 1) from 0 to 1, and the row of the baseline.
    """
    font = _font(round(height / CAPITAL))
    line = max(1, round(height / 8))
    left, top, right, bottom = (round(v) for v in font.getbbox(text, anchor="ls"))
    base = max(height, -top) + line
    size = (right - min(left, 0) + 2 * line, base + max(bottom, height // 3) + line)
    image = Image.new("L", size)
    ImageDraw.Draw(image).text(
        (line - min(left, 0), base), text, 255, font, anchor="ls"
    )
    mask = np.asarray(image, np.float32) / 255
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * line + 1, 2 * line + 1))
    return mask[..., None], cv2.dilate(mask, kernel)[..., None], base


@functools.lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow without FreeType"
    return font
