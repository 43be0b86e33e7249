"""The columns of the tables. All formats and their documentation use this list."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from ethos_data.topology import NUM_LANDMARKS
from ethos_model.footage.measures import FaceMeasures
from ethos_model.footage.tracks import TrackedFace


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One face in one frame.

    Attributes:
      frame: Number of the frame in the video, from 0.
      time: Seconds since the first frame.
      face: The face. Its depth and restored image are not used.
      blink: Whether the eyes are closed by a blink.
    """

    frame: int
    time: float
    face: TrackedFace
    blink: bool = False


@dataclasses.dataclass(frozen=True)
class Column:
    """One value of a row.

    Attributes:
      name: Name in all formats.
      value: Returns the value of a row.
      meaning: What the value is, in Markdown.
      unit: Unit of the value; "" for none.
      dtype: Type in NPZ and Parquet files and in pandas.
      decimals: Number of decimals in text formats; None for integers and booleans.
      at_end: Whether the value is known only after the last frame. JSON Lines lack it.
    """

    name: str
    value: Callable[[Row], Any]
    meaning: str
    unit: str = ""
    dtype: str = "float32"
    decimals: int | None = 3
    at_end: bool = False


def _measure(
    name: str,
    value: Callable[[FaceMeasures], float],
    meaning: str,
    unit: str = "",
    decimals: int = 3,
) -> Column:
    """A column whose value is NaN if the face was not measured."""

    def value_of_row(row: Row) -> float:
        measures = row.face.measures
        return float("nan") if measures is None else value(measures)

    return Column(name, value_of_row, meaning, unit, decimals=decimals)


def _sigma(name: str, value: Callable[[FaceMeasures], float], unit: str = "") -> Column:
    """The column of the uncertainty of another column."""
    meaning = f"One standard deviation of `{name}`."
    return _measure(f"{name}_sigma", value, meaning, unit, 3)


COLUMNS: Final = (
    Column(
        "frame",
        lambda row: row.frame,
        "Number of the frame in the video, from 0.",
        dtype="int64",
        decimals=None,
    ),
    Column(
        "time_s",
        lambda row: row.time,
        "Time since the first frame.",
        "s",
        dtype="float64",
        decimals=4,
    ),
    Column(
        "face",
        lambda row: row.face.id,
        "Number of the person, from 1. It stays the same while the person is tracked.",
        dtype="int64",
        decimals=None,
    ),
    Column(
        "unsure",
        lambda row: row.face.unsure,
        "Whether the network or the detector doubts that this is a face.",
        dtype="bool",
        decimals=None,
    ),
    Column(
        "score",
        lambda row: row.face.score,
        "Last confidence of the detector, 0 to 1.",
    ),
    _measure(
        "quality",
        lambda m: m.quality,
        "Probability that the mean error of the landmarks is at most 3 % of the face "
        "size.",
    ),
    _measure(
        "yaw",
        lambda m: m.pose.yaw,
        "Rotation of the face to the right of the image. 0 looks into the camera.",
        "degrees",
    ),
    _sigma("yaw", lambda m: m.pose.yaw_sigma, "degrees"),
    _measure(
        "pitch", lambda m: m.pose.pitch, "Rotation of the face downwards.", "degrees"
    ),
    _sigma("pitch", lambda m: m.pose.pitch_sigma, "degrees"),
    _measure(
        "roll",
        lambda m: m.pose.roll,
        "Tilt of the top of the head to the left of the image.",
        "degrees",
    ),
    _sigma("roll", lambda m: m.pose.roll_sigma, "degrees"),
    _measure(
        "head_x",
        lambda m: m.pose.position[0],
        "Position of the head to the right of the optical axis. The focal length is "
        "assumed, and that the centres of the eyes are 63 mm apart.",
        "mm",
        1,
    ),
    _measure(
        "head_y",
        lambda m: m.pose.position[1],
        "Position of the head below the optical axis.",
        "mm",
        1,
    ),
    _measure(
        "head_z",
        lambda m: m.pose.position[2],
        "Distance of the head from the camera.",
        "mm",
        1,
    ),
    _measure(
        "right_eye_open",
        lambda m: m.openness.right_eye,
        "Openness of the person's right eye, from 0 (closed) to 1 (wide open).",
    ),
    _sigma("right_eye_open", lambda m: m.openness.right_eye_sigma),
    _measure(
        "left_eye_open",
        lambda m: m.openness.left_eye,
        "Openness of the person's left eye, from 0 to 1.",
    ),
    _sigma("left_eye_open", lambda m: m.openness.left_eye_sigma),
    Column(
        "blink",
        lambda row: row.blink,
        "Whether the eyes are closed by a blink. JSON Lines lack this column.",
        dtype="bool",
        decimals=None,
        at_end=True,
    ),
    _measure(
        "mouth_open",
        lambda m: m.openness.mouth,
        "Openness of the mouth, from 0 (closed) to 1 (wide open).",
    ),
    _sigma("mouth_open", lambda m: m.openness.mouth_sigma),
    _measure(
        "face_size",
        lambda m: m.picture.size,
        "sqrt(width * height) of the box of the landmarks.",
        "source pixels",
        1,
    ),
    _measure(
        "sharpness",
        lambda m: m.picture.sharpness,
        "About 0.01 for a blurred face and 0.05 for a sharp one.",
        decimals=4,
    ),
    _measure(
        "brightness",
        lambda m: m.picture.brightness,
        "Mean brightness of the face, 0 to 255.",
        "grey levels",
        1,
    ),
    _measure(
        "noise",
        lambda m: m.picture.noise,
        "Standard deviation of the noise in the face.",
        "grey levels",
    ),
)
"""The columns with one value per row. Adding a column here adds it to every format."""


@dataclasses.dataclass(frozen=True)
class LandmarkColumn:
    """One value of each landmark. Its columns are `name` and the landmark's number.

    Attributes:
      name: Start of the column names.
      meaning: What the values are, in Markdown.
      unit: Unit of the values.
    """

    name: str
    meaning: str
    unit: str = "source pixels"


LANDMARK_COLUMNS: Final = (
    LandmarkColumn("x", "x of the landmark, to the right. Pixel centres are integers."),
    LandmarkColumn("y", "y of the landmark, downwards."),
    LandmarkColumn(
        "z",
        "z of the landmark, relative to the mean of the eye landmarks. Larger is "
        "nearer.",
    ),
    LandmarkColumn(
        "sigma",
        "Uncertainty of the landmark: one standard deviation of x or of y. 68 % of the "
        "errors are smaller.",
    ),
    LandmarkColumn(
        "visibility",
        "Probability that the frame shows the landmark, 0 to 1. Empty if the model "
        "does not predict it.",
        unit="",
    ),
)
"""The columns with one value per landmark. `x0`, `y0`, `z0`, `sigma0` and
`visibility0` come first."""

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
