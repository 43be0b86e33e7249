"""The plot below the play bar: a measure of the people over time. A click seeks."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Final

from gui.drawing import palette, plot
from gui.viewer.player import Player, PlayerState
from gui.viewer.plotter import PlotOptions
from gui.widgets.panels import PicturePanel
from gui.widgets.theme import Palette
from gui.widgets.transport import Transport

HEIGHT: Final = 92
"""Height of the plot, in reference pixels."""

LIVE_SECONDS: Final = 60.0
"""Time that the plot of a camera or a stream shows, in seconds."""

_TICKS: Final = 30
"""Width of the labels at the left of the curves, in reference pixels."""


class PlotPanel(ttk.Frame):
    """The selected measure, its curves below the slider, and the people.

    Attributes:
      canvas: The picture with the curves.
      lane: Selection of the measure.
    """

    def __init__(
        self,
        master: tk.Misc,
        player: Player,
        transport: Transport,
        ratio: float,
        *,
        lane: str,
        on_change: Callable[[], None],
    ) -> None:
        """Creates the plot.

        Args:
          master: Parent widget. It has the same width as the play bar.
          player: The player, which a click seeks.
          transport: The play bar. The curves are below its slider.
          ratio: Screen pixels per reference pixel.
          lane: Name of the measure that is selected first, of `plot.LANES`.
          on_change: Called when the user selects another measure.
        """
        super().__init__(master, height=round(HEIGHT * ratio))
        self._player, self._transport, self._ratio = player, transport, ratio
        self._on_change = on_change
        self._ink = palette.Ink()
        self._shown: PlotOptions | None = None
        labels = [entry.label for entry in plot.LANES.values()]
        self.lane = ttk.Combobox(self, values=labels, state="readonly", width=7)
        self.lane.set(plot.LANES[lane].label)
        self.lane.bind("<<ComboboxSelected>>", self._choose)
        self.lane.place(x=0, y=0)
        self.canvas = PicturePanel(self, cursor="crosshair")
        self._cursor = self.canvas.create_line(0, 0, 0, 0)
        self.canvas.bind("<Button-1>", self._seek)
        self.canvas.bind("<B1-Motion>", self._seek)
        transport.slider.bind("<Configure>", self._align, add="+")

    @property
    def name(self) -> str:
        """Name of the selected measure, of `plot.LANES`."""
        return list(plot.LANES)[self.lane.current()]

    def restyle(self, colors: Palette) -> None:
        """Applies a theme."""
        self._ink = palette.Ink(
            background=colors.rgb("plot"),
            grid=colors.rgb("border"),
            muted=colors.rgb("muted"),
            text=colors.rgb("text"),
        )
        self.canvas.configure(background=colors.plot)
        self.canvas.itemconfigure(self._cursor, fill=colors.text)

    def refresh(self, state: PlayerState) -> PlotOptions:
        """Moves the line of the current frame.

        Args:
          state: The state of the player.

        Returns:
          What to draw.
        """
        options = self.options(state)
        if options == self._shown:
            return options
        self._shown = options
        span = max(1, options.last - options.first)
        x = options.left + (options.width - 1) * (state.index - options.first) / span
        self.canvas.coords(self._cursor, x, 0, x, options.size[1])
        return options

    def options(self, state: PlayerState) -> PlotOptions:
        """What to draw for a state of the player."""
        slider = self._transport.slider
        handle = slider.handle
        fps = state.info.fps if state.info is not None else 25.0
        first, last = 0, round(float(slider.cget("to")))
        if state.info is not None and state.info.live:
            first, last = state.index - round(LIVE_SECONDS * fps), state.index
        return PlotOptions(
            lane=self.name,
            size=self.canvas.extent if self.winfo_ismapped() else (0, 0),
            left=round(_TICKS * self._ratio) + handle // 2,
            width=slider.winfo_width() - handle,
            first=first,
            last=last,
            index=state.index,
            fps=fps,
            ink=self._ink,
            letters=round(plot.LETTERS * self._ratio),
        )

    def _align(self, _: tk.Event) -> None:
        """Places the curves below the slider."""
        left = self._transport.slider.winfo_x() - round(_TICKS * self._ratio)
        self.canvas.place(x=left, y=0, relwidth=1.0, width=-left, relheight=1.0)
        self.lane.place(width=left - round(4 * self._ratio))

    def _choose(self, _: tk.Event) -> None:
        self.lane.selection_clear()
        self.winfo_toplevel().focus_set()  # otherwise Space would open the list
        self._on_change()

    def _seek(self, event: tk.Event) -> None:
        state = self._player.state
        options = self.options(state)
        share = (event.x - options.left) / max(1, options.width - 1)
        if state.info is None or state.info.live or share > 1:
            return
        frame = options.first + max(0.0, share) * (options.last - options.first)
        self._player.seek(round(frame))
