"""Panels that show pictures."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from PIL import Image, ImageTk

from gui.drawing.surface import Rotation

DEGREES_PER_WIDTH: Final = 180.0
"""Rotation of a surface, in degrees, when the mouse crosses the whole panel."""

MAX_PITCH: Final = 85.0
"""Largest rotation of a surface about the horizontal axis, in degrees."""


class PicturePanel(tk.Canvas):
    """A canvas with one picture of its own size.

    The picture's PhotoImage is reused: a new one for each frame takes twice as long and
    leaks memory in some versions of Tk.
    """

    def __init__(self, master: tk.Misc, **options: Any) -> None:
        super().__init__(
            master, highlightthickness=0, borderwidth=0, takefocus=False, **options
        )
        self._photo: ImageTk.PhotoImage | None = None
        self._item = self.create_image(0, 0, anchor="nw")
        self._hint = self.create_text(0, 0, text="", justify="center")
        self.bind("<Configure>", self._place_hint, add="+")

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height, in screen pixels."""
        return self.winfo_width(), self.winfo_height()

    def show(self, picture: np.ndarray) -> None:
        """Replaces the picture by uint8 (H, W, 3) RGB."""
        image = Image.fromarray(picture)
        photo = self._photo
        if photo is None or (photo.width(), photo.height()) != image.size:
            self._photo = ImageTk.PhotoImage(image, master=self)
            self.itemconfigure(self._item, image=self._photo)
        else:
            photo.paste(image)

    def clear(self) -> None:
        """Removes the picture."""
        self._photo = None
        self.itemconfigure(self._item, image="")

    def set_hint(self, text: str, color: str) -> None:
        """Shows a text in the middle, for a panel without a picture."""
        self.itemconfigure(self._hint, text=text, fill=color)

    def _place_hint(self, event: tk.Event) -> None:
        self.coords(self._hint, event.width / 2, event.height / 2)
        self.itemconfigure(self._hint, width=0.9 * event.width)


class DividedPanel(PicturePanel):
    """A panel with two pictures beside each other. Dragging moves the line.

    Attributes:
      divider: Share of the left picture, 0 to 1.
    """

    def __init__(
        self, master: tk.Misc, on_change: Callable[[], None], **options: Any
    ) -> None:
        """Creates the panel.

        Args:
          master: Parent widget.
          on_change: Called when the user has moved the line.
          **options: Options of the canvas.
        """
        super().__init__(master, cursor="sb_h_double_arrow", **options)
        self.divider = 0.5
        self._on_change = on_change
        self.bind("<ButtonPress-1>", self._drag)
        self.bind("<B1-Motion>", self._drag)

    def _drag(self, event: tk.Event) -> None:
        self.divider = min(1.0, max(0.0, event.x / max(1, self.winfo_width() - 1)))
        self._on_change()


class RotatablePanel(PicturePanel):
    """A panel whose picture is rotated by dragging the mouse.

    Attributes:
      rotation: The rotation. A double click resets it.
    """

    def __init__(
        self, master: tk.Misc, on_change: Callable[[], None], **options: Any
    ) -> None:
        """Creates the panel.

        Args:
          master: Parent widget.
          on_change: Called when the rotation has changed.
          **options: Options of the canvas.
        """
        super().__init__(master, cursor="fleur", **options)
        self.rotation = Rotation()
        self._from = (0, 0)
        self._on_change = on_change
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<Double-Button-1>", lambda _: self.reset())

    def rotate(self, yaw: float, pitch: float) -> None:
        """Rotates the surface further, in degrees."""
        pitch = min(MAX_PITCH, max(-MAX_PITCH, self.rotation.pitch + pitch))
        yaw = (self.rotation.yaw + yaw + 180) % 360 - 180
        self.rotation = Rotation(yaw, pitch)
        self._on_change()

    def reset(self) -> None:
        """Shows the surface in the default view."""
        self.rotation = Rotation()
        self._on_change()

    def _press(self, event: tk.Event) -> None:
        self._from = (event.x, event.y)

    def _drag(self, event: tk.Event) -> None:
        x, y = self._from
        self._from = (event.x, event.y)
        degrees = DEGREES_PER_WIDTH / max(1, self.winfo_width())
        self.rotate((event.x - x) * degrees, (y - event.y) * degrees)
