"""Parses tables of landmarks: the columns of OpenFace, ETHOS and DeepLabCut."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data.topology import NUM_LANDMARKS

_COORDINATE: Final = re.compile(r"(x|y|z|visible)_?(\d+)")


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of a table that contain landmarks, -1 where there is none.

    Attributes:
      points: int (68, 3), columns of x, y and z.
      visible: int (68,), columns of the values of `visibility`.
    """

    points: np.ndarray
    visible: np.ndarray


def find_columns(header: Sequence[str]) -> Columns:
    """Finds the columns `x0` or `x_0` to `x67`, and the same for y, z and `visible`.

    OpenFace also has columns `X_0`, `Y_0` and `Z_0`: positions in millimetres in the
    frame of the camera. They are not used, so upper and lower case differ.

    Raises:
      ValueError: A column of x or y is missing.
    """
    points = np.full((NUM_LANDMARKS, 3), -1)
    visible = np.full(NUM_LANDMARKS, -1)
    for column, name in enumerate(header):
        match = _COORDINATE.fullmatch(name.strip())
        if match is None or int(match[2]) >= NUM_LANDMARKS:
            continue
        if match[1] == "visible":
            visible[int(match[2])] = column
        else:
            points[int(match[2]), "xyz".index(match[1])] = column
    missing = np.argwhere(points[:, :2] < 0)
    if len(missing):
        landmark, axis = missing[0]
        raise ValueError(f"has no column {'xy'[axis]}{landmark}")
    return Columns(points, visible)


def number(text: str) -> float:
    """Returns a value of a table. NaN for an empty text.

    Raises:
      ValueError: The text is not a number.
    """
    return float(text) if text.strip() else float("nan")


def landmarks_of(
    row: Sequence[str], columns: Columns
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns the landmarks in a row of a table.

    Returns:
      float64 (68, 3) in source pixels, NaN where unknown; and uint8 (68,), see
      `visibility`, or None if the table does not state it.

    Raises:
      ValueError: A value is not a number, or the row is too short.
    """
    if len(row) <= max(columns.points.max(), columns.visible.max()):
        raise ValueError(f"has only {len(row)} columns")
    values = [number(text) for text in _texts(row, columns.points)]
    points = np.array(values).reshape(NUM_LANDMARKS, 3)
    if (columns.visible < 0).any():
        return points, None
    visible = [number(text) for text in _texts(row, columns.visible)]
    return points, np.nan_to_num(visible).astype(np.uint8)


def _texts(row: Sequence[str], columns: np.ndarray) -> list[str]:
    """Returns the texts in some columns of a row. "" where there is no column."""
    return ["" if column < 0 else row[column] for column in columns.ravel()]


def rows_of(content: bytes) -> Iterator[list[str]]:
    """Yields the rows of a CSV file.

    Lines before the header that begin with "#" are comments. Bytes that are not UTF-8
    become surrogates, as in the names of files in Python. So a row can name any file.

    Raises:
      ValueError: The file cannot be divided into rows.
    """
    text = content.decode("utf-8-sig", "surrogateescape")
    lines = io.StringIO(text, newline="")
    rows = csv.reader(itertools.dropwhile(lambda line: line.startswith("#"), lines))
    try:
        yield from rows
    except csv.Error as error:
        raise ValueError(f"is not a CSV table: {error}") from error
