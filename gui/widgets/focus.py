"""The keyboard focus: Tab reaches buttons and sliders, and clicks do not move it."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Final

_TO_FOCUS: Final = "ttk::clickToFocus %W;"
"""What ttk's bindings do on a click, besides pressing the button."""

_KEYS: Final = ("<space>", "<Tab>", "<Shift-Tab>", "<ISO_Left_Tab>")
"""Keys that a button with the focus receives."""

_ARROWS: Final = ("<Left>", "<Right>", "<Up>", "<Down>", "<Tab>", "<Shift-Tab>")
"""Keys that a slider with the focus receives."""

_BUTTONS: Final = (ttk.Button, ttk.Checkbutton, ttk.Menubutton)


def do_not_follow_clicks(root: tk.Tk) -> None:
    """Lets the focus stay where it is when a button or a check box is clicked.

    Otherwise Space would press the button again, and not play the video.
    """
    for name in ("TButton", "TCheckbutton"):
        script = str(root.bind_class(name, "<Button-1>"))
        script = script.replace(_TO_FOCUS, "")
        root.tk.call("bind", name, "<Button-1>", script)


def receives(widget: object, key: str) -> bool:
    """Whether a widget that has the focus receives a key itself.

    Args:
      widget: The widget.
      key: Tk event pattern. The function keys and Ctrl are never received.
    """
    if isinstance(widget, ttk.Entry):  # and ttk.Combobox
        return "Control" not in key and key not in ("<F1>", "<F6>")
    if isinstance(widget, ttk.Scale):
        return key in _ARROWS
    return isinstance(widget, _BUTTONS) and key in _KEYS


def leave(event: tk.Event) -> str | None:
    """Moves the focus from a field, button or slider to the window.

    All shortcuts work there.

    Returns:
      "break" if the focus was moved; None if it was in the window.
    """
    if isinstance(event.widget, (ttk.Entry, ttk.Scale, *_BUTTONS)):
        event.widget.winfo_toplevel().focus_set()
        return "break"
    return None
