"""Keys of the window, as data, and the window that lists them."""

from __future__ import annotations

import dataclasses
import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import Final


@dataclasses.dataclass(frozen=True)
class Shortcut:
    """One action and its keys.

    Attributes:
      action: name that the window gives a meaning to.
      keys: Tk event patterns.
      shown: keys as a person reads them.
      text: what it does.
    """

    action: str
    keys: tuple[str, ...]
    shown: str
    text: str


SHORTCUTS: Final = (
    Shortcut("open", ("<Control-o>",), "Ctrl+O", "Load a video"),
    Shortcut(
        "open_folder", ("<Control-Shift-O>",), "Ctrl+Shift+O", "Load a folder of images"
    ),
    Shortcut("play", ("<space>",), "Space", "Play or pause"),
    Shortcut("back", ("<Left>",), "←", "One frame back"),
    Shortcut("on", ("<Right>",), "→", "One frame on"),
    Shortcut("jump_back", ("<Shift-Left>",), "Shift+←", "One second back"),
    Shortcut("jump_on", ("<Shift-Right>",), "Shift+→", "One second on"),
    Shortcut("start", ("<Home>",), "Home", "To the start"),
    Shortcut("end", ("<End>",), "End", "To the end"),
    Shortcut("slower", ("<bracketleft>", "<minus>"), "[ or −", "Slower"),
    Shortcut("faster", ("<bracketright>", "<plus>"), "] or +", "Faster"),
    Shortcut("loop", ("<l>",), "L", "Loop"),
    Shortcut("points", ("<p>",), "P", "Points"),
    Shortcut("edges", ("<e>",), "E", "Lines"),
    Shortcut("uncertainty", ("<u>",), "U", "Uncertainty: colour, size, hidden"),
    Shortcut("smoothing", ("<m>",), "M", "Smoothing"),
    Shortcut("face", ("<n>",), "N", "Next face"),
    Shortcut("reset", ("<r>",), "R", "Reset the degradations"),
    Shortcut("save_picture", ("<Control-s>",), "Ctrl+S", "Save this picture"),
    Shortcut("model", ("<Control-m>",), "Ctrl+M", "Choose a model"),
    Shortcut("theme", ("<t>",), "T", "Light or dark"),
    Shortcut("help", ("<F1>", "<question>"), "F1 or ?", "This list"),
    Shortcut("quit", ("<Control-q>",), "Ctrl+Q", "Close"),
)


def bind(root: tk.Tk, actions: Mapping[str, Callable[[], None]]) -> None:
    """Binds every shortcut. Plain keys are left to a text field that has the focus."""

    def handler(shortcut: Shortcut, key: str) -> Callable[[tk.Event], str | None]:
        plain = "Control" not in key and "F1" not in key

        def run(event: tk.Event) -> str | None:
            if plain and isinstance(event.widget, ttk.Entry):  # and ttk.Combobox
                return None
            actions[shortcut.action]()
            return "break"

        return run

    for shortcut in SHORTCUTS:
        for key in shortcut.keys:
            root.bind(key, handler(shortcut, key))


def show(root: tk.Tk, ratio: float) -> tk.Toplevel:
    """Opens the window with the list; Escape closes it."""
    window = tk.Toplevel(root)
    window.title("Shortcuts")
    window.transient(root)
    window.configure(background=str(root.cget("background")))
    pad = round(14 * ratio)
    frame = ttk.Frame(window, padding=pad)
    frame.pack(fill="both", expand=True)
    for row, shortcut in enumerate(SHORTCUTS):
        ttk.Label(frame, text=shortcut.shown, style="Heading.TLabel").grid(
            row=row, column=0, sticky="w", padx=(0, 2 * pad)
        )
        ttk.Label(frame, text=shortcut.text).grid(row=row, column=1, sticky="w")
    window.bind("<Escape>", lambda _: window.destroy())
    window.resizable(False, False)
    window.focus_set()
    return window
