"""A figure with all measures of all people over time, as a picture to save."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np

from gui.drawing import palette, plot
from gui.drawing.text import put_text, text_width

WIDTH: Final = 1400
LANE_HEIGHT: Final = 150
"""Size of the figure and of each lane, in pixels."""

_LEFT: Final = 130
_RIGHT: Final = 24
_GAP: Final = 26
_LETTERS: Final = 10

LIGHT: Final = palette.Ink(
    background=(255, 255, 255),
    grid=(222, 225, 229),
    muted=(93, 102, 114),
    text=(29, 33, 39),
)
"""Colours for paper."""


def draw_figure(
    curves: Mapping[str, Sequence[plot.Curve]],
    *,
    seconds: tuple[float, float],
    gap: float,
    title: str = "",
    ink: palette.Ink = LIGHT,
) -> np.ndarray:
    """Draws one lane below the other, with a common time axis.

    Args:
      curves: The curves of each lane, by the name in `plot.LANES`. x is in seconds.
      seconds: First and last time on the axis.
      gap: A curve is interrupted where a person is absent for longer, in seconds.
      title: Text above the lanes.
      ink: Colours besides those of the people.

    Returns:
      uint8 (H, WIDTH, 3) RGB.
    """
    top = 64
    height = top + len(curves) * (LANE_HEIGHT + _GAP) + 34
    canvas = np.empty((height, WIDTH, 3), np.uint8)
    canvas[:] = ink.background
    axes = plot.Axes(
        left=_LEFT,
        top=top,
        width=WIDTH - _LEFT - _RIGHT,
        height=LANE_HEIGHT,
        first=seconds[0],
        last=max(seconds[1], seconds[0] + 1e-3),
        gap=gap,
    )
    put_text(canvas, title, (_LEFT, 26), ink.text, height=_LETTERS + 2, outline=False)
    people = sorted({curve.id for lane in curves.values() for curve in lane})
    _draw_people(canvas, people, ink)
    for row, (name, lane_curves) in enumerate(curves.items()):
        lane = plot.LANES[name]
        place = dataclasses.replace(axes, top=top + row * (LANE_HEIGHT + _GAP))
        _draw_times(canvas, place, ink, has_labels=row == len(curves) - 1)
        plot.draw_lane(canvas, place, lane, lane_curves, ink, _LETTERS)
        middle = place.top + LANE_HEIGHT // 2
        put_text(
            canvas,
            lane.label,
            (12, middle),
            ink.text,
            height=_LETTERS,
            anchor="lm",
            outline=False,
        )
    return canvas


def _draw_people(canvas: np.ndarray, people: Sequence[int], ink: palette.Ink) -> None:
    """The legend: colour and number of each person, beside each other."""
    x = _LEFT
    for number in people:
        text = f"person {number}"
        width = 34 + text_width(text, _LETTERS)
        if x + width > canvas.shape[1] - _RIGHT:
            break
        cv2.line(canvas, (x, 46), (x + 16, 46), palette.person(number), 3, cv2.LINE_AA)
        put_text(
            canvas,
            text,
            (x + 22, 46),
            ink.text,
            height=_LETTERS,
            anchor="lm",
            outline=False,
        )
        x += width + 12


def _draw_times(
    canvas: np.ndarray, axes: plot.Axes, ink: palette.Ink, *, has_labels: bool
) -> None:
    """Vertical lines at round times, and the times below them."""
    bottom = axes.top + axes.height
    for second in round_times(axes.first, axes.last):
        x = round(float(axes.column(second)))
        cv2.line(canvas, (x, axes.top), (x, bottom), ink.grid, 1)
        if has_labels:
            text = f"{second:g} s"
            put_text(
                canvas,
                text,
                (x, bottom + 22),
                ink.muted,
                height=_LETTERS,
                anchor="ms",
                outline=False,
            )


def round_times(first: float, last: float, count: int = 10) -> list[float]:
    """Round times within a range, for the marks of an axis.

    Args:
      first: Start of the range, in seconds.
      last: End of the range, in seconds.
      count: Approximate largest number of times.

    Returns:
      Multiples of 1, 2 or 5 times a power of ten.
    """
    least = (last - first) / count
    power = 10.0 ** np.floor(np.log10(least))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= least * (1 - 1e-9))
    start, end = int(np.ceil(first / step)), int(np.floor(last / step))
    return [round(number * step, 6) for number in range(start, end + 1)]
