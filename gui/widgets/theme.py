"""The look of the window: one flat ttk theme, light or dark, at any pixel density."""

from __future__ import annotations

import dataclasses
import tkinter as tk
from tkinter import font, ttk
from typing import Any, Final

from gui.widgets import icons

REFERENCE_DPI: Final = 96.0
"""Pixels per inch at which sizes in this package are meant."""


@dataclasses.dataclass(frozen=True)
class Palette:
    """Colours of a theme, "#rrggbb"."""

    name: str
    window: str
    panel: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    warning: str
    good: str

    def rgb(self, color: str) -> tuple[int, int, int]:
        """The named colour as (R, G, B), 0 to 255."""
        value = getattr(self, color)
        red, green, blue = (int(value[i : i + 2], 16) for i in (1, 3, 5))
        return red, green, blue


DARK: Final = Palette(
    name="dark",
    window="#1e2127",
    panel="#181a1f",
    raised="#2d323b",
    border="#3b424d",
    text="#e7e9ec",
    muted="#99a2ae",
    accent="#4fb3f6",
    on_accent="#0d1720",
    warning="#ffb04d",
    good="#6fd08c",
)
LIGHT: Final = Palette(
    name="light",
    window="#f4f5f7",
    panel="#e3e6ea",
    raised="#ffffff",
    border="#c9ced6",
    text="#1d2127",
    muted="#5d6672",
    accent="#0b6fc4",
    on_accent="#ffffff",
    warning="#a85f00",
    good="#1b7f40",
)
PALETTES: Final = {palette.name: palette for palette in (DARK, LIGHT)}


def pixel_ratio(root: tk.Misc) -> float:
    """Screen pixels per reference pixel, from 1 to 4."""
    return min(4.0, max(1.0, root.winfo_fpixels("1i") / REFERENCE_DPI))


def apply(root: tk.Tk, palette: Palette, ratio: float) -> None:
    """Styles all ttk widgets of a window; may be called again for another palette.

    Args:
      root: the window.
      palette: colours.
      ratio: screen pixels per reference pixel.
    """

    def px(size: float) -> int:
        return round(size * ratio)

    p = palette
    root.configure(background=p.window)
    for name, size in (("TkDefaultFont", 13), ("TkTextFont", 13), ("TkMenuFont", 13)):
        font.nametofont(name, root).configure(size=-px(size))  # negative: pixels
    font.nametofont("TkHeadingFont", root).configure(size=-px(13), weight="bold")
    style = ttk.Style(root)
    style.theme_use("clam")  # the one theme that is there, and colourable, everywhere
    style.configure(
        ".",
        background=p.window,
        foreground=p.text,
        bordercolor=p.border,
        lightcolor=p.window,
        darkcolor=p.window,
        troughcolor=p.panel,
        fieldbackground=p.raised,
        insertcolor=p.text,
        selectbackground=p.accent,
        selectforeground=p.on_accent,
        focuscolor=p.accent,
        font="TkDefaultFont",
    )
    style.map(".", foreground=[("disabled", p.muted)])
    style.configure("Panel.TFrame", background=p.panel)
    style.configure("Muted.TLabel", foreground=p.muted)
    style.configure("Heading.TLabel", font="TkHeadingFont")
    style.configure("Caption.TLabel", background=p.panel, foreground=p.muted)
    for name, color in (("Good", p.good), ("Warning", p.warning), ("Busy", p.accent)):
        style.configure(f"{name}.TLabel", foreground=color, font="TkHeadingFont")
    for name in ("TButton", "TMenubutton", "Tool.TButton"):
        style.configure(
            name,
            background=p.raised,
            bordercolor=p.border,
            lightcolor=p.raised,
            darkcolor=p.raised,
            padding=(px(10), px(5)),
            relief="flat",
            arrowcolor=p.muted,
        )
        style.map(
            name,
            background=[("pressed", p.border), ("active", p.border)],
            lightcolor=[("active", p.border)],
            darkcolor=[("active", p.border)],
        )
    style.configure("Tool.TButton", padding=px(5))
    style.configure(
        "Accent.TButton",
        background=p.accent,
        foreground=p.on_accent,
        bordercolor=p.accent,
        lightcolor=p.accent,
        darkcolor=p.accent,
        padding=(px(12), px(5)),
        font="TkHeadingFont",
    )
    style.map("Accent.TButton", background=[("active", p.text)])
    _style_checks(root, style, p, px(16))
    style.configure("TCheckbutton", padding=(0, px(2)))
    style.map("TCheckbutton", background=[("active", p.window)])
    style.configure(
        "Vertical.TScrollbar",
        background=p.border,
        troughcolor=p.window,
        bordercolor=p.window,
        lightcolor=p.border,
        darkcolor=p.border,
        arrowcolor=p.muted,
        arrowsize=px(11),
        gripcount=0,
    )
    style.map("Vertical.TScrollbar", background=[("disabled", p.window)])
    style.configure(
        "Horizontal.TScale",
        background=p.accent,
        bordercolor=p.border,
        lightcolor=p.accent,
        darkcolor=p.accent,
        sliderlength=px(14),
        arrowsize=px(14),  # the height of the bar, in this theme
        gripcount=0,
    )
    style.map("Horizontal.TScale", background=[("active", p.text)])
    for name in ("TEntry", "TCombobox", "TSpinbox"):
        style.configure(
            name,
            lightcolor=p.raised,
            darkcolor=p.raised,
            arrowcolor=p.muted,
            arrowsize=px(12),
            padding=px(3),
        )
        style.map(
            name,
            bordercolor=[("focus", p.accent)],
            lightcolor=[("focus", p.raised)],
            fieldbackground=[("readonly", p.raised)],
            foreground=[("readonly", p.text)],
            selectbackground=[("readonly", p.raised)],
            selectforeground=[("readonly", p.text)],
        )
    style.configure("Sash", sashthickness=px(7), gripcount=0)
    style.configure("TSeparator", background=p.border)
    style.configure("Horizontal.TProgressbar", background=p.accent, troughcolor=p.panel)
    root.option_add("*TCombobox*Listbox.background", p.raised)
    root.option_add("*TCombobox*Listbox.foreground", p.text)
    root.option_add("*TCombobox*Listbox.selectBackground", p.accent)
    root.option_add("*TCombobox*Listbox.selectForeground", p.on_accent)
    root.option_add("*TCombobox*Listbox.font", "TkDefaultFont")


def release(root: tk.Tk) -> None:
    """Gives back images before the window is destroyed."""
    vars(root).pop("ethos_checks", None)


def _style_checks(root: tk.Tk, style: ttk.Style, p: Palette, size: int) -> None:
    """Check boxes with a tick: the theme's own have a cross."""
    element = f"Ethos{p.name}.indicator"
    kept = vars(root).setdefault("ethos_checks", {})  # Tk does not hold on to images
    if p.name not in kept:
        off = icons.icon("box", size, p.border, root, fill=p.raised)
        on = icons.icon("tick", size, p.accent, root, fill=p.on_accent)
        kept[p.name] = (off, on)
        gap = size // 2
        style.element_create(
            element, "image", off, ("selected", on), width=size + gap, sticky="w"
        )
    inner: list[tuple[str, Any]] = [
        (element, {"side": "left"}),
        ("Checkbutton.label", {"side": "left"}),
    ]
    outer: Any = {"sticky": "nswe", "children": inner}
    style.layout("TCheckbutton", [("Checkbutton.padding", outer)])


def style_menu(menu: tk.Menu, palette: Palette) -> None:
    """Menus are not ttk: their colours are set one by one."""
    menu.configure(
        background=palette.raised,
        foreground=palette.text,
        activebackground=palette.accent,
        activeforeground=palette.on_accent,
        relief="flat",
        borderwidth=1,
        tearoff=False,
    )
