"""Converts rows of a table to arrays, one for each column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ethos_data.topology import NUM_LANDMARKS
from ethos_model.footage.tables.columns import COLUMNS, LANDMARK_COLUMNS, NAMES, Row


def landmark_values(row: Row) -> np.ndarray:
    """Returns float32 (68, 5), the values of `LANDMARK_COLUMNS` of each landmark.

    The visibility is NaN if the model does not predict it.
    """
    face = row.face.face
    unknown = np.full(NUM_LANDMARKS, np.nan)
    visibility = unknown if face.visible is None else face.visible
    values = [face.landmarks, face.uncertainty, visibility]
    return np.column_stack(values).astype(np.float32)


def arrays(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Converts rows to arrays.

    Returns:
      For each of `COLUMNS` an array (N,); "landmarks", float32 (N, 68, 3); "sigma" and
      "visibility", float32 (N, 68).
    """
    result = {
        column.name: np.array([column.value(row) for row in rows], column.dtype)
        for column in COLUMNS
    }
    values = np.zeros((len(rows), NUM_LANDMARKS, len(LANDMARK_COLUMNS)), np.float32)
    for index, row in enumerate(rows):
        values[index] = landmark_values(row)
    result["landmarks"] = values[..., :3]
    return {**result, "sigma": values[..., 3], "visibility": values[..., 4]}


def flat_arrays(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Converts rows to one array (N,) for each of `NAMES`."""
    columns = arrays(rows)
    others = [columns.pop(name)[..., None] for name in ("sigma", "visibility")]
    values = np.concatenate([columns.pop("landmarks"), *others], axis=-1)
    flat = values.reshape(len(rows), NUM_LANDMARKS * len(LANDMARK_COLUMNS)).T
    return {**columns, **dict(zip(NAMES[len(columns) :], flat, strict=True))}
