"""The sidebar: what to show and how to degrade the video."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final

from gui.degradation import SLIDERS, VideoDegradation
from gui.drawing.overlay import DRAWN, OverlayOptions
from gui.viewer.settings import Settings
from gui.widgets.scale import JumpScale

TOGGLES: Final = {
    "Over the video": {
        "points": "Landmarks",
        "edges": "Lines",
        "boxes": "Box and number",
        "pose": "Head pose",
        "eyes": "Eyes open or closed",
        "smoothing": "Smoothing",
    },
    "Beside and below": {
        "restored": "Restored face",
        "fused": "From many frames",
        "sigma": "Its uncertainty",
        "depth": "Depth in colours",
        "shaded": "Shaded surface",
        "surface": "Rotatable surface",
        "texture": "Face on the surface",
        "plot": "Plot over time",
    },
}
"""Labels of the check boxes, by heading and by field of `Settings`."""

UNCERTAINTY_LABELS: Final = {
    "color": "Colour",
    "size": "Circles",
    "none": "Hidden",
}
"""Labels of the ways to draw uncertainty, by value of `OverlayOptions.uncertainty`."""


class Sidebar(ttk.Frame):
    """Check boxes for the display and sliders for the degradation.

    Attributes:
      toggles: Variable of each check box, by field of `Settings`.
      uncertainty: Selection of the way to draw uncertainty.
      sliders: Slider of each field of `VideoDegradation`.
    """

    def __init__(
        self,
        master: tk.Misc,
        settings: Settings,
        ratio: float,
        on_change: Callable[[], None],
    ) -> None:
        """Creates the sidebar.

        Args:
          master: Parent widget.
          settings: Initial state of the check boxes.
          ratio: Screen pixels per reference pixel.
          on_change: Called when the user changes anything.
        """
        super().__init__(master)
        self._on_change = on_change
        self._gap = round(4 * ratio)
        self.toggles: dict[str, tk.BooleanVar] = {}
        for heading, labels in TOGGLES.items():
            self._heading(heading)
            for name, label in labels.items():
                self._check_box(name, label, getattr(settings, name))
            if "points" in labels:
                self.uncertainty = self._add_uncertainty(settings.uncertainty)
        self._heading("Degrade the video")
        self.sliders: dict[str, JumpScale] = {}
        self._values: dict[str, ttk.Label] = {}
        for slider in SLIDERS:
            self._slider(slider.name, slider.label, slider.neutral, slider.strongest)
        ttk.Frame(self, height=self._gap).pack()
        self._check_box("compare", "Show the clean video", settings.compare)
        self.reset_button = ttk.Button(
            self, text="Reset the degradation", command=self.reset
        )
        self.reset_button.pack(fill="x", pady=(self._gap, 0))
        self._show_values()

    def _heading(self, text: str) -> None:
        top = 2 * self._gap if self.winfo_children() else 0
        label = ttk.Label(self, text=text, style="Heading.TLabel")
        label.pack(anchor="w", pady=(top, self._gap // 2))

    def _add_uncertainty(self, selected: str) -> ttk.Combobox:
        row = ttk.Frame(self)
        row.pack(fill="x", pady=(self._gap // 2, 0))
        ttk.Label(row, text="Uncertainty").pack(side="left")
        labels = list(UNCERTAINTY_LABELS.values())
        box = ttk.Combobox(row, values=labels, state="readonly", width=7)
        box.set(UNCERTAINTY_LABELS[selected])
        box.bind("<<ComboboxSelected>>", self._choose_uncertainty)
        box.pack(side="right")
        return box

    def _check_box(self, name: str, label: str, value: bool) -> None:
        variable = self.toggles[name] = tk.BooleanVar(self, value)
        ttk.Checkbutton(
            self,
            text=label,
            variable=variable,
            command=self._on_change,
        ).pack(anchor="w")

    def _slider(self, name: str, label: str, neutral: float, strongest: float) -> None:
        row = ttk.Frame(self)
        row.pack(fill="x", pady=(self._gap // 2, 0))
        heading = ttk.Label(row, text=label)
        heading.pack(side="left")
        self._values[name] = ttk.Label(row, style="Muted.TLabel", anchor="e")
        self._values[name].pack(side="right")
        scale = JumpScale(
            self,
            lambda _: self._move_slider(),
            from_=neutral,
            to=strongest,
            value=neutral,
        )
        scale.pack(fill="x")
        # A slider itself does not show that it has the focus.
        scale.bind("<FocusIn>", lambda _: heading.configure(style="Busy.TLabel"))
        scale.bind("<FocusOut>", lambda _: heading.configure(style="TLabel"))
        self.sliders[name] = scale

    @property
    def degradation(self) -> VideoDegradation:
        """The degradation that the sliders select."""
        return VideoDegradation(
            **{name: float(scale.get()) for name, scale in self.sliders.items()}
        )

    @property
    def values(self) -> dict[str, bool]:
        """State of each check box, by field of `Settings`."""
        return {name: variable.get() for name, variable in self.toggles.items()}

    @property
    def overlay(self) -> OverlayOptions:
        """What to draw over the frame."""
        return OverlayOptions(
            **{name: self.toggles[name].get() for name in DRAWN},
            uncertainty=list(UNCERTAINTY_LABELS)[self.uncertainty.current()],
        )

    def next_uncertainty(self) -> None:
        """Selects the next way to draw uncertainty."""
        self.uncertainty.current(
            (self.uncertainty.current() + 1) % len(UNCERTAINTY_LABELS)
        )
        self._on_change()

    def reset(self) -> None:
        """Sets all sliders to the values that change nothing."""
        for slider in SLIDERS:
            self.sliders[slider.name].set(slider.neutral)
        self._move_slider()

    def set_slider(self, name: str, value: float) -> None:
        """Moves a slider.

        Args:
          name: Field of `VideoDegradation`.
          value: The new value.
        """
        self.sliders[name].set(value)
        self._move_slider()

    def toggle(self, name: str) -> None:
        """Switches a check box, as a shortcut does."""
        variable = self.toggles[name]
        variable.set(not variable.get())
        self._on_change()

    def _choose_uncertainty(self, _: tk.Event) -> None:
        self.uncertainty.selection_clear()
        self.winfo_toplevel().focus_set()  # otherwise Space would open the list
        self._on_change()

    def _move_slider(self) -> None:
        self._show_values()
        self._on_change()

    def _show_values(self) -> None:
        for slider in SLIDERS:
            value = float(self.sliders[slider.name].get())
            self._values[slider.name].configure(text=slider.format(value))
