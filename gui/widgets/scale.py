"""A slider that moves to the position that is clicked."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any, Final

STEP: Final = 0.05
"""Step of an arrow key, as a share of the range."""


class JumpScale(ttk.Scale):
    """A slider that moves to the mouse. ttk.Scale moves by one page instead.

    Attributes:
      dragging: Whether the user drags the handle.
    """

    def __init__(
        self, master: tk.Misc, on_move: Callable[[float], None], **options: Any
    ) -> None:
        """Creates the slider.

        Args:
          master: Parent widget.
          on_move: Called with the new value when the user moves the handle. `set` does
            not call it.
          **options: Options of ttk.Scale. With `takefocus=False`, Tab skips it.
        """
        super().__init__(master, **options)
        self.dragging = False
        self._on_move = on_move
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._move)
        self.bind("<ButtonRelease-1>", self._release)
        # ttk's own steps of 1 would cross a range of 0 to 1 at once.
        for key, steps in (("<Left>", -1), ("<Down>", -1), ("<Right>", 1), ("<Up>", 1)):
            self.bind(key, lambda _, steps=steps: self._step(steps))  # type: ignore[misc]

    @property
    def handle(self) -> int:
        """Length of the handle, in screen pixels."""
        return int(ttk.Style(self).lookup("Horizontal.TScale", "sliderlength") or 0)

    def _press(self, event: tk.Event) -> str:
        if not self.instate(["disabled"]):
            self.dragging = True
            self._move(event)
        return "break"

    def _move(self, event: tk.Event) -> str:
        if self.dragging:
            self._move_to(float(self.get(event.x, event.y)))
        return "break"

    def _step(self, steps: int) -> str:
        if not self.instate(["disabled"]):
            low, high = (float(self.cget(name)) for name in ("from", "to"))
            self._move_to(float(self.get()) + steps * STEP * (high - low))
        return "break"

    def _move_to(self, value: float) -> None:
        low, high = (float(self.cget(name)) for name in ("from", "to"))
        value = min(max(value, min(low, high)), max(low, high))
        self.set(value)
        self._on_move(value)

    def _release(self, _: tk.Event) -> str:
        self.dragging = False
        return "break"
