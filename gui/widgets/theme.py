"""The look of the window: a flat ttk theme, light or dark, for any pixel density."""

from __future__ import annotations

import dataclasses
import tkinter as tk
from collections.abc import Callable
from tkinter import font, ttk
from typing import Any, Final

from gui.widgets import icons

REFERENCE_DPI: Final = 96.0
"""Pixels per inch for which the sizes in this package are given."""

Pixels = Callable[[float], int]
"""Converts reference pixels into screen pixels."""


@dataclasses.dataclass(frozen=True)
class Palette:
    """The colours of a theme, each "#rrggbb".

    Attributes:
      name: Name of the theme.
      window: Background of the window.
      panel: Background of pictures.
      plot: Background of the plot.
      raised: Background of buttons and fields.
      border: Lines around them.
      text: Text.
      muted: Text of minor importance.
      accent: Selected and active parts.
      on_accent: Text on `accent`.
      warning: Status that needs attention.
      good: Status that is as it should be.
    """

    name: str
    window: str
    panel: str
    plot: str
    raised: str
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    warning: str
    good: str

    def rgb(self, color: str) -> tuple[int, int, int]:
        """The colour with the given attribute name as (R, G, B), 0 to 255."""
        value = getattr(self, color)
        red, green, blue = (int(value[i : i + 2], 16) for i in (1, 3, 5))
        return red, green, blue


DARK: Final = Palette(
    name="dark",
    window="#1e2127",
    panel="#181a1f",
    plot="#181a1f",
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
    plot="#ffffff",
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
    """Styles all ttk widgets of a window. It may be called again with another palette.

    Args:
      root: The window.
      palette: The colours.
      ratio: Screen pixels per reference pixel.
    """

    def px(size: float) -> int:
        return round(size * ratio)

    root.configure(background=palette.window)
    style = ttk.Style(root)
    style.theme_use("clam")  # exists everywhere and can be coloured
    _style_fonts(root, px)
    _style_base(style, palette)
    _style_labels(style, palette)
    _style_buttons(style, palette, px)
    _style_check_boxes(root, style, palette, px)
    _style_sliders(style, palette, px)
    _style_fields(style, palette, px)
    _style_lists(root, palette)


def _style_fonts(root: tk.Tk, px: Pixels) -> None:
    for name in ("TkDefaultFont", "TkTextFont", "TkMenuFont"):
        font.nametofont(name, root).configure(size=-px(13))  # negative means pixels
    font.nametofont("TkHeadingFont", root).configure(size=-px(13), weight="bold")


def _style_base(style: ttk.Style, p: Palette) -> None:
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


def _style_labels(style: ttk.Style, p: Palette) -> None:
    style.configure("Muted.TLabel", foreground=p.muted)
    style.configure("Heading.TLabel", font="TkHeadingFont")
    style.configure("Caption.TLabel", background=p.panel, foreground=p.muted)
    for name, color in (("Good", p.good), ("Warning", p.warning), ("Busy", p.accent)):
        style.configure(f"{name}.TLabel", foreground=color, font="TkHeadingFont")


def _style_buttons(style: ttk.Style, p: Palette, px: Pixels) -> None:
    for name in ("TButton", "TMenubutton", "Tool.TButton", "Caption.TButton"):
        style.configure(
            name,
            background=p.raised,
            bordercolor=p.border,
            lightcolor=p.raised,
            darkcolor=p.raised,
            padding=(px(10), px(5)),
            relief="flat",
            arrowcolor=p.muted,
            width=0,  # the width of the text
        )
        style.map(
            name,
            background=[("pressed", p.border), ("active", p.border)],
            lightcolor=[("active", p.border)],
            darkcolor=[("active", p.border)],
        )
    style.configure("Tool.TButton", padding=px(5))
    style.configure("Caption.TButton", padding=(px(4), 0))
    style.configure(
        "Accent.TButton",
        background=p.accent,
        foreground=p.on_accent,
        bordercolor=p.accent,
        lightcolor=p.accent,
        darkcolor=p.accent,
        padding=(px(12), px(5)),
        font="TkHeadingFont",
        focuscolor=p.on_accent,
    )
    style.map("Accent.TButton", background=[("active", p.text)])


def _style_check_boxes(root: tk.Tk, style: ttk.Style, p: Palette, px: Pixels) -> None:
    """Draws check boxes with a tick. Those of the theme have a cross."""
    element = f"Ethos{p.name}.indicator"
    images = vars(root).setdefault("ethos_checks", {})  # Tk keeps no reference to them
    if p.name not in images:
        size = px(16)
        off = icons.icon("box", size, p.border, root, fill=p.raised)
        on = icons.icon("tick", size, p.accent, root, fill=p.on_accent)
        images[p.name] = (off, on)
        width = size + size // 2
        style.element_create(
            element, "image", off, ("selected", on), width=width, sticky="w"
        )
    label: Any = [("Checkbutton.label", {"sticky": "nswe"})]
    inner: list[tuple[str, Any]] = [
        (element, {"side": "left"}),
        ("Checkbutton.focus", {"side": "left", "children": label}),
    ]
    outer: Any = {"sticky": "nswe", "children": inner}
    style.layout("TCheckbutton", [("Checkbutton.padding", outer)])
    style.configure("TCheckbutton", padding=(0, px(1), 0, 0))
    style.map("TCheckbutton", background=[("active", p.window)])


def _style_sliders(style: ttk.Style, p: Palette, px: Pixels) -> None:
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
        arrowsize=px(14),  # in this theme, the height of the slider
        gripcount=0,
    )
    style.map("Horizontal.TScale", background=[("active", p.text)])
    style.configure(
        "Horizontal.TProgressbar",
        background=p.accent,
        troughcolor=p.panel,
        bordercolor=p.border,
        lightcolor=p.accent,
        darkcolor=p.accent,
        thickness=px(8),
    )
    style.configure("Sash", sashthickness=px(7), gripcount=0)


def _style_fields(style: ttk.Style, p: Palette, px: Pixels) -> None:
    for name in ("TEntry", "TCombobox"):
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


def _style_lists(root: tk.Tk, p: Palette) -> None:
    """Styles the lists of combo boxes, to which ttk styles do not apply.

    The options of the database apply to lists that are opened later.
    """
    root.option_add("*TCombobox*Listbox.background", p.raised)
    root.option_add("*TCombobox*Listbox.foreground", p.text)
    root.option_add("*TCombobox*Listbox.selectBackground", p.accent)
    root.option_add("*TCombobox*Listbox.selectForeground", p.on_accent)
    root.option_add("*TCombobox*Listbox.font", "TkDefaultFont")


def style_menu(menu: tk.Menu, palette: Palette) -> None:
    """Styles a menu, to which ttk styles do not apply."""
    menu.configure(
        background=palette.raised,
        foreground=palette.text,
        activebackground=palette.accent,
        activeforeground=palette.on_accent,
        relief="flat",
        borderwidth=1,
        tearoff=False,
    )


def release(root: tk.Tk) -> None:
    """Releases the images before the window is destroyed."""
    vars(root).pop("ethos_checks", None)
