"""A column of widgets that can be scrolled."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


class Scrolled(ttk.Frame):
    """A column with a scroll bar, which appears when the window is too low.

    Attributes:
      inside: Parent of the widgets in the column.
    """

    def __init__(self, master: tk.Misc) -> None:
        super().__init__(master)
        self._canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, width=10)
        self._bar = ttk.Scrollbar(self, orient="vertical", command=self._canvas.yview)
        self._canvas.configure(yscrollcommand=self._bar.set)
        self._canvas.pack(side="left", fill="both", expand=True)
        self.inside = ttk.Frame(self._canvas)
        self._canvas.create_window(0, 0, anchor="nw", window=self.inside)
        self.inside.bind("<Configure>", self._fit)
        self._canvas.bind("<Configure>", self._fit)
        self.winfo_toplevel().bind("<FocusIn>", self._reveal, add="+")
        self.bind("<Enter>", lambda _: self._bind_wheel(True))
        self.bind("<Leave>", lambda _: self._bind_wheel(False))

    def restyle(self, background: str) -> None:
        """Sets the background. ttk styles do not apply to a canvas."""
        self._canvas.configure(background=background)

    def _fit(self, _: tk.Event) -> None:
        """Adapts the width to the widgets, and shows or hides the scroll bar."""
        width, height = self.inside.winfo_reqwidth(), self.inside.winfo_reqheight()
        self._canvas.configure(width=width, scrollregion=(0, 0, width, height))
        if height > self._canvas.winfo_height() > 1:
            self._bar.pack(side="right", fill="y")
        else:
            self._bar.pack_forget()
            self._canvas.yview_moveto(0)

    def _reveal(self, event: tk.Event) -> None:
        """Scrolls to a widget of the column that receives the focus by Tab."""
        inside = str(self.inside)
        if not str(event.widget).startswith(f"{inside}.") or self._fits():
            return
        top = event.widget.winfo_rooty() - self.inside.winfo_rooty()
        bottom = top + event.widget.winfo_height()
        shown = self._canvas.canvasy(0)
        view = self._canvas.winfo_height()
        if not shown <= top <= bottom <= shown + view:
            whole = self.inside.winfo_reqheight()
            self._canvas.yview_moveto(max(0.0, bottom - view) / whole)

    def _fits(self) -> bool:
        """Whether the whole column is visible."""
        return self.inside.winfo_reqheight() <= self._canvas.winfo_height()

    def _bind_wheel(self, on: bool) -> None:
        """Uses the mouse wheel while the mouse is over the column."""
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            if on:
                self.bind_all(event, self._wheel)
            else:
                self.unbind_all(event)

    def _wheel(self, event: tk.Event) -> None:
        if self._bar.winfo_ismapped():
            up = event.num == 4 or event.delta > 0
            self._canvas.yview_scroll(-2 if up else 2, "units")
