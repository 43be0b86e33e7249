"""Icons, drawn here because not every machine has a font with these symbols."""

from __future__ import annotations

import tkinter as tk
from typing import Final

from PIL import Image, ImageDraw, ImageTk

# Polygons in a unit square, x right, y down.
_SHAPES: Final[dict[str, list[list[tuple[float, float]]]]] = {
    "play": [[(0.25, 0.12), (0.88, 0.5), (0.25, 0.88)]],
    "pause": [
        [(0.22, 0.14), (0.42, 0.14), (0.42, 0.86), (0.22, 0.86)],
        [(0.58, 0.14), (0.78, 0.14), (0.78, 0.86), (0.58, 0.86)],
    ],
    "next": [
        [(0.2, 0.16), (0.66, 0.5), (0.2, 0.84)],
        [(0.68, 0.16), (0.82, 0.16), (0.82, 0.84), (0.68, 0.84)],
    ],
    "save": [
        [(0.42, 0.06), (0.58, 0.06), (0.58, 0.4), (0.42, 0.4)],
        [(0.22, 0.38), (0.78, 0.38), (0.5, 0.7)],
        [(0.12, 0.8), (0.88, 0.8), (0.88, 0.94), (0.12, 0.94)],
    ],
    "previous": [
        [(0.8, 0.16), (0.34, 0.5), (0.8, 0.84)],
        [(0.18, 0.16), (0.32, 0.16), (0.32, 0.84), (0.18, 0.84)],
    ],
}


def icon(
    name: str, size: int, color: str, master: tk.Misc, *, fill: str = "#1e2127"
) -> ImageTk.PhotoImage:
    """Draws an icon.

    Args:
      name: "play", "pause", "next", "previous", "save", "app", "box" (an empty check
        box) or "tick" (a ticked check box).
      size: Width and height, in pixels.
      color: Colour of the symbol, "#rrggbb".
      master: Any widget of the window that shows the icon.
      fill: Second colour of "app", "box" and "tick", "#rrggbb".
    """
    fine = 8 * size  # drawn at eight times the size, for smooth edges
    if name in _SHAPES:
        image = _polygons(_SHAPES[name], fine, color)
    elif name == "app":
        image = _app(fine, color, fill)
    else:
        image = _check_box(fine, color, fill, ticked=name == "tick")
    small = image.resize((size, size), Image.Resampling.LANCZOS)
    return ImageTk.PhotoImage(small, master=master)


def _polygons(
    shapes: list[list[tuple[float, float]]], side: int, color: str
) -> Image.Image:
    mask = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(mask)
    for shape in shapes:
        draw.polygon([(side * x, side * y) for x, y in shape], fill=255)
    image = Image.new("RGBA", (side, side), color)
    image.putalpha(mask)
    return image


def _app(side: int, color: str, fill: str) -> Image.Image:
    """The icon of the application: a face of six dots."""
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, side - 1, side - 1), side // 5, fill)
    for x, y, radius in (
        (0.34, 0.38, 0.075),
        (0.66, 0.38, 0.075),
        (0.5, 0.56, 0.055),
        (0.36, 0.7, 0.045),
        (0.5, 0.75, 0.045),
        (0.64, 0.7, 0.045),
    ):
        box = [side * v for v in (x - radius, y - radius, x + radius, y + radius)]
        draw.ellipse(box, fill=color)
    return image


def _check_box(side: int, color: str, fill: str, *, ticked: bool) -> Image.Image:
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    area, corner = (4, 4, side - 5, side - 5), side // 5
    if not ticked:
        draw.rounded_rectangle(area, corner, fill, color, side // 14)
        return image
    draw.rounded_rectangle(area, corner, color)
    tick = [(0.24, 0.52), (0.43, 0.7), (0.77, 0.31)]
    line = [(side * x, side * y) for x, y in tick]
    draw.line(line, fill, side // 8, joint="curve")
    return image
