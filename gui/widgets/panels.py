"""Pictures in the window: one canvas, one PhotoImage that is reused."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageTk


class PicturePanel(tk.Canvas):
    """Shows uint8 RGB arrays of its own size.

    A new PhotoImage for each frame would cost twice the time of pasting into the old
    one, and leaks in some versions of Tk.
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
        """Width and height on the screen, pixels."""
        return self.winfo_width(), self.winfo_height()

    def show(self, picture: np.ndarray) -> None:
        """Replaces the picture: uint8 (H, W, 3) RGB."""
        image = Image.fromarray(picture)
        photo = self._photo
        if photo is None or (photo.width(), photo.height()) != image.size:
            self._photo = ImageTk.PhotoImage(image, master=self)
            self.itemconfigure(self._item, image=self._photo)
        else:
            photo.paste(image)

    def clear(self) -> None:
        """Shows nothing."""
        self._photo = None
        self.itemconfigure(self._item, image="")

    def set_hint(self, text: str, color: str) -> None:
        """Text in the middle, for when there is no picture."""
        self.itemconfigure(self._hint, text=text, fill=color)

    def _place_hint(self, event: tk.Event) -> None:
        self.coords(self._hint, event.width / 2, event.height / 2)
        self.itemconfigure(self._hint, width=0.9 * event.width)


class TurnablePanel(PicturePanel):
    """A picture that is turned with the mouse."""

    DEGREES_PER_WIDTH = 180.0
    """Dragging across the whole panel turns by this much."""

    def __init__(
        self,
        master: tk.Misc,
        on_turn: Callable[[float, float], None],
        on_reset: Callable[[], None],
        **options: Any,
    ) -> None:
        """Args:
        on_turn: takes degrees of yaw and pitch since the last call.
        on_reset: a double click.
        """
        super().__init__(master, cursor="fleur", **options)
        self._from = (0, 0)
        self._on_turn = on_turn
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<Double-Button-1>", lambda _: on_reset())

    def _press(self, event: tk.Event) -> None:
        self._from = (event.x, event.y)

    def _drag(self, event: tk.Event) -> None:
        x, y = self._from
        self._from = (event.x, event.y)
        degrees = self.DEGREES_PER_WIDTH / max(1, self.winfo_width())
        self._on_turn((event.x - x) * degrees, (y - event.y) * degrees)
