"""A contact sheet: the pictures of people on one page, each with a title and text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.drawing import Color
from gui.drawing import palette
from gui.drawing.text import put_text

CELL: Final = 184
"""Default width and height of a picture on the sheet, in pixels."""

_GAP: Final = 14
_BAR: Final = 4
_TITLE: Final = 11
_LETTERS: Final = 9
_LINE: Final = 20
"""Space between cells, height of the coloured bar, heights of capital letters, and
distance of two lines, in pixels."""


@dataclasses.dataclass(frozen=True, eq=False)
class Portrait:
    """One person on the sheet.

    Attributes:
      picture: uint8 (H, W, 3) RGB of any size. It is fitted into a square.
      title: Text below the picture.
      lines: Further lines of text. They may be empty.
      color: RGB of the bar above the title; None for no bar.
    """

    picture: np.ndarray
    title: str
    lines: Sequence[str] = ()
    color: Color | None = None


@dataclasses.dataclass(frozen=True)
class Grid:
    """The places of the portraits on the sheet.

    Attributes:
      columns: Number of portraits in a row.
      cell: Width and height of a picture, in pixels.
      lines: Number of lines below each title.
    """

    columns: int
    cell: int
    lines: int

    @property
    def height(self) -> int:
        """Height of a portrait with its text, in pixels."""
        return self.cell + _BAR + _TITLE + 9 + 7 + self.lines * _LINE

    def corner(self, number: int) -> tuple[int, int]:
        """Left and top of a portrait, counted from 0, in pixels."""
        row, column = divmod(number, self.columns)
        return (
            _GAP + column * (self.cell + _GAP),
            _GAP + row * (self.height + _GAP),
        )

    def size(self, count: int) -> tuple[int, int]:
        """Width and height of a sheet with `count` portraits, in pixels."""
        rows = -(-max(1, count) // self.columns)
        return (
            _GAP + self.columns * (self.cell + _GAP),
            _GAP + rows * (self.height + _GAP),
        )

    def at(self, x: float, y: float, count: int) -> int | None:
        """Number of the portrait at a point of the sheet; None beside all of them."""
        column, x = divmod(x - _GAP, self.cell + _GAP)
        row, y = divmod(y - _GAP, self.height + _GAP)
        number = int(row * self.columns + column)
        is_inside = 0 <= column < self.columns and x < self.cell and y < self.height
        return number if is_inside and 0 <= number < count else None


def arrange(
    portraits: Sequence[Portrait], *, width: int | None = None, cell: int = CELL
) -> Grid:
    """Decides how many portraits are in a row.

    Args:
      portraits: The portraits.
      width: Width of the sheet, in pixels; None for a sheet about as wide as high.
      cell: Width and height of a picture, in pixels.
    """
    count = max(1, len(portraits))
    lines = max((len(portrait.lines) for portrait in portraits), default=0)
    columns = (
        round(np.sqrt(count * 1.4))
        if width is None
        else ((width - _GAP) // (cell + _GAP))
    )
    return Grid(int(np.clip(columns, 1, count)), cell, lines)


def draw_contact_sheet(
    portraits: Sequence[Portrait],
    grid: Grid | None = None,
    *,
    ink: palette.Ink | None = None,
) -> np.ndarray:
    """Draws portraits in rows.

    Example:
      sheet = draw_contact_sheet(
          [Portrait(crop, "person 1", ["12.4 s on screen"], palette.person(1))]
      )

    Args:
      portraits: The portraits, from left to right and from top to bottom.
      grid: Their places; None for those of `arrange`.
      ink: Colours of background and text; None for a dark sheet.

    Returns:
      uint8 (H, W, 3) RGB. Without portraits it is empty except for the background.
    """
    grid, ink = grid or arrange(portraits), ink or palette.Ink()
    width, height = grid.size(len(portraits))
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = ink.background
    for number, portrait in enumerate(portraits):
        left, top = grid.corner(number)
        cell = sheet[top : top + grid.height, left : left + grid.cell]
        _draw_portrait(cell, portrait, ink)
    return sheet


def _draw_portrait(cell: np.ndarray, portrait: Portrait, ink: palette.Ink) -> None:
    """Draws a portrait into its part of the sheet, in place."""
    side = cell.shape[1]
    cell[:side] = _fitted(portrait.picture, side, ink.background)
    if portrait.color is not None:
        cell[side : side + _BAR] = portrait.color
    y = side + _BAR + _TITLE + 9
    for number, text in enumerate((portrait.title, *portrait.lines)):
        color, height = (ink.muted, _LETTERS) if number else (ink.text, _TITLE)
        put_text(cell, text, (0, y), color, height=height, outline=False)
        y += _LINE


def _fitted(picture: np.ndarray, side: int, background: Color) -> np.ndarray:
    """A picture in the middle of a square.

    Args:
      picture: uint8 (H, W, 3) RGB.
      side: Width and height of the square, in pixels.
      background: RGB of the rest of the square.

    Returns:
      uint8 (side, side, 3) RGB.
    """
    square = np.empty((side, side, 3), np.uint8)
    square[:] = background
    rows, columns = picture.shape[:2]
    scale = side / max(rows, columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, size, interpolation=method)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square
