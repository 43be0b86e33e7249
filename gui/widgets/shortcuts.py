"""Keyboard shortcuts, as data, and the window that lists them."""

from __future__ import annotations

import dataclasses
import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import Final

from gui.widgets import focus


@dataclasses.dataclass(frozen=True)
class Shortcut:
    """The keys of one action.

    Attributes:
      action: Name of the action.
      keys: Tk event patterns. A letter is bound in upper and lower case.
      shown: The keys as they are shown to the user.
      text: What the action does.
    """

    action: str
    keys: tuple[str, ...]
    shown: str
    text: str


SHORTCUTS: Final = (
    Shortcut("open", ("<Control-o>",), "Ctrl+O", "Load a video"),
    Shortcut(
        "open_folder", ("<Control-Shift-o>",), "Ctrl+Shift+O", "Load a folder of images"
    ),
    Shortcut("play", ("<space>",), "Space", "Play or pause"),
    Shortcut("previous_frame", ("<Left>",), "←", "Previous frame"),
    Shortcut("next_frame", ("<Right>",), "→", "Next frame"),
    Shortcut("back", ("<Shift-Left>",), "Shift+←", "Back by one second"),
    Shortcut("forward", ("<Shift-Right>",), "Shift+→", "Forward by one second"),
    Shortcut("start", ("<Home>",), "Home", "First frame"),
    Shortcut("end", ("<End>",), "End", "Last frame"),
    Shortcut("slower", ("<bracketleft>", "<minus>"), "[ or −", "Play slower"),
    Shortcut("faster", ("<bracketright>", "<plus>"), "] or +", "Play faster"),
    Shortcut("loop", ("<l>",), "L", "Loop on or off"),
    Shortcut("points", ("<p>",), "P", "Landmarks on or off"),
    Shortcut("edges", ("<e>",), "E", "Lines on or off"),
    Shortcut("pose", ("<h>",), "H", "Head pose on or off"),
    Shortcut("eyes", ("<y>",), "Y", "Openness of the eyes on or off"),
    Shortcut("uncertainty", ("<u>",), "U", "Uncertainty: colour, circles, hidden"),
    Shortcut("smoothing", ("<m>",), "M", "Smoothing on or off"),
    Shortcut("plot", ("<g>",), "G", "Plot over time on or off"),
    Shortcut("face", ("<n>",), "N", "Next face"),
    Shortcut("correct", ("<c>",), "C", "Correct landmarks"),
    Shortcut("people", ("<Control-p>",), "Ctrl+P", "People of the video"),
    Shortcut("reset", ("<r>",), "R", "Reset the degradation"),
    Shortcut("save_picture", ("<Control-s>",), "Ctrl+S", "Save this picture"),
    Shortcut("model", ("<Control-m>",), "Ctrl+M", "Choose a model"),
    Shortcut("theme", ("<t>",), "T", "Light or dark theme"),
    Shortcut(
        "buttons",
        ("<F6>",),
        "F6, Tab",
        "Go to buttons and sliders. Space presses, arrows move, Esc leaves",
    ),
    Shortcut("help", ("<F1>", "<question>"), "F1 or ?", "Show this list"),
    Shortcut("quit", ("<Control-q>",), "Ctrl+Q", "Close the viewer"),
)


def patterns(key: str) -> tuple[str, ...]:
    """The Tk patterns of a key: with Caps Lock, a letter arrives in the other case."""
    head, separator, detail = key.strip("<>").rpartition("-")
    if len(detail) != 1 or not detail.isalpha():
        return (key,)
    return tuple(
        f"<{head}{separator}{letter}>" for letter in (detail.lower(), detail.upper())
    )


Actions = Mapping[str, Callable[[], None]]
"""The function of each action."""


@dataclasses.dataclass(frozen=True)
class Table:
    """Shortcuts that work at certain times.

    Attributes:
      shortcuts: The shortcuts.
      actions: Function of each of their actions.
      is_active: Returns whether the shortcuts work now.
    """

    shortcuts: Sequence[Shortcut]
    actions: Actions
    is_active: Callable[[], bool] = lambda: True


def bind(root: tk.Tk, tables: Sequence[Table]) -> None:
    """Binds shortcuts. A field or button with the focus receives some keys itself.

    Args:
      root: The window.
      tables: The shortcuts. A table has precedence over the tables after it while it is
        active.
    """
    by_pattern: dict[str, list[tuple[Table, Shortcut]]] = {}
    for table in tables:
        for shortcut in table.shortcuts:
            for key in shortcut.keys:
                for pattern in patterns(key):
                    by_pattern.setdefault(pattern, []).append((table, shortcut))

    def handler(
        pattern: str, candidates: Sequence[tuple[Table, Shortcut]]
    ) -> Callable[[tk.Event], str | None]:
        def run(event: tk.Event) -> str | None:
            if pattern == "<Escape>" and focus.leave(event) is not None:
                return "break"
            if focus.receives(event.widget, pattern):
                return None
            for table, shortcut in candidates:
                if table.is_active():
                    table.actions[shortcut.action]()
                    return "break"
            return None

        return run

    for pattern, candidates in by_pattern.items():
        root.bind(pattern, handler(pattern, candidates))


Lines = Sequence[tuple[str, str]]
"""Keys and what they do."""


def lines(shortcuts: Sequence[Shortcut]) -> Lines:
    """The shortcuts as they are shown to the user."""
    return [(s.shown, s.text) for s in shortcuts if s.text]


def show(root: tk.Tk, ratio: float, columns: Mapping[str, Lines]) -> tk.Toplevel:
    """Opens the window with the list of shortcuts. Escape closes it.

    Args:
      root: The main window.
      ratio: Screen pixels per reference pixel.
      columns: The lines of each column, by its heading.
    """
    window = tk.Toplevel(root)
    window.title("Shortcuts")
    window.transient(root)
    window.configure(background=str(root.cget("background")))
    pad = round(14 * ratio)
    for number, (heading, entries) in enumerate(columns.items()):
        frame = ttk.Frame(window, padding=pad)
        frame.grid(row=0, column=number, sticky="n")
        ttk.Label(frame, text=heading, style="Busy.TLabel").grid(
            row=0, column=0, columnspan=2, sticky="w", pady=(0, pad // 2)
        )
        for row, (shown, text) in enumerate(entries, start=1):
            ttk.Label(frame, text=shown, style="Heading.TLabel").grid(
                row=row, column=0, sticky="nw", padx=(0, pad)
            )
            ttk.Label(frame, text=text, wraplength=round(300 * ratio)).grid(
                row=row, column=1, sticky="w"
            )
    window.bind("<Escape>", lambda _: window.destroy())
    window.resizable(False, False)
    window.focus_set()
    return window
