"""Converts rows of a table to arrays, one for each column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ethos_data.topology import NUM_LANDMARKS
from ethos_model.footage.tables.columns import COLUMNS, LANDMARK_COLUMNS, NAMES, Row


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
    return {**columns, **dict(zip(NAMES[len(columns) :], flat, strict=True))}
