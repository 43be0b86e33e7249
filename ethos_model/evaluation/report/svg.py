"""Small plots as SVG text, so that a page needs no plotting library.

Every function returns one <svg> element, followed by a legend where lines are drawn.
Colours are CSS variables of the page, so the plots follow the light or the dark theme.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from ethos_data import topology

_WIDTH: Final = 420
_HEIGHT: Final = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 40  # Margins around the plot, in pixels.

Values = Sequence[float] | np.ndarray

COLOURS: Final = tuple(f"var(--c{i})" for i in range(7))


class _Axes:
    """Maps values to pixels and collects the elements of a plot."""

    def __init__(
        self, x_range: tuple[float, float], y_range: tuple[float, float]
    ) -> None:
        low, high = x_range
        # A range with a single value is widened, so that the value can be drawn.
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
        """Draws horizontal lines at round values, and the labels of the axes."""
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
        vertices = " ".join(
            f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in zip(xs, ys, strict=True)
        )
        self.parts.append(
            f'<polyline points="{vertices}" style="stroke:{colour};{style}"/>'
        )

    def svg(self, title: str) -> str:
        return (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
            f"<title>{html.escape(title)}</title>{''.join(self.parts)}</svg>"
        )


def text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    """A <text> element.

    Args:
      x: Position in pixels.
      y: Position of the base line in pixels.
      words: The text. It is escaped.
      anchor: Value of SVG's `text-anchor`: "start", "middle" or "end".
    """
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{html.escape(words)}</text>"


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """About `wanted` round values from `low` to `high`."""
    rough = (high - low) / wanted
    unit = 10 ** np.floor(np.log10(rough))
    step = unit * min((1, 2, 2.5, 5, 10), key=lambda factor: abs(factor * unit - rough))
    values = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1)
    # Adding 0.0 turns -0.0 into 0.0.
    return [float(f"{v:.10g}") + 0.0 for v in values * step]


def lines(
    series: Mapping[str, tuple[Values, Values]],
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    guide: tuple[Values, Values] | None = None,
    x_ticks: Sequence[float] | None = None,
) -> str:
    """A line plot with a legend.

    Args:
      series: x and y values of each line, by name.
      x_label: Label of the x axis, with its unit.
      y_label: Label of the y axis, with its unit.
      y_range: Range of the y axis. None uses zero to the highest value.
      guide: x and y values of a thin dashed line to compare with.
      x_ticks: Labelled values of the x axis. None uses round values.
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
    """The legend of `lines` as HTML.

    Args:
      names: Names of the lines, in the order in which they are drawn.
    """
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
    """Colour of line number `index`, and whether it is dashed.

    When the colours are used up, they are used again with dashed lines.
    """
    repetition, colour = divmod(index, len(COLOURS))
    return COLOURS[colour], repetition % 2 == 1


def bars(
    rows: Sequence[tuple[str, float, tuple[float, float], float, float | None]],
    *,
    label: str,
) -> str:
    """Horizontal bars with intervals and marks of the mean face and a baseline model.

    The values are printed at the right edge, where no mark crosses them.

    Args:
      rows: For each bar: name, value, interval, value of the mean face, and value of
        the baseline model or None.
      label: Label of the axis, with its unit.
    """
    row_height, left, right = 28, 180, 40
    height = row_height * len(rows) + 30
    known = [
        value for row in rows for value in (row[1], row[2][1], row[3], row[4] or 0)
    ]
    scale = (_WIDTH - left - right) / np.nanmax(known)
    parts = []
    for i, (name, value, (low, high), mean, baseline) in enumerate(rows):
        y = i * row_height + 4
        parts.append(text(left - 8, y + 15, name, "end"))
        parts.append(
            f'<rect class="bar" x="{left}" y="{y}" width="{value * scale:.1f}" '
            f'height="{row_height - 10}"/>'
        )
        if np.isfinite(low):
            parts.append(
                f'<line class="interval" x1="{left + low * scale:.1f}" '
                f'x2="{left + high * scale:.1f}" y1="{y + 10}" y2="{y + 10}"/>'
            )
        for mark, kind in ((mean, "mean"), (baseline, "baseline")):
            if mark is not None:
                x = left + mark * scale
                parts.append(
                    f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 2}" '
                    f'y2="{y + row_height - 8}"/>'
                )
        parts.append(text(_WIDTH - 2, y + 15, f"{value:.2f}", "end"))
    parts.append(text((left + _WIDTH - right) / 2, height - 6, label))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img"><title>{html.escape(label)}'
        f"</title>{''.join(parts)}</svg>"
    )


def face(landmarks: np.ndarray, errors: np.ndarray) -> str:
    """The mean face with a disc at each landmark. The radius is the error, to scale.

    Args:
      landmarks: (68, 2) or (68, 3), normalised.
      errors: (68,), mean error of each landmark, % of the face size. Landmarks whose
        error is NaN have no disc.
    """
    side = 300
    xy = landmarks[:, :2] * side
    percent = topology.face_size(topology.face_box(xy)) / 100
    parts = [_edges(xy, "edge")]
    for (x, y), error in zip(xy, errors, strict=True):
        if np.isnan(error):
            continue
        parts.append(
            f'<g transform="translate({x:.1f} {y:.1f})">'
            f'<circle class="error" r="{error * percent:.2f}">'
            f"<title>{error:.2f} %</title></circle>"
            '<circle class="point" r="1.3"/></g>'
        )
    return f'<svg viewBox="0 0 {side} {side}" role="img">{"".join(parts)}</svg>'


def overlay(true: np.ndarray | None, predicted: np.ndarray, image: str) -> str:
    """An image with the true and the predicted landmarks drawn over it.

    Args:
      true: (68, 2) or (68, 3), normalised in the image. NaN where a landmark has no
        label. None draws no true landmarks.
      predicted: Same shape and frame of reference.
      image: The image as a data URI.
    """
    side = 200
    true_edges = "" if true is None else _edges(true[:, :2] * side, "true")
    return (
        f'<svg viewBox="0 0 {side} {side}" role="img">'
        f'<image href="{image}" width="{side}" height="{side}"/>'
        f"{true_edges}{_edges(predicted[:, :2] * side, 'predicted')}</svg>"
    )


def _edges(xy: np.ndarray, css_class: str) -> str:
    """Lines between neighbouring landmarks.

    Args:
      xy: (68, 2), in pixels. A line with an end that is NaN is not drawn.
      css_class: Class of the path.
    """
    path = "".join(
        f"M{xy[i, 0]:.1f} {xy[i, 1]:.1f}L{xy[j, 0]:.1f} {xy[j, 1]:.1f}"
        for i, j in topology.EDGES
        if np.isfinite(xy[[i, j]]).all()
    )
    return f'<path class="{css_class}" d="{path}"/>'
