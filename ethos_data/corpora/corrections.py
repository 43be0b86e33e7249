"""Reads and writes corrections: landmarks that a person corrected in the viewer.

The file is next to the video: `clip.mp4` has `clip.corrections.csv`, and a folder of
images has `corrections.csv`.

    frame,timestamp,face,interpolated,x0,y0,...,x67,y67,visible0,...,visible67
    12,0.48,0,0,30.500,99.250,...

| column | content |
| --- | --- |
| `image` | File name of the image. Only in a folder of images; then it is the first column. |
| `frame` | Number of the frame, from 0. In a folder: index in the sorted list of its images. |
| `timestamp` | Time of the frame in the video, in seconds. 0 in a folder. |
| `face` | Number of the person in the video, from 0. |
| `interpolated` | 1: computed between two corrected frames, 0: corrected by a person |
| `x0`, `y0` to `x67`, `y67` | Landmarks in pixels. y points down; the centre of the first pixel is (0, 0). Empty for a missing landmark. |
| `visible0` to `visible67` | 0: no label, 1: something covers the landmark, 2: visible. |

There is no z: labels made by hand have none. `video_csv` and `csv_images` read these
files as corpora.
"""  # noqa: E501

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data.corpora import table
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files
from ethos_data.topology import NUM_LANDMARKS
from ethos_data.visibility import UNLABELLED, VISIBLE

FOLDER_NAME: Final = "corrections.csv"
"""Name of the corrections of a folder of images."""

SUFFIX: Final = f".{FOLDER_NAME}"
"""Replaces the suffix of a video in the name of its corrections."""

DECIMALS: Final = 3
"""Number of decimals of a coordinate, in pixels, and of a timestamp, in seconds."""

_COLUMNS: Final = ("frame", "timestamp", "face", "interpolated")


@dataclasses.dataclass(frozen=True)
class CorrectedFace:
    """Landmarks of one person in one frame.

    Attributes:
      frame: Number of the frame in the video, from 0. In a folder of images, the index
        in the sorted list.
      timestamp: Time of the frame, in seconds. 0.0 in a folder of images.
      face: Number of the person in the video, from 0.
      points: float64 (68, 2), in source pixels. NaN where unknown.
      visible: uint8 (68,), see `visibility`.
      interpolated: Whether the landmarks were computed between two corrected frames.
        False if a person corrected them.
      image: File name of the image, in a folder of images. Otherwise "".
    """

    frame: int
    timestamp: float
    face: int
    points: np.ndarray
    visible: np.ndarray
    interpolated: bool
    image: str = ""


def sidecar_path(path: str) -> str:
    """Returns the path of the corrections of a video or of a folder of images.

    Example:
      >>> sidecar_path("videos/clip.mp4")
      'videos/clip.corrections.csv'
    """
    if os.path.isdir(path):
        return files.join(path, FOLDER_NAME)
    return os.path.splitext(path)[0] + SUFFIX


def is_sidecar(path: str) -> bool:
    """Returns whether a file contains corrections, according to its name."""
    name = path.replace(os.sep, "/").rpartition("/")[2]
    return name == FOLDER_NAME or name.endswith(SUFFIX)


def read(path: str) -> list[CorrectedFace]:
    """Reads corrections.

    Args:
      path: Path of the file; see `sidecar_path`.

    Returns:
      The faces, sorted by frame and face.

    Raises:
      EthosError: The file does not exist, cannot be read or is damaged.
    """
    try:
        content = files.read_bytes(path)
    except OSError as error:
        reason = f"{path}: cannot be read ({reason_of(error)})"
        raise EthosError(reason) from error
    if content is None:
        raise EthosError(f"{path}: no such file")
    return parse(content, path)


def parse(content: bytes, path: str) -> list[CorrectedFace]:
    """Parses the content of a file with corrections.

    Args:
      content: The content of the file.
      path: Path of the file, for messages.

    Returns:
      The faces, sorted by frame and face.

    Raises:
      EthosError: The file is damaged.
    """
    try:
        rows = list(table.rows_of(content))
    except ValueError as error:
        raise EthosError(f"{path}: {error}") from error
    if not rows:
        raise EthosError(f"{path}: is empty")
    names = [name.strip() for name in rows[0]]
    for name in _COLUMNS:
        if name not in names:
            raise EthosError(f"{path}: has no column {name}")
    try:
        columns = table.find_columns(names)
        if (columns.visible < 0).any():
            raise ValueError(f"has no column visible{columns.visible.argmin()}")
    except ValueError as error:
        raise EthosError(f"{path}: {error}") from error
    faces: dict[tuple[str | int, int], CorrectedFace] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        try:
            face = _parse_row(row, names, columns)
            # An image keeps its name if other images are added to the folder.
            key = face.image or face.frame, face.face
            if key in faces:
                raise ValueError(f"repeats face {face.face} of frame {face.frame}")
        except ValueError as error:
            raise EthosError(f"{path}: line {line}: {error}") from error
        faces[key] = face
    return sorted(faces.values(), key=_order)


def _order(face: CorrectedFace) -> tuple[int, str, int]:
    return face.frame, face.image, face.face


def _parse_row(
    row: Sequence[str], names: Sequence[str], columns: table.Columns
) -> CorrectedFace:
    """Parses a row.

    Raises:
      ValueError: A value is missing or impossible.
    """
    if len(row) != len(names):
        raise ValueError(f"has {len(row)} columns, not {len(names)}")
    cells = dict(zip(names, row, strict=True))
    points, visible = table.landmarks_of(row, columns)
    assert visible is not None  # the columns exist
    if (visible > VISIBLE).any():
        number = int((visible > VISIBLE).argmax())
        raise ValueError(f"visible{number} is {visible[number]}, not 0, 1 or 2")
    unknown = ~np.isfinite(points[:, :2]).all(axis=1) & (visible != UNLABELLED)
    if unknown.any():
        raise ValueError(f"landmark {unknown.argmax()} has no position")
    if cells["interpolated"] not in ("0", "1"):
        raise ValueError(f"interpolated is {cells['interpolated']!r}, not 0 or 1")
    frame, face = int(cells["frame"]), int(cells["face"])
    if min(frame, face) < 0:
        raise ValueError("frame and face must not be negative")
    return CorrectedFace(
        frame=frame,
        timestamp=float(cells["timestamp"]),
        face=face,
        points=points[:, :2],
        visible=visible,
        interpolated=cells["interpolated"] == "1",
        image=cells.get("image", ""),
    )


def write(path: str, faces: Sequence[CorrectedFace]) -> None:
    """Writes corrections. A reader sees the old file or the new file, never a part.

    Args:
      path: Path of the file; see `sidecar_path`.
      faces: The faces, in any order. Those of a folder of images name their image. A
        landmark without a finite position is written as missing, without a label.

    Raises:
      OSError: The file cannot be written.
    """
    folder = any(face.image for face in faces)
    numbers = range(NUM_LANDMARKS)
    header = [*_COLUMNS, *(f"{axis}{i}" for i in numbers for axis in "xy")]
    header += [f"visible{i}" for i in numbers]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *header] if folder else header)
    for face in sorted(faces, key=_order):
        row = [str(face.frame), f"{face.timestamp:.{DECIMALS}f}", str(face.face)]
        row.append(str(int(face.interpolated)))
        known = np.isfinite(face.points).all(axis=-1)
        points = np.where(known[:, None], face.points, np.nan)
        row += [f"{v:.{DECIMALS}f}" if np.isfinite(v) else "" for v in points.flat]
        row += [str(code) for code in np.where(known, face.visible, UNLABELLED)]
        writer.writerow([face.image, *row] if folder else row)
    # The name of an image may contain bytes that are not UTF-8.
    files.write(path, iter([text.getvalue().encode("utf-8", "surrogateescape")]))
