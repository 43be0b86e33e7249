"""The window with the contact sheet: the best frame of each person so far."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final

from gui.drawing import contact_sheet, palette
from gui.drawing.contact_sheet import arrange, draw_contact_sheet
from gui.viewer.history import History, Person
from gui.viewer.summary import portraits
from gui.widgets.panels import PicturePanel
from gui.widgets.theme import Palette

REFRESH_MS: Final = 1000
"""Milliseconds between two looks for new people."""

SIZE: Final = (640, 420)
"""Width and height of the window, in reference pixels."""


class PeopleWindow(tk.Toplevel):
    """Shows the people while the video is played. A click goes to the best frame.

    Attributes:
      people: The people on the sheet, in its order.
      sheet: The picture.
    """

    def __init__(
        self,
        root: tk.Tk,
        history: History,
        colors: Palette,
        ratio: float,
        *,
        on_choose: Callable[[Person], None],
        on_save: Callable[[], None],
    ) -> None:
        """Opens the window. Escape closes it.

        Args:
          root: The main window.
          history: What was found so far.
          colors: The theme.
          ratio: Screen pixels per reference pixel.
          on_choose: Called with the person whose picture is clicked.
          on_save: Function of the button "Save".
        """
        super().__init__(root, background=colors.window)
        self.title("People")
        self.transient(root)
        self.geometry("x".join(str(round(side * ratio)) for side in SIZE))
        self.people: list[Person] = []
        self._history, self._on_choose = history, on_choose
        self._cell = round(contact_sheet.CELL * min(ratio, 2.0))
        self._grid = arrange(())
        self._drawn: tuple[int, int] | None = None
        pad = round(10 * ratio)
        bar = ttk.Frame(self, padding=pad)
        bar.pack(side="bottom", fill="x")
        self._hint = ttk.Label(bar, style="Muted.TLabel")
        self._hint.pack(side="left")
        ttk.Button(bar, text="Save …", command=on_save).pack(side="right")
        self._bar = ttk.Scrollbar(self, orient="vertical")
        self.sheet = PicturePanel(self, cursor="hand2", yscrollcommand=self._bar.set)
        self.sheet.pack(side="left", fill="both", expand=True)
        self._bar.configure(command=self.sheet.yview)
        self.sheet.bind("<Button-1>", self._click)
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.sheet.bind(event, self._wheel)
        self.bind("<Escape>", lambda _: self.destroy())
        self.restyle(colors)
        self._after = self.after(REFRESH_MS, self._tick)
        self.focus_set()

    def restyle(self, colors: Palette) -> None:
        """Applies a theme."""
        self._ink = palette.Ink(
            background=colors.rgb("panel"),
            muted=colors.rgb("muted"),
            text=colors.rgb("text"),
        )
        self.configure(background=colors.window)
        self.sheet.configure(background=colors.panel)
        self._drawn = None
        self.refresh()

    def refresh(self) -> None:
        """Draws the sheet again if the people or the width have changed."""
        width = max(self.sheet.winfo_width(), self._cell)
        wanted = (self._history.version, width)
        if wanted == self._drawn:
            return
        self._drawn = wanted
        self.people = self._history.people()
        pictures = portraits(self.people)
        self._grid = arrange(pictures, width=width, cell=self._cell)
        sheet = draw_contact_sheet(pictures, self._grid, ink=self._ink)
        self.sheet.show(sheet)
        self.sheet.configure(scrollregion=(0, 0, sheet.shape[1], sheet.shape[0]))
        if sheet.shape[0] > self.sheet.winfo_height() > 1:
            self._bar.pack(side="right", fill="y", before=self.sheet)
        else:
            self._bar.pack_forget()
        count = len(self.people)
        self._hint.configure(
            text="Click a picture to go to its frame."
            if count
            else "Nobody was seen yet. Play the video."
        )

    def destroy(self) -> None:
        """Closes the window and releases its picture."""
        self.after_cancel(self._after)
        self.sheet.clear()
        super().destroy()

    def _tick(self) -> None:
        self.refresh()
        self._after = self.after(REFRESH_MS, self._tick)

    def _click(self, event: tk.Event) -> None:
        x, y = self.sheet.canvasx(event.x), self.sheet.canvasy(event.y)
        number = self._grid.at(x, y, len(self.people))
        if number is not None:
            self._on_choose(self.people[number])

    def _wheel(self, event: tk.Event) -> None:
        up = event.num == 4 or event.delta > 0
        self.sheet.yview_scroll(-2 if up else 2, "units")
