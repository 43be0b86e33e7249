"""The content of a table: a header, the frames of a video and the faces in them."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

import ethos_data
from ethos_model.footage.measures import blinks
from ethos_model.footage.sources.source import Damage
from ethos_model.footage.tables.columns import Row, units
from ethos_model.footage.tracks import TrackedFace, without_images

SCHEMA: Final = 1
"""Version of the tables. It increases when a column changes its name or meaning."""


@dataclasses.dataclass(frozen=True)
class Header:
    """Facts about a table that are the same for all rows.

    Attributes:
      video: Path of the video, or the name of a camera or stream.
      model: Name of the model.
      size: Width and height of the frames, in pixels; None if unknown.
      damage: What could not be read of the video; None if everything was read.
      doubts: Sentences about frames in which a face may not be hidden; see
        `ethos_model.footage.hiding`.
    """

    video: str = ""
    model: str = ""
    size: tuple[int, int] | None = None
    damage: Damage | None = None
    doubts: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Returns the header as JSON values, in the order in which it is written."""
        return {
            "schema": SCHEMA,
            "version": ethos_data.__version__,
            "video": self.video,
            "model": self.model,
            "frame_size": None if self.size is None else list(self.size),
            "units": units(),
            "damage": None if self.damage is None else dataclasses.asdict(self.damage),
            "doubts": list(self.doubts),
        }

    def lines(self) -> list[str]:
        """Returns the header as lines of text without line breaks."""
        facts = self.facts()
        size = "unknown" if self.size is None else "{} x {} pixels".format(*self.size)
        by_unit: dict[str, list[str]] = {}
        for name, unit in facts["units"].items():
            by_unit.setdefault(unit, []).append(name)
        lines = [
            f"ETHOS table, schema {SCHEMA}, version {facts['version']}",
            f"video: {self.video}",
            f"model: {self.model}",
            f"frame size: {size}",
            *(f"unit {unit}: {' '.join(names)}" for unit, names in by_unit.items()),
            f"data loss: {self.damage or 'none'}",
            *(f"doubt: {doubt}" for doubt in self.doubts),
        ]
        return [" ".join(line.split()) for line in lines]


@dataclasses.dataclass
class Recording:
    """The faces of a video, in memory.

    Attributes:
      header: Facts about the table.
      frames: Number and timestamp, in seconds, of each frame.
      rows: The faces, in the order of the frames.
    """

    header: Header = dataclasses.field(default_factory=Header)
    frames: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    rows: list[Row] = dataclasses.field(default_factory=list)

    def add(self, index: int, timestamp: float, faces: Sequence[TrackedFace]) -> None:
        """Adds a frame.

        Args:
          index: Number of the frame, from 0.
          timestamp: Seconds since the first frame.
          faces: The faces of the frame.
        """
        self.frames.append((index, timestamp))
        self.rows += [Row(index, timestamp, without_images(face)) for face in faces]

    def mark_blinks(self) -> None:
        """Marks the rows in which the eyes are closed by a blink."""
        people: dict[int, list[int]] = collections.defaultdict(list)
        for number, row in enumerate(self.rows):
            people[row.face.id].append(number)
        for numbers in people.values():
            for number in _blinking(self.rows, numbers):
                self.rows[number] = dataclasses.replace(self.rows[number], blink=True)


def _blinking(rows: Sequence[Row], numbers: Sequence[int]) -> Iterator[int]:
    """Numbers of the rows of one person that are inside a blink."""
    measured: dict[float, int] = {}
    for number in numbers:
        if rows[number].face.measures is not None:
            measured.setdefault(rows[number].time, number)  # times must increase
    eyes = [_mean_openness(rows[number]) for number in measured.values()]
    times = np.array(list(measured))
    for blink in blinks(times, *np.reshape(eyes, (-1, 2)).T):
        for time, number in measured.items():
            if blink.start <= time <= blink.end:
                yield number


def _mean_openness(row: Row) -> tuple[float, float]:
    """Mean openness of both eyes and its standard deviation."""
    assert row.face.measures is not None
    openness = row.face.measures.openness
    sigma = np.hypot(openness.right_eye_sigma, openness.left_eye_sigma) / 2
    return (openness.right_eye + openness.left_eye) / 2, float(sigma)
