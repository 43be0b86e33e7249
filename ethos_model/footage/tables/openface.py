"""Writes CSV files with the columns, the order and the units of OpenFace 2.

The columns are those of OpenFace 2.2 (`RecorderCSV.cpp`, and the page "Output Format"
of its wiki) without gaze and action units. The file has no header besides the names of
the columns, because programs that read OpenFace's files expect none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_model.footage.measures import FaceMeasures, head
from ethos_model.footage.measures.pose import EYE_DISTANCE, default_focal_length
from ethos_model.footage.tables.columns import Row
from ethos_model.footage.tables.recording import Recording

_POSE: Final = tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz")

OPENFACE_NAMES: Final = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *_POSE,
    *(f"{axis}_{i}" for axis in "xyXYZ" for i in range(topology.NUM_LANDMARKS)),
)
"""Names of the columns, in order."""


def write_openface(path: str, recording: Recording) -> None:
    """Writes one line per face, and one line for each frame without a face.

    `docs/reference/tables.md` describes the columns. Without a face, all values after
    the timestamp are 0, as in OpenFace.

    Args:
      path: File to write.
      recording: The faces. Its header must contain the size of the frames.
    """
    if recording.header.size is None:
        raise ValueError("The header must contain the size of the frames.")
    with open(path, "w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(OPENFACE_NAMES)
        writer.writerows(_lines(recording, *recording.header.size))


def _lines(recording: Recording, width: int, height: int) -> Iterator[list[str]]:
    rows: dict[int, list[Row]] = {}
    for row in recording.rows:
        rows.setdefault(row.frame, []).append(row)
    empty = ["0"] * (len(OPENFACE_NAMES) - 3)
    for index, time in recording.frames:
        start = [str(index + 1), "0", f"{time:.3f}"]
        if index not in rows:
            yield [*start, *empty]
        for row in rows.get(index, ()):
            start[1] = str(row.face.id - 1)
            measures = row.face.measures
            if measures is None:
                yield [*start, *empty]
            else:
                yield [*start, *_values(row, measures, width, height)]


def _values(row: Row, measures: FaceMeasures, width: int, height: int) -> Iterator[str]:
    landmarks = np.asarray(row.face.face.landmarks, np.float64)
    pose = measures.pose.openface()
    yield f"{measures.quality:.2f}"
    yield str(int(not row.face.unsure))
    yield from (f"{value:.1f}" for value in pose[:3])
    yield from (f"{value:.4f}" for value in pose[3:])
    in_frame = landmarks[:, :2].T
    in_space = camera_landmarks(landmarks, measures, width, height).T
    for values in (*in_frame, *in_space):
        yield from (f"{value:.2f}" for value in values)


def camera_landmarks(
    landmarks: np.ndarray, measures: FaceMeasures, width: int, height: int
) -> np.ndarray:
    """Returns the landmarks relative to the camera.

    They are on the lines of sight through the landmarks in the frame. Their distances
    follow from z of the landmarks and the position of the head.

    Args:
      landmarks: (68, 3), in source pixels. z is relative to the eyes.
      measures: Measures of the face.
      width: Width of the frame, in pixels.
      height: Height of the frame, in pixels.

    Returns:
      float64 (68, 3), in mm: x to the right, y down, z away from the camera.
    """
    focal = default_focal_length(height, width)
    z = measures.pose.position[2]
    # Positions of the eyes in the head frame; z of the landmarks is relative to them.
    eyes = [
        head.load().mean[topology.GROUPS[name]].mean(axis=0)
        for name in ("right_eye", "left_eye")
    ]
    mm_per_unit = EYE_DISTANCE / float(np.linalg.norm(eyes[1] - eyes[0]))
    nearer = float(measures.pose.rotation[2] @ np.mean(eyes, axis=0)) * mm_per_unit
    depth = z - nearer - landmarks[:, 2] * z / focal
    center = (np.array([width, height]) - 1) / 2
    sideways = (landmarks[:, :2] - center) * depth[:, None] / focal
    return np.column_stack([sideways, depth])
