"""The columns of the tables. All formats and their documentation use this list."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from ethos_data.topology import NUM_LANDMARKS
from ethos_model.footage.tracker import TrackedFace

PIXELS: Final = "source pixels"


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One face in one frame.

    Attributes:
      frame: Number of the frame in the video, from 0.
      time: Seconds since the first frame.
      face: The face. Its depth and restored image are not used.
    """

    frame: int
    time: float
    face: TrackedFace


@dataclasses.dataclass(frozen=True)
class Column:
    """One value of a row.

    Attributes:
      name: Name in all formats.
      unit: Unit of the value; "" for none.
      meaning: What the value is, in Markdown.
      dtype: Type in NPZ and Parquet files and in pandas.
      decimals: Number of decimals in text formats; None for integers and booleans.
      value: Returns the value of a row.
    """

    name: str
    unit: str
    meaning: str
    dtype: str
    decimals: int | None
    value: Callable[[Row], Any]


def _whole(name: str, meaning: str, value: Callable[[Row], Any]) -> Column:
    return Column(name, "", meaning, "int64", None, value)


def _flag(name: str, meaning: str, value: Callable[[Row], Any]) -> Column:
    return Column(name, "", meaning, "bool", None, value)


def _number(
    name: str,
    unit: str,
    meaning: str,
    value: Callable[[Row], Any],
    decimals: int = 3,
    dtype: str = "float32",
) -> Column:
    return Column(name, unit, meaning, dtype, decimals, value)


COLUMNS: Final = (
    _whole("frame", "Number of the frame in the video, from 0.", lambda row: row.frame),
    _number(
        "time_s",
        "s",
        "Time since the first frame.",
        lambda row: row.time,
        decimals=4,
        dtype="float64",
    ),
    _whole(
        "face",
        "Number of the person, from 1. It stays the same while the person is tracked.",
        lambda row: row.face.id,
    ),
    _flag(
        "unsure",
        "Whether the network or the detector doubts that this is a face.",
        lambda row: row.face.unsure,
    ),
    _number(
        "score",
        "",
        "Last confidence of the detector, 0 to 1.",
        lambda row: row.face.score,
    ),
)
"""The columns with one value per row. Adding a column here adds it to every format."""


@dataclasses.dataclass(frozen=True)
class LandmarkColumn:
    """One value of each landmark. Its columns are `name` and the landmark's number.

    Attributes:
      name: Start of the column names.
      unit: Unit of the values.
      meaning: What the values are, in Markdown.
    """

    name: str
    unit: str
    meaning: str


LANDMARK_COLUMNS: Final = (
    LandmarkColumn(
        "x", PIXELS, "x of the landmark, to the right. Pixel centres are integers."
    ),
    LandmarkColumn("y", PIXELS, "y of the landmark, downwards."),
    LandmarkColumn(
        "z",
        PIXELS,
        "z of the landmark, relative to the mean of the eye landmarks. Larger is "
        "nearer.",
    ),
    LandmarkColumn(
        "sigma",
        PIXELS,
        "Uncertainty of the landmark: one standard deviation of x or of y. 68 % of the "
        "errors are smaller.",
    ),
)
"""The columns with one value per landmark. `x0`, `y0`, `z0` and `sigma0` come first."""

LANDMARK_DECIMALS: Final = 3

NAMES: Final = (
    *(column.name for column in COLUMNS),
    *(f"{c.name}{i}" for i in range(NUM_LANDMARKS) for c in LANDMARK_COLUMNS),
)
"""Names of all columns of CSV and Parquet files and of pandas, in order."""


def units() -> dict[str, str]:
    """Returns the unit of each column that has one, by the column's name."""
    columns = (*COLUMNS, *LANDMARK_COLUMNS)
    return {column.name: column.unit for column in columns if column.unit}


def landmark_values(row: Row) -> np.ndarray:
    """Returns float32 (68, 4): x, y, z and sigma of each landmark, in source pixels."""
    face = row.face.face
    return np.column_stack([face.landmarks, face.uncertainty]).astype(np.float32)


def arrays(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Converts rows to arrays.

    Returns:
      For each of `COLUMNS` an array (N,); "landmarks", float32 (N, 68, 3); and "sigma",
      float32 (N, 68).
    """
    result = {
        column.name: np.array([column.value(row) for row in rows], column.dtype)
        for column in COLUMNS
    }
    values = np.zeros((len(rows), NUM_LANDMARKS, len(LANDMARK_COLUMNS)), np.float32)
    for index, row in enumerate(rows):
        values[index] = landmark_values(row)
    return {**result, "landmarks": values[..., :3], "sigma": values[..., 3]}


def flat_arrays(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Converts rows to one array (N,) for each of `NAMES`."""
    columns = arrays(rows)
    sigma = columns.pop("sigma")[..., None]
    values = np.concatenate([columns.pop("landmarks"), sigma], axis=-1)
    flat = values.reshape(len(rows), NUM_LANDMARKS * len(LANDMARK_COLUMNS)).T
    names = NAMES[len(columns) :]
    return {**columns, **dict(zip(names, flat, strict=True))}
