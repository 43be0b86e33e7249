"""What the history says about the people of a video: contact sheet, figure, table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Final

from ethos_data.errors import EthosError
from ethos_model.footage.tables.columns import COLUMNS
from ethos_model.footage.tables.writer import replacing
from gui.drawing import export, figure, palette, plot
from gui.drawing.contact_sheet import Portrait, draw_contact_sheet
from gui.viewer import plotter
from gui.viewer.history import GAP, NAMES, History, Person
from gui.viewer.status import clock

NOBODY: Final = "Nobody was seen yet. Play the video first."


def portraits(people: Sequence[Person]) -> list[Portrait]:
    """The people as they are shown on the contact sheet."""
    return [
        Portrait(
            person.picture,
            f"person {person.id}",
            (
                f"{person.seconds:.1f} s on screen",
                f"best frame at {clock(person.time)}",
                f"quality {person.quality:.2f}",
            ),
            palette.person(person.id),
        )
        for person in people
    ]


def save_people(path: str, history: History) -> None:
    """Saves the contact sheet of all people so far as a PNG.

    Raises:
      EthosError: Nobody was seen, or `path` cannot be written.
    """
    people = history.people()
    if not people:
        raise EthosError(NOBODY)
    export.save_png(path, draw_contact_sheet(portraits(people), ink=figure.LIGHT))


def save_figure(path: str, history: History, title: str) -> None:
    """Saves the curves of all measures as a PNG.

    Args:
      path: File to write.
      history: What was found so far.
      title: Text above the curves.

    Raises:
      EthosError: Nobody was seen, or `path` cannot be written.
    """
    curves = {
        name: plotter.curves(history, lane, by_time=True)
        for name, lane in plot.LANES.items()
    }
    times = [curve.x for curve in curves["quality"]]
    if not times:
        raise EthosError(NOBODY)
    seconds = min(float(x[0]) for x in times), max(float(x[-1]) for x in times)
    picture = figure.draw_figure(curves, seconds=seconds, gap=GAP, title=title)
    export.save_png(path, picture)


def save_values(path: str, history: History) -> None:
    """Saves the values of the plot as CSV, with the columns of the tables.

    Frames that were not shown are missing. Of a long video, one frame in
    `history.stride` is contained.

    Raises:
      EthosError: Nobody was seen, or `path` cannot be written.
    """
    columns = {column.name: column for column in COLUMNS}
    rows = [
        (int(frame), series, k)
        for series in history.series()
        for k, frame in enumerate(series.frames)
    ]
    if not rows:
        raise EthosError(NOBODY)
    with (
        replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(("frame", "time_s", "face", *NAMES))
        for frame, series, k in sorted(rows, key=lambda row: (row[0], row[1].id)):
            values = [
                f"{series.values[name][k]:.{columns[name].decimals}f}" for name in NAMES
            ]
            writer.writerow((frame, f"{series.times[k]:.4f}", series.id, *values))
