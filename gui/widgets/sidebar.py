"""What to see and what to do to the video: toggles and sliders."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final

from gui.degradation import SLIDERS, VideoDegradation
from gui.drawing.overlay import DRAWN, OverlayOptions
from gui.viewer.settings import Settings
from gui.widgets.scale import JumpScale

TOGGLES: Final = (
    ("Over the video", None),
    ("Points", "points"),
    ("Lines", "edges"),
    ("Frame and number", "boxes"),
    ("Smoothing", "smoothing"),
    ("Beside it", None),
    ("Restored face", "restored"),
    ("Depth in colours", "depth"),
    ("Shaded relief", "shaded"),
    ("Turning surface", "surface"),
    ("… wears the face", "texture"),
)

UNCERTAINTY: Final = {
    "Colour of points": "color",
    "Size of points": "size",
    "Hidden": "none",
}


class Sidebar(ttk.Frame):
    """Toggles for seeing, sliders for testing by hand.

    Attributes:
      toggles: a variable for each boolean of `Settings` that has a toggle.
      sliders: a scale for each degradation.
    """

    def __init__(
        self,
        master: tk.Misc,
        settings: Settings,
        ratio: float,
        on_change: Callable[[], None],
    ) -> None:
        super().__init__(master)
        self._on_change = on_change
        gap = round(4 * ratio)
        self.toggles: dict[str, tk.BooleanVar] = {}
        for text, name in TOGGLES:
            if name is None:
                self._heading(text, gap)
                continue
            variable = tk.BooleanVar(self, getattr(settings, name))
            self.toggles[name] = variable
            ttk.Checkbutton(
                self, text=text, variable=variable, command=on_change, takefocus=False
            ).pack(anchor="w")
        self._heading("Uncertainty", gap)
        self.uncertainty = ttk.Combobox(
            self, values=list(UNCERTAINTY), state="readonly", width=17
        )
        names = {value: text for text, value in UNCERTAINTY.items()}
        self.uncertainty.set(names.get(settings.uncertainty, "Colour of points"))
        self.uncertainty.bind("<<ComboboxSelected>>", self._chosen)
        self.uncertainty.pack(fill="x")

        self._heading("Spoil the video", gap)
        self.sliders: dict[str, JumpScale] = {}
        self._values: dict[str, ttk.Label] = {}
        for slider in SLIDERS:
            row = ttk.Frame(self)
            row.pack(fill="x", pady=(gap // 2, 0))
            ttk.Label(row, text=slider.label).pack(side="left")
            value = ttk.Label(row, style="Muted.TLabel", anchor="e")
            value.pack(side="right")
            scale = JumpScale(
                self,
                lambda _: self._slid(),
                from_=slider.neutral,
                to=slider.strongest,
                value=slider.neutral,
            )
            scale.pack(fill="x")
            self.sliders[slider.name], self._values[slider.name] = scale, value
        compare = tk.BooleanVar(self, settings.compare)
        self.toggles["compare"] = compare
        ttk.Checkbutton(
            self,
            text="Compare with clean",
            variable=compare,
            command=on_change,
            takefocus=False,
        ).pack(anchor="w", pady=(gap, 0))
        self.reset_button = ttk.Button(
            self, text="Make clean again", command=self.reset, takefocus=False
        )
        self.reset_button.pack(fill="x", pady=(gap, 0))
        self._show_values()

    def _heading(self, text: str, gap: int) -> None:
        top = 2 * gap if self.winfo_children() else 0
        ttk.Label(self, text=text, style="Heading.TLabel").pack(
            anchor="w", pady=(top, gap // 2)
        )

    @property
    def degradation(self) -> VideoDegradation:
        """As the sliders stand."""
        return VideoDegradation(
            **{name: float(scale.get()) for name, scale in self.sliders.items()}
        )

    @property
    def values(self) -> dict[str, bool]:
        """The toggles as they stand."""
        return {name: variable.get() for name, variable in self.toggles.items()}

    @property
    def overlay(self) -> OverlayOptions:
        """What is drawn over the video."""
        return OverlayOptions(
            **{name: self.toggles[name].get() for name in DRAWN},
            uncertainty=UNCERTAINTY[self.uncertainty.get()],
        )

    def next_uncertainty(self) -> None:
        """Shows uncertainty in the next way."""
        names = list(UNCERTAINTY)
        index = names.index(self.uncertainty.get()) + 1
        self.uncertainty.set(names[index % len(names)])
        self._on_change()

    def reset(self) -> None:
        """Makes the video clean again."""
        for slider in SLIDERS:
            self.sliders[slider.name].set(slider.neutral)
        self._slid()

    def toggle(self, name: str) -> None:
        """Turns a toggle over, as a shortcut does."""
        variable = self.toggles[name]
        variable.set(not variable.get())
        self._on_change()

    def _chosen(self, _: tk.Event) -> None:
        self.uncertainty.selection_clear()
        self.winfo_toplevel().focus_set()  # or the space bar would be the box's
        self._on_change()

    def _slid(self) -> None:
        self._show_values()
        self._on_change()

    def _show_values(self) -> None:
        for slider in SLIDERS:
            value = float(self.sliders[slider.name].get())
            self._values[slider.name].configure(text=slider.format(value))
