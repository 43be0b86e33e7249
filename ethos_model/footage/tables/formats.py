"""Writes a recording as CSV, JSON, NPZ or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from ethos_model.footage.tables.arrays import arrays, flat_arrays, landmark_values
from ethos_model.footage.tables.columns import (
    COLUMNS,
    LANDMARK_DECIMALS,
    NAMES,
    Column,
    Row,
)
from ethos_model.footage.tables.recording import Recording

Writer = Callable[[str, Recording], None]
"""Writes a recording to a file."""

METADATA_KEY: Final = "ethos"
"""Key of the header in the metadata of a Parquet file."""


def write_csv(path: str, recording: Recording) -> None:
    """Writes one line per face after the header, whose lines start with "#"."""
    with open(
        path, "w", newline="", encoding="utf-8", errors="backslashreplace"
    ) as file:
        file.writelines(f"# {line}\r\n" for line in recording.header.lines())
        writer = csv.writer(file)
        writer.writerow(NAMES)
        for row in recording.rows:
            values = [_text(column, column.value(row)) for column in COLUMNS]
            for value in landmark_values(row).ravel():
                values.append(_rounded(value, LANDMARK_DECIMALS))
            writer.writerow(values)


def _text(column: Column, value: Any) -> str:
    """Formats a value for CSV. A value that is not a number becomes an empty field."""
    if column.decimals is None:
        return str(int(value))
    return _rounded(value, column.decimals)


def _rounded(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if np.isfinite(value) else ""


def _json_face(row: Row, is_complete: bool) -> dict[str, Any]:
    """Returns a face as JSON values, without the columns of its frame."""
    landmarks = landmark_values(row).astype(float).round(LANDMARK_DECIMALS)
    values = {
        column.name: _json_value(column, column.value(row))
        for column in COLUMNS
        if column.name not in ("frame", "time_s") and (is_complete or not column.at_end)
    }
    states_visibility = row.face.face.visible is not None
    return {
        **values,
        "landmarks": landmarks[:, :3].tolist(),
        "sigma": landmarks[:, 3].tolist(),
        "visibility": landmarks[:, 4].tolist() if states_visibility else None,
    }


def json_frame(
    index: int, timestamp: float, rows: Iterable[Row], *, is_complete: bool
) -> dict[str, Any]:
    """Returns a frame and its faces as JSON values.

    Args:
      index: Number of the frame.
      timestamp: Seconds since the first frame.
      rows: The faces.
      is_complete: Whether the values are known that depend on later frames.
    """
    faces = [_json_face(row, is_complete) for row in rows]
    return {"frame": index, "time_s": round(timestamp, 4), "faces": faces}


def _json_value(column: Column, value: Any) -> Any:
    """Rounds a value for JSON. A value that is not a number becomes null."""
    if column.decimals is None:
        return bool(value) if column.dtype == "bool" else int(value)
    return round(float(value), column.decimals) if np.isfinite(value) else None


def write_json(path: str, recording: Recording) -> None:
    """Writes the header and the frames that contain a face as one JSON object."""
    by_frame: dict[tuple[int, float], list[Row]] = {}
    for row in recording.rows:
        by_frame.setdefault((row.frame, row.time), []).append(row)
    frames = [
        json_frame(*frame, rows, is_complete=True) for frame, rows in by_frame.items()
    ]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**recording.header.facts(), "frames": frames}, file)


def write_npz(path: str, recording: Recording) -> None:
    """Writes one array per column, and the header as JSON in the array "header"."""
    header = recording.header
    content: dict[str, Any] = {
        "header": np.array(json.dumps(header.facts())),
        "damage": np.array("" if header.damage is None else str(header.damage)),
        **arrays(recording.rows),
    }
    np.savez_compressed(path, **content)


def write_parquet(path: str, recording: Recording) -> None:
    """Writes the columns of CSV. The header is JSON in the metadata of the file."""
    import pyarrow
    from pyarrow import parquet

    metadata = {METADATA_KEY: json.dumps(recording.header.facts())}
    table = pyarrow.table(flat_arrays(recording.rows), metadata=metadata)
    parquet.write_table(table, path)


WRITERS: Final[dict[str, Writer]] = {
    ".csv": write_csv,
    ".json": write_json,
    ".npz": write_npz,
    ".parquet": write_parquet,
}
"""Function that writes a complete recording, by the suffix of the file."""
