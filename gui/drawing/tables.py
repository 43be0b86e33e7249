"""Tables of landmarks: CSV, JSON or NPZ, chosen by the suffix of the file."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_model.footage.reader import Damage
from ethos_model.footage.tracker import TrackedFace
from gui.drawing.export import replacing

TABLE_SUFFIXES: Final = (".csv", ".json", ".npz")


@contextlib.contextmanager
def replacing_table(path: str) -> Iterator[str]:
    """A temporary name for a table; see `ethos_data.storage.files.replacing`.

    The file is created at once: a location that cannot be written is reported before a
    long video is processed, not after it.

    Raises:
      EthosError: The suffix is unknown, or `path` cannot be written.
    """
    if os.path.splitext(path)[1].lower() not in TABLE_SUFFIXES:
        raise EthosError(f"{path}: landmarks are saved as .csv, .json or .npz")
    with replacing(path) as temporary:
        with open(temporary, "wb"):
            pass
        yield temporary


class LandmarkTable:
    """Landmarks of many frames.

    Landmarks are in source pixels. z is relative to the mean of the eye landmarks;
    larger is nearer. `sigma` is one standard deviation of x or of y, in source pixels.
    """

    def __init__(self, video: str = "", model: str = "") -> None:
        """Starts an empty table.

        Args:
          video: Path of the video, stored in JSON tables.
          model: Name of the model, stored in JSON tables.
        """
        self._video, self._model = video, model
        self._rows: list[tuple[int, float, _Row]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, index: int, timestamp: float, faces: Sequence[TrackedFace]) -> None:
        """Adds the faces of one frame. A frame without faces adds no row.

        Args:
          index: Number of the frame, from 0.
          timestamp: Time of the frame, in seconds.
          faces: The faces of the frame.
        """
        self._rows += [(index, timestamp, _Row(face)) for face in faces]

    def write(self, path: str, damage: Damage | None = None) -> None:
        """Writes the table to a name from `replacing_table`.

        Args:
          path: File to write.
          damage: What could not be read of the video. A CSV file then starts with a
            line that begins with "#". In JSON and NPZ files it is the entry "damage".
        """
        writers = {".csv": self._csv, ".json": self._json, ".npz": self._npz}
        writers[os.path.splitext(path)[1].lower()](path, damage)

    def _csv(self, path: str, damage: Damage | None) -> None:
        header = ["frame", "time_s", "face", "unsure", "score"]
        header += [f"{c}{i}" for i in range(68) for c in ("x", "y", "z", "sigma")]
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if damage is not None:
                file.write(f"# {damage}\r\n")
            writer.writerow(header)
            for index, timestamp, row in self._rows:
                values = np.column_stack([row.landmarks, row.sigma])
                writer.writerow(
                    [index, f"{timestamp:.4f}", row.face, int(row.unsure)]
                    + [f"{row.score:.3f}"]
                    + [f"{v:.3f}" for v in values.ravel()]
                )

    def _json(self, path: str, damage: Damage | None) -> None:
        frames: dict[int, dict[str, Any]] = {}
        for index, timestamp, row in self._rows:
            frame = frames.setdefault(
                index, {"frame": index, "time_s": round(timestamp, 4), "faces": []}
            )
            frame["faces"].append(
                {
                    "face": row.face,
                    "unsure": row.unsure,
                    "score": round(row.score, 3),
                    "landmarks": np.round(row.landmarks.astype(float), 3).tolist(),
                    "sigma": np.round(row.sigma.astype(float), 3).tolist(),
                }
            )
        document = {
            "video": self._video,
            "model": self._model,
            "units": "source pixels; z relative to the eyes' mean, larger = nearer",
            "damage": None if damage is None else dataclasses.asdict(damage),
            "frames": list(frames.values()),
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file, allow_nan=True)

    def _npz(self, path: str, damage: Damage | None) -> None:
        rows = [row for _, _, row in self._rows]
        np.savez_compressed(
            path,
            damage=np.array("" if damage is None else str(damage)),
            frame=np.array([index for index, _, _ in self._rows], np.int64),
            time_s=np.array([time for _, time, _ in self._rows], np.float64),
            face=np.array([row.face for row in rows], np.int64),
            unsure=np.array([row.unsure for row in rows], bool),
            score=np.array([row.score for row in rows], np.float32),
            landmarks=_stack([row.landmarks for row in rows], (68, 3)),
            sigma=_stack([row.sigma for row in rows], (68,)),
        )


class _Row:
    """The part of a `TrackedFace` that is stored.

    Depth and restored images of a long video would not fit into memory.
    """

    def __init__(self, face: TrackedFace) -> None:
        self.face, self.unsure, self.score = face.id, face.unsure, face.score
        self.landmarks, self.sigma = face.face.landmarks, face.face.uncertainty


def _stack(arrays: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    if not arrays:
        return np.zeros((0, *shape), np.float32)
    return np.stack(arrays).astype(np.float32)
