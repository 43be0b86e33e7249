"""Draws values of people over time: one curve for each person, with its uncertainty.

    lane = plot.LANES["yaw"]
    axes = plot.Axes(left=8, top=4, width=600, height=90, first=0, last=249)
    plot.draw_lane(canvas, axes, lane, curves, palette.Ink())

Nothing here knows about windows or videos.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.drawing import SHIFT
from gui.drawing import palette
from gui.drawing.text import put_text, text_width

_BAND: Final = 0.22
"""Opacity of the band of one standard deviation."""

LETTERS: Final = 8
"""Default height of a capital letter, in pixels. Widths of lines follow from it."""


@dataclasses.dataclass(frozen=True)
class Lane:
    """A measure that can be plotted.

    Attributes:
      label: Name of the measure, for the user.
      columns: Columns of the tables whose mean is plotted.
      unit: Unit after a value.
      ranges: Lowest and highest value of the axis. The first range that contains the
        values is used, or else the last.
      has_sigma: Whether each column has a standard deviation.
    """

    label: str
    columns: tuple[str, ...]
    unit: str = ""
    ranges: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    has_sigma: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that the lane needs."""
        sigmas = tuple(f"{name}_sigma" for name in self.columns)
        return self.columns + (sigmas if self.has_sigma else ())

    def text(self, value: float, sigma: float | None) -> str:
        """A value as text, for example "+12° ± 2°"."""
        decimals = 0 if self.unit else 2
        sign = "+" if self.unit else ""
        text = f"{value:{sign}.{decimals}f}{self.unit}"
        return text if sigma is None else f"{text} ± {sigma:.{decimals}f}{self.unit}"


_ANGLES: Final = tuple((-limit, limit) for limit in (15.0, 30.0, 60.0, 90.0, 180.0))

LANES: Final = {
    "yaw": Lane("Yaw", ("yaw",), "°", _ANGLES),
    "pitch": Lane("Pitch", ("pitch",), "°", _ANGLES),
    "roll": Lane("Roll", ("roll",), "°", _ANGLES),
    "eyes": Lane("Eyes", ("right_eye_open", "left_eye_open")),
    "mouth": Lane("Mouth", ("mouth_open",)),
    "quality": Lane("Quality", ("quality",), has_sigma=False),
}
"""What can be plotted, by name, in the order of the menus."""


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """The values of one person.

    Attributes:
      id: Number of the person. It selects the colour.
      x: (N,), frame numbers or seconds, ascending.
      y: (N,), values. Never NaN.
      sigma: (N,), standard deviations; None without.
    """

    id: int
    x: np.ndarray
    y: np.ndarray
    sigma: np.ndarray | None = None

    @classmethod
    def of(
        cls, number: int, x: np.ndarray, values: dict[str, np.ndarray], lane: Lane
    ) -> Curve:
        """The curve of a lane.

        Args:
          number: Number of the person.
          x: (N,), frame numbers or seconds.
          values: (N,) for each of `lane.names`.
          lane: The lane.
        """
        count = len(lane.columns)
        y = np.mean([values[name] for name in lane.columns], axis=0)
        if not lane.has_sigma:
            return cls(number, x, y)
        # The errors of the two eyes are taken to be independent.
        sigmas = np.array([values[f"{name}_sigma"] for name in lane.columns])
        return cls(number, x, y, np.sqrt((sigmas**2).sum(axis=0)) / count)

    def since(self, first: float) -> Curve:
        """The part of the curve from `first` on."""
        kept = slice(int(np.searchsorted(self.x, first)), None)
        sigma = None if self.sigma is None else self.sigma[kept]
        return Curve(self.id, self.x[kept], self.y[kept], sigma)

    def at(self, x: float, reach: float) -> tuple[float, float | None] | None:
        """Value and sigma at the last point up to `x`; None if it is too far away."""
        place = int(np.searchsorted(self.x, x, side="right")) - 1
        if place < 0 or x - self.x[place] > reach:
            return None
        sigma = None if self.sigma is None else float(self.sigma[place])
        return float(self.y[place]), sigma


@dataclasses.dataclass(frozen=True)
class Axes:
    """A rectangle of the picture, and the values at its edges.

    Attributes:
      left: Left edge, in pixels.
      top: Upper edge, in pixels.
      width: Width, in pixels.
      height: Height, in pixels.
      first: Value of x at the left edge.
      last: Value of x at the right edge.
      low: Value of y at the lower edge.
      high: Value of y at the upper edge.
      gap: A curve is interrupted where the next x is more than this away.
    """

    left: int
    top: int
    width: int
    height: int
    first: float
    last: float
    low: float = 0.0
    high: float = 1.0
    gap: float = np.inf

    def column(self, x: np.ndarray | float) -> np.ndarray:
        """The pixel columns of values of x, float64."""
        share = (np.asarray(x, np.float64) - self.first) / max(
            self.last - self.first, 1e-9
        )
        return self.left + share * (self.width - 1)

    def row(self, y: np.ndarray | float) -> np.ndarray:
        """The pixel rows of values of y, float64. Values outside are at the edges."""
        share = (np.asarray(y, np.float64) - self.low) / (self.high - self.low)
        return self.top + (1 - np.clip(share, 0, 1)) * (self.height - 1)

    def fitted(self, lane: Lane, curves: Sequence[Curve]) -> Axes:
        """Axes with the smallest range of the lane that contains the curves."""
        values = np.concatenate([np.zeros(1), *(curve.y for curve in curves)])
        for low, high in lane.ranges:
            if low <= values.min() and values.max() <= high:
                break
        return dataclasses.replace(self, low=low, high=high)


def draw_lane(
    canvas: np.ndarray,
    axes: Axes,
    lane: Lane,
    curves: Sequence[Curve],
    ink: palette.Ink,
    letters: int = LETTERS,
) -> None:
    """Draws a grid and curves, in place.

    Args:
      canvas: uint8 (H, W, 3) RGB.
      axes: Where to draw. The range of y is selected here.
      lane: What the curves show.
      curves: The curves. The last one is on top.
      ink: Colours of the grid and the text.
      letters: Height of a capital letter, in pixels.
    """
    axes = axes.fitted(lane, curves)
    marks = [axes.low, (axes.low + axes.high) / 2, axes.high]
    for mark in marks:
        y = round(float(axes.row(mark)))
        right = axes.left + axes.width - 1
        cv2.line(canvas, (axes.left, y), (right, y), ink.grid, 1)
    thinned = [_thinned(curve, axes) for curve in curves]
    _draw_bands(canvas, axes, thinned)
    width = max(1, round(letters / 4.5))
    for curve in thinned:
        _draw_line(canvas, axes, curve, width)
    for mark in marks:
        y = round(float(axes.row(mark)))
        text = f"{mark:g}{lane.unit}"
        put_text(
            canvas,
            text,
            (axes.left - letters // 2, y),
            ink.muted,
            height=letters,
            anchor="rm",
            outline=False,
        )


def draw_legend(
    canvas: np.ndarray,
    place: tuple[int, int, int],
    entries: Sequence[tuple[int, str]],
    ink: palette.Ink,
    letters: int = LETTERS,
) -> None:
    """Draws the colour, the number and a text of each person, one below the other.

    Args:
      canvas: uint8 (H, W, 3) RGB, changed in place.
      place: Left, top and height, in pixels. Entries that do not fit are counted.
      entries: Number and text of each person.
      ink: Colours of the texts.
      letters: Height of a capital letter, in pixels.
    """
    left, top, height = place
    step = 2 * letters + 1
    rows = max(1, height // step)
    shown = entries if len(entries) <= rows else entries[: rows - 1]
    numbers = max((text_width(str(n), letters) for n, _ in shown), default=0)
    lines = [(str(number), text, palette.person(number)) for number, text in shown]
    if len(shown) < len(entries):
        lines.append(("", f"and {len(entries) - len(shown)} more", ink.background))
    for row, (number, text, color) in enumerate(lines):
        y = top + row * step + step // 2
        end = left + round(1.6 * letters)
        cv2.line(canvas, (left, y), (end, y), color, max(2, letters // 3), cv2.LINE_AA)
        for part, x, tint in (
            (number, left + round(2.5 * letters), ink.text),
            (text, left + round(3.5 * letters) + numbers, ink.muted),
        ):
            put_text(
                canvas, part, (x, y), tint, height=letters, anchor="lm", outline=False
            )


def _thinned(curve: Curve, axes: Axes) -> Curve:
    """Keeps the lowest and the highest point of each pixel column."""
    if len(curve.x) <= 2 * axes.width:
        return curve
    column = np.round(axes.column(curve.x)).astype(np.int64)
    order = np.lexsort((curve.y, column))
    starts = np.flatnonzero(np.diff(column[order], prepend=column.min() - 1))
    ends = np.append(starts[1:], len(order)) - 1
    kept = np.unique(np.concatenate([order[starts], order[ends]]))
    sigma = None if curve.sigma is None else curve.sigma[kept]
    return Curve(curve.id, curve.x[kept], curve.y[kept], sigma)


def _runs(curve: Curve, axes: Axes) -> list[slice]:
    """The parts of a curve without gaps. A gap is at least three pixels wide."""
    pixel = (axes.last - axes.first) / max(axes.width, 1)
    breaks = np.flatnonzero(np.diff(curve.x) > max(axes.gap, 3 * pixel)) + 1
    edges = [0, *breaks.tolist(), len(curve.x)]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]


def _points(axes: Axes, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Points as OpenCV expects them, int32 (N, 1, 2) in 1/16 pixel."""
    points = np.stack([axes.column(x), axes.row(y)], axis=-1) * 2**SHIFT
    return np.round(points).astype(np.int32)[:, None]


def _draw_bands(canvas: np.ndarray, axes: Axes, curves: Sequence[Curve]) -> None:
    layer = canvas.copy()
    for curve in curves:
        if curve.sigma is None:
            continue
        for run in _runs(curve, axes):
            x, y, sigma = curve.x[run], curve.y[run], curve.sigma[run]
            upper, lower = _points(axes, x, y + sigma), _points(axes, x, y - sigma)
            outline = np.concatenate([upper, lower[::-1]])
            color = palette.person(curve.id)
            cv2.fillPoly(layer, [outline], color, cv2.LINE_AA, SHIFT)
    cv2.addWeighted(layer, _BAND, canvas, 1 - _BAND, 0, dst=canvas)


def _draw_line(canvas: np.ndarray, axes: Axes, curve: Curve, width: int) -> None:
    color = palette.person(curve.id)
    for run in _runs(curve, axes):
        points = _points(axes, curve.x[run], curve.y[run])
        if len(points) == 1:
            half = np.array([2 ** (SHIFT - 1), 0], np.int32)  # a dot of one pixel
            points = np.concatenate([points - half, points + half])
        cv2.polylines(canvas, [points], False, color, width, cv2.LINE_AA, SHIFT)
