"""A column that scrolls when the window is too low for it."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


class Scrolled(ttk.Frame):
    """Put widgets into `inside`; a scroll bar comes when there is not enough room."""

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
        self.bind("<Enter>", lambda _: self._listen(True))
        self.bind("<Leave>", lambda _: self._listen(False))

    def restyle(self, background: str) -> None:
        """The canvas is not ttk: its colour is set by hand."""
        self._canvas.configure(background=background)

    def _fit(self, _: tk.Event) -> None:
        wanted = self.inside.winfo_reqwidth(), self.inside.winfo_reqheight()
        self._canvas.configure(width=wanted[0], scrollregion=(0, 0, *wanted))
        if wanted[1] > self._canvas.winfo_height() > 1:
            self._bar.pack(side="right", fill="y")
        else:
            self._bar.pack_forget()
            self._canvas.yview_moveto(0)

    def _listen(self, on: bool) -> None:
        """Takes the mouse wheel while the mouse is over the column."""
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            if on:
                self.bind_all(event, self._wheel)
            else:
                self.unbind_all(event)

    def _wheel(self, event: tk.Event) -> None:
        if self._bar.winfo_ismapped():
            up = event.num == 4 or event.delta > 0
            self._canvas.yview_scroll(-2 if up else 2, "units")
