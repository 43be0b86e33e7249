"""A row of buttons that continues in a further line where the window is narrow."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


class ButtonRow(ttk.Frame):
    """Widgets beside each other, in as many lines as their width needs.

    The row has the width that its parent gives it, and asks for the height of its
    lines. Widgets with `right=True` are at the right end of the last line.
    """

    def __init__(self, master: tk.Misc, gap: int) -> None:
        """Creates an empty row.

        Args:
          master: Parent widget.
          gap: Distance of the widgets and of the lines, in screen pixels.
        """
        super().__init__(master, width=1, height=1)
        self._gap = gap
        self._left: list[tk.Widget] = []
        self._right: list[tk.Widget] = []
        self._hidden: set[tk.Widget] = set()
        self.bind("<Configure>", lambda _: self.lay_out())

    def add(self, widget: tk.Widget, *, right: bool = False) -> None:
        """Adds a child of the row after the widgets that it contains."""
        (self._right if right else self._left).append(widget)
        for child in self._left + self._right:
            child.lift()  # Tab follows the order in which widgets are stacked
        # A widget whose text has changed has another width.
        widget.bind("<Configure>", lambda _: self.lay_out(), add="+")
        self.lay_out()

    def show(self, widget: tk.Widget, shown: bool) -> None:
        """Shows or hides a widget of the row."""
        if shown:
            self._hidden.discard(widget)
        else:
            self._hidden.add(widget)
            widget.place_forget()
        self.lay_out()

    def lay_out(self) -> None:
        """Places the widgets."""
        width = self.winfo_width()
        if width <= 1:  # the row has not been shown yet
            return
        left = [widget for widget in self._left if widget not in self._hidden]
        lines = self._lines(left, width)
        if lines and self._extent(lines[-1] + self._right) <= width:
            last = lines[-1]
        else:
            last = []
            lines.append(last)
        y = 0
        for line in lines:
            right = self._right if line is last else []
            height = max((w.winfo_reqheight() for w in line + right), default=0)
            self._place(line, 0, y, height)
            self._place(right, width - self._extent(right), y, height)
            y += height + self._gap
        height = max(1, y - self._gap)
        if height != self.winfo_reqheight():
            self.configure(height=height)

    def _lines(self, widgets: list[tk.Widget], width: int) -> list[list[tk.Widget]]:
        """Divides widgets into lines that are at most `width` pixels wide."""
        lines: list[list[tk.Widget]] = []
        for widget in widgets:
            if lines and self._extent([*lines[-1], widget]) <= width:
                lines[-1].append(widget)
            else:
                lines.append([widget])
        return lines

    def _extent(self, widgets: list[tk.Widget]) -> int:
        """Width of a line with these widgets, in screen pixels."""
        gaps = self._gap * max(0, len(widgets) - 1)
        return sum(widget.winfo_reqwidth() for widget in widgets) + gaps

    def _place(self, line: list[tk.Widget], x: int, y: int, height: int) -> None:
        """Places widgets from left to right, each in the middle of the line."""
        for widget in line:
            top = y + (height - widget.winfo_reqheight()) // 2
            widget.place(x=x, y=top)
            x += widget.winfo_reqwidth() + self._gap
