"""Draws the plot below the video, in a thread, from what the history contains."""

from __future__ import annotations

import dataclasses
import threading
from typing import Final

import numpy as np

from gui.drawing import palette, plot
from gui.viewer.history import GAP, History
from gui.viewer.slot import Latest
from gui.viewer.worker import Worker

INTERVAL: Final = 0.2
"""Least time between two drawings, in seconds. A drawing takes about 2 ms, and 16 ms
for three people in half an hour of video."""

MIN_SIZE: Final = 24
"""Least width of the curves and height of the plot that is drawn, in pixels."""


@dataclasses.dataclass(frozen=True)
class PlotOptions:
    """What to draw, and where.

    Attributes:
      lane: Name of the measure, of `plot.LANES`.
      size: Width and height of the picture, in pixels; (0, 0) for no picture.
      left: Left edge of the curves, in pixels.
      width: Width of the curves, in pixels. The legend is at their right.
      first: Number of the frame at the left edge.
      last: Number of the frame at the right edge.
      index: Number of the frame whose values the legend shows.
      fps: Frames per second of the video.
      ink: Colours of background and text.
      letters: Height of a capital letter, in pixels.
    """

    lane: str = "yaw"
    size: tuple[int, int] = (0, 0)
    left: int = 0
    width: int = 0
    first: int = 0
    last: int = 1
    index: int = 0
    fps: float = 25.0
    ink: palette.Ink = dataclasses.field(default_factory=palette.Ink)
    letters: int = plot.LETTERS

    @property
    def margin(self) -> int:
        """Space above and below the curves, in pixels, for half a line of text."""
        return self.letters + 1


def curves(history: History, lane: plot.Lane, *, by_time: bool) -> list[plot.Curve]:
    """The curves of all people.

    Args:
      history: What was found so far.
      lane: The measure.
      by_time: Whether x is the time in seconds; otherwise it is the frame number.
    """
    return [
        plot.Curve.of(
            series.id, series.times if by_time else series.frames, series.values, lane
        )
        for series in history.series(lane.names)
        if len(series.frames)
    ]


def draw(history: History, options: PlotOptions) -> np.ndarray:
    """Draws the plot of one measure and the values at the current frame.

    Returns:
      uint8 (H, W, 3) RGB in the size of the options.
    """
    width, height = options.size
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = options.ink.background
    lane = plot.LANES[options.lane]
    gap = max(GAP * options.fps, 1.5 * history.stride)
    axes = plot.Axes(
        left=options.left,
        top=options.margin,
        width=options.width,
        height=height - 2 * options.margin,
        first=options.first,
        last=options.last,
        gap=gap,
    )
    complete = curves(history, lane, by_time=False)
    people = [curve.since(options.first) for curve in complete]
    people = [curve for curve in people if len(curve.x)]
    present = history.present
    people.sort(key=lambda curve: curve.id in present)  # on top
    plot.draw_lane(canvas, axes, lane, people, options.ink, options.letters)
    entries = []
    for curve in sorted(people, key=lambda c: (c.id not in present, c.id)):
        value = curve.at(options.index, gap) if curve.id in present else None
        entries.append((curve.id, "" if value is None else lane.text(*value)))
    place = (options.left + options.width + 2 * options.letters, 4, height - 8)
    plot.draw_legend(canvas, place, entries, options.ink, options.letters)
    return canvas


class Plotter:
    """Draws the plot again when the history or the options have changed.

    Attributes:
      worker: The thread.
      pictures: Queue of the results, uint8 (H, W, 3) RGB.
    """

    def __init__(self, history: History) -> None:
        self.worker = Worker("ethos-plotter", self._run)
        self.pictures: Latest[np.ndarray] = Latest()
        self._history = history
        self._options = PlotOptions()
        self._closed = threading.Event()

    def start(self) -> None:
        """Starts the thread."""
        self.worker.start()

    def set_options(self, options: PlotOptions) -> None:
        """Changes the options. Any thread may call it."""
        self._options = options

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        self.worker.close()

    def _run(self) -> None:
        drawn: tuple[int, PlotOptions] | None = None
        while not self._closed.wait(INTERVAL):
            options = self._options
            wanted = (self._history.version, options)
            if wanted == drawn:
                continue
            drawn = wanted
            if min(options.width, options.size[1] - 2 * options.margin) >= MIN_SIZE:
                self.pictures.put(draw(self._history, options))
