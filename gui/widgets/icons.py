"""Icons of the play bar, drawn: fonts with these signs are not on every machine."""

from __future__ import annotations

import tkinter as tk
from typing import Final

from PIL import Image, ImageDraw, ImageTk

# Polygons in a square of side 1.
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
      name: "play", "pause", "next", "previous", "app", "box" (an empty check box) or
        "tick" (a full one).
      size: side, pixels.
      color: "#rrggbb".
      master: widget of the window that it is for.
      fill: second colour of "app", "box" and "tick".
    """
    fine = 8 * size
    if name == "app":
        image = Image.new("RGBA", (fine, fine), (0, 0, 0, 0))
        draw = ImageDraw.Draw(image)
        draw.rounded_rectangle((0, 0, fine - 1, fine - 1), fine // 5, fill)
        for x, y, r in (
            (0.34, 0.38, 0.075),
            (0.66, 0.38, 0.075),
            (0.5, 0.56, 0.055),
            (0.36, 0.7, 0.045),
            (0.5, 0.75, 0.045),
            (0.64, 0.7, 0.045),
        ):
            box = [fine * v for v in (x - r, y - r, x + r, y + r)]
            draw.ellipse(box, fill=color)
    elif name in ("box", "tick"):
        image = Image.new("RGBA", (fine, fine), (0, 0, 0, 0))
        draw = ImageDraw.Draw(image)
        area, corner = (4, 4, fine - 5, fine - 5), fine // 5
        if name == "box":
            draw.rounded_rectangle(area, corner, fill, color, fine // 14)
        else:
            draw.rounded_rectangle(area, corner, color)
            tick = [(0.24, 0.52), (0.43, 0.7), (0.77, 0.31)]
            points = [(fine * x, fine * y) for x, y in tick]
            draw.line(points, fill, fine // 8, joint="curve")
    else:
        image = Image.new("L", (fine, fine), 0)
        draw = ImageDraw.Draw(image)
        for shape in _SHAPES[name]:
            draw.polygon([(fine * x, fine * y) for x, y in shape], fill=255)
        tinted = Image.new("RGBA", (fine, fine), color)
        tinted.putalpha(image)
        image = tinted
    small = image.resize((size, size), Image.Resampling.LANCZOS)
    return ImageTk.PhotoImage(small, master=master)
