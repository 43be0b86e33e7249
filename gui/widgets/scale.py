"""A slider that goes where it is clicked."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any


class JumpScale(ttk.Scale):
    """ttk's scale moves by a page when it is clicked beside its handle; this one jumps.

    Attributes:
      dragging: whether the mouse holds it.
    """

    def __init__(
        self, master: tk.Misc, on_move: Callable[[float], None], **options: Any
    ) -> None:
        """Args:
        on_move: takes the new value when a person moves it; `set` does not call it.
        """
        super().__init__(master, takefocus=False, **options)
        self.dragging = False
        self._on_move = on_move
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._go)
        self.bind("<ButtonRelease-1>", self._release)

    def _press(self, event: tk.Event) -> str:
        if not self.instate(["disabled"]):
            self.dragging = True
            self._go(event)
        return "break"

    def _go(self, event: tk.Event) -> str:
        if self.dragging:
            low, high = (float(self.cget(name)) for name in ("from", "to"))
            value = float(self.get(event.x, event.y))
            value = min(max(value, min(low, high)), max(low, high))
            self.set(value)
            self._on_move(value)
        return "break"

    def _release(self, _: tk.Event) -> str:
        self.dragging = False
        return "break"
