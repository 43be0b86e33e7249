"""Small plots as SVG text: they go into a page without any plotting library.

Every function returns one <svg> element. Colours are the page's CSS variables, so that
the plots follow a light or a dark screen.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from ethos_data import topology

_WIDTH: Final = 420
_HEIGHT: Final = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 40  # margins around the plot, pixels

Values = Sequence[float] | np.ndarray

COLOURS: Final = tuple(f"var(--c{i})" for i in range(7))


class _Axes:
    """Maps values to pixels and draws the frame, the grid and the labels."""

    def __init__(
        self, x_range: tuple[float, float], y_range: tuple[float, float]
    ) -> None:
        low, high = x_range
        # Where there is one value only, something must be to its sides.
        self.x_range = x_range if high > low else (low - 0.5, high + 0.5)
        self.y_range = y_range
        self.parts: list[str] = []

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        share = (min(value, high) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self, x_label: str, y_label: str) -> None:
        """Horizontal lines at round values, and what the axes mean."""
        for value in ticks(*self.y_range):
            y = self.y(value)
            self.parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" '
                f'y2="{y:.1f}"/>' + text(_LEFT - 6, y + 4, f"{value:g}", "end")
            )
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        self.parts.append(text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, x_label))
        self.parts.append(
            f'<g transform="rotate(-90 11 {middle})">{text(11, middle, y_label)}</g>'
        )

    def x_ticks(self, values: Sequence[float]) -> None:
        for value in values:
            self.parts.append(text(self.x(value), _HEIGHT - _BOTTOM + 16, f"{value:g}"))

    def line(self, xs: Values, ys: Values, colour: str, style: str = "") -> None:
        points = " ".join(
            f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in zip(xs, ys, strict=True)
        )
        self.parts.append(
            f'<polyline points="{points}" style="stroke:{colour};{style}"/>'
        )

    def svg(self, title: str) -> str:
        return (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
            f"<title>{html.escape(title)}</title>{''.join(self.parts)}</svg>"
        )


def text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    """A <text> at a place in pixels; anchor is SVG's text-anchor."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{html.escape(words)}</text>"


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """About `wanted` round values from low to high."""
    rough = (high - low) / wanted
    unit = 10 ** np.floor(np.log10(rough))
    step = unit * min((1, 2, 2.5, 5, 10), key=lambda factor: abs(factor * unit - rough))
    values = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)
    return [float(f"{v:.10g}") + 0.0 for v in values * step]  # + 0.0: no "-0"


def lines(
    series: Mapping[str, tuple[Values, Values]],
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    guide: tuple[Values, Values] | None = None,
    x_ticks: Sequence[float] | None = None,
) -> str:
    """Lines with a legend.

    Args:
      series: name -> x and y values.
      x_label, y_label: what the axes mean, with units.
      y_range: None = from zero to the highest value.
      guide: x and y values of a thin dashed line to compare with.
      x_ticks: where the x axis is labelled; None = at round values.
    """
    xs = np.concatenate([np.asarray(x, float) for x, _ in series.values()])
    ys = np.concatenate([np.asarray(y, float) for _, y in series.values()])
    top = float(ys.max()) * 1.1 or 1.0
    axes = _Axes((float(xs.min()), float(xs.max())), y_range or (0.0, top))
    axes.grid(x_label, y_label)
    axes.x_ticks(ticks(*axes.x_range) if x_ticks is None else x_ticks)
    if guide:
        axes.line(*guide, "var(--muted)", "stroke-dasharray:4 4;stroke-width:1")
    for i, (x, y) in enumerate(series.values()):
        colour, dashed = _stroke(i)
        axes.line(x, y, colour, "stroke-dasharray:7 3" if dashed else "")
    return axes.svg(y_label) + legend(series)


def legend(names: Sequence[str] | Mapping[str, object]) -> str:
    """The strokes of `lines`, as HTML under a plot."""
    entries = []
    for i, name in enumerate(names):
        colour, dashed = _stroke(i)
        gap = "transparent" if dashed else colour
        stroke = f"repeating-linear-gradient(90deg,{colour} 0 7px,{gap} 7px 10px)"
        entries.append(
            f'<span><i style="background:{stroke}"></i>{html.escape(name)}</span>'
        )
    return f'<p class="legend">{"".join(entries)}</p>'


def _stroke(index: int) -> tuple[str, bool]:
    """Colour of a line, and whether it is dashed: the colours begin anew then."""
    again, colour = divmod(index, len(COLOURS))
    return COLOURS[colour], again % 2 == 1


def bars(
    rows: Sequence[tuple[str, float, tuple[float, float], float, float | None]],
    *,
    label: str,
) -> str:
    """Horizontal bars with an interval, a mark of the mean face and of a baseline.

    The values stand at the right, where no mark crosses them.

    Args:
      rows: (name, value, interval, mean face, baseline or None).
      label: what the values mean.
    """
    row, left, right = 28, 180, 40
    height = row * len(rows) + 30
    known = [value for r in rows for value in (r[1], r[2][1], r[3], r[4] or 0)]
    scale = (_WIDTH - left - right) / np.nanmax(known)
    parts = []
    for i, (name, value, (low, high), mean, beside) in enumerate(rows):
        y = i * row + 4
        parts.append(text(left - 8, y + 15, name, "end"))
        parts.append(
            f'<rect class="bar" x="{left}" y="{y}" width="{value * scale:.1f}" '
            f'height="{row - 10}"/>'
        )
        if np.isfinite(low):
            parts.append(
                f'<line class="interval" x1="{left + low * scale:.1f}" '
                f'x2="{left + high * scale:.1f}" y1="{y + 10}" y2="{y + 10}"/>'
            )
        for mark, kind in ((mean, "mean"), (beside, "beside")):
            if mark is not None:
                x = left + mark * scale
                parts.append(
                    f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 2}" '
                    f'y2="{y + row - 8}"/>'
                )
        parts.append(text(_WIDTH - 2, y + 15, f"{value:.2f}", "end"))
    parts.append(text((left + _WIDTH - right) / 2, height - 6, label))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img"><title>{html.escape(label)}'
        f"</title>{''.join(parts)}</svg>"
    )


def face(points: np.ndarray, errors: np.ndarray) -> str:
    """The mean face, every point a disc whose radius is its mean error, to scale.

    Args:
      points: (68, 2) or (68, 3), normalised.
      errors: (68,) % of the face size.
    """
    side = 300
    xy = points[:, :2] * side
    percent = topology.face_size(topology.face_box(xy)) / 100
    parts = [_edges(xy, "edge")]
    for (x, y), error in zip(xy, errors, strict=True):
        parts.append(
            f'<g transform="translate({x:.1f} {y:.1f})">'
            f'<circle class="error" r="{error * percent:.2f}">'
            f"<title>{error:.2f} %</title></circle>"
            '<circle class="point" r="1.3"/></g>'
        )
    return f'<svg viewBox="0 0 {side} {side}" role="img">{"".join(parts)}</svg>'


def overlay(true: np.ndarray | None, predicted: np.ndarray, picture: str) -> str:
    """A picture with the true and the predicted face drawn over it.

    Args:
      true: (68, 2) or (68, 3), normalised in the picture; None = draw none.
      predicted: the same.
      picture: data URI.
    """
    side = 200
    known = "" if true is None else _edges(true[:, :2] * side, "true")
    return (
        f'<svg viewBox="0 0 {side} {side}" role="img">'
        f'<image href="{picture}" width="{side}" height="{side}"/>'
        f"{known}{_edges(predicted[:, :2] * side, 'predicted')}</svg>"
    )


def _edges(xy: np.ndarray, kind: str) -> str:
    path = "".join(
        f"M{xy[i, 0]:.1f} {xy[i, 1]:.1f}L{xy[j, 0]:.1f} {xy[j, 1]:.1f}"
        for i, j in topology.EDGES
    )
    return f'<path class="{kind}" d="{path}"/>'
