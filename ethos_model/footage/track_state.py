"""What the tracker remembers of each person, and how faces are assigned to people."""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

from ethos_data.topology import face_box, face_size
from ethos_model.footage.identity import Template
from ethos_model.footage.smoothing.live import LandmarkFilter
from ethos_model.predict import Face
from ethos_model.upright import quarter_turns

CUT_CHANGE: Final = 0.6
"""Change of a thumbnail, divided by its contrast, that is a cut. In 30 clips, clean and
at 0.05 of the light, other changes reached 0.48; 99 % of the cuts were above 0.79."""

THUMBNAIL_ROWS: Final = 180
"""Number of rows from which the thumbnail of a large frame is made. They are averaged
to 18, so the noise is small, and all rows of a 1280 x 720 frame would take 1.7 ms."""

MAX_STEP: Final = 1.0
"""Longest time between two frames of one shot, in seconds."""


@dataclasses.dataclass
class Track:
    """A person, who is followed at the moment or was seen before.

    Attributes:
      id: Number of the person.
      box: float64 (4,), face box of the last accepted landmarks, in source pixels.
      face: Last accepted prediction.
      score: Last score of the finder, 0 to 1.
      seen: Time of the last accepted prediction, in seconds.
      started: Time at which the person was found, or found again.
      confirmed: Time at which the finder last reported the face.
      looked: Time at which the finder last searched the place of the face.
      missed: Number of searches in a row that did not find the face.
      filter: Smooths the landmarks. None if smoothing is off.
      template: Description of the person.
      fresh: Description since the last contact with another face. It is compared with
        `template` before it is added to it. None if there was no contact.
      partners: Numbers of the people with whom the number may have been exchanged.
      described: Time of the last description.
      velocity: float64 (2,), of the centre of the box, in source pixels per second.
      anchor: Time and centre from which the motion is predicted: those of the last
        frame in which no other face was near.
      is_placed: Whether `anchor` belongs to the current shot.
    """

    id: int
    box: np.ndarray
    face: Face
    score: float
    seen: float
    started: float
    filter: LandmarkFilter | None = None
    confirmed: float = -np.inf
    looked: float = -np.inf
    missed: int = 0
    template: Template = dataclasses.field(default_factory=Template)
    fresh: Template | None = None
    partners: set[int] = dataclasses.field(default_factory=set)
    described: float = -np.inf
    velocity: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(2))
    anchor: tuple[float, np.ndarray] = (-np.inf, np.zeros(2))
    is_placed: bool = True

    def __post_init__(self) -> None:
        self.anchor = (self.seen, center(self.box))

    @property
    def size(self) -> float:
        """Face size, in source pixels, above 0."""
        return max(float(face_size(self.box)), 1e-6)

    @property
    def uncertainty(self) -> float:
        """Median uncertainty of the last prediction, divided by the face size."""
        return float(np.median(self.face.uncertainty)) / self.size

    @property
    def turns(self) -> int:
        """Quarter turns to the left that make the face upright, 0 to 3."""
        return quarter_turns(self.face.landmarks)

    def accept(self, face: Face, timestamp: float, *, is_alone: bool) -> None:
        """Takes the prediction of the next frame.

        Args:
          face: The prediction.
          timestamp: Time of the frame, in seconds.
          is_alone: Whether no other face is near. Otherwise the landmarks may belong to
            the other face, and the prediction of the motion is not changed.
        """
        box = np.asarray(face_box(face.landmarks), np.float64)
        seconds = timestamp - self.seen
        if is_alone and seconds > 0:
            moved = (center(box) - center(self.box)) / seconds
            self.velocity = 0.5 * self.velocity + 0.5 * moved
        if is_alone:
            self.anchor = (timestamp, center(box))
        self.box, self.face, self.seen = box, face, timestamp

    def next_box(self, timestamp: float) -> np.ndarray:
        """Returns where to look for the landmarks of the next frame, float64 (4,).

        Half of the speed is used, because heads turn back.
        """
        shift = 0.5 * self.velocity * (timestamp - self.seen)
        limit = 0.25 * self.size
        return self.box + np.tile(np.clip(shift, -limit, limit), 2)

    def expected_center(self, timestamp: float) -> np.ndarray:
        """Returns where a hidden face should be, float64 (2,), in source pixels."""
        when, where = self.anchor
        return where + self.velocity * min(timestamp - when, 1.5)

    def expected_box(self, timestamp: float) -> np.ndarray:
        """Returns the box of a hidden face, float64 (4,), in source pixels."""
        return self.box + np.tile(self.expected_center(timestamp) - center(self.box), 2)


def center(box: np.ndarray) -> np.ndarray:
    """Returns the centre of a box (4,): float64 (2,)."""
    return (np.asarray(box[:2], np.float64) + box[2:]) / 2


class CutDetector:
    """Recognises that a frame belongs to another shot than the frame before."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets the video."""
        self._thumbnail: np.ndarray | None = None
        self._time: float | None = None

    def is_cut(self, frame_rgb: np.ndarray, timestamp: float) -> bool:
        """Takes the next frame; returns whether a new shot begins with it.

        A step back in time, or of more than MAX_STEP, counts as a cut too.

        Args:
          frame_rgb: uint8 (H, W, 3) RGB.
          timestamp: Time of the frame, in seconds.
        """
        rows = frame_rgb[:: max(1, frame_rgb.shape[0] // THUMBNAIL_ROWS)]
        thumbnail = cv2.resize(rows, (32, 18), interpolation=cv2.INTER_AREA)
        grey = thumbnail.mean(axis=-1, dtype=np.float64)
        grey -= grey.mean()  # a light that is switched on is not a cut
        before, time = self._thumbnail, self._time
        self._thumbnail, self._time = grey, timestamp
        if before is None or time is None:
            return False
        if not 0 <= timestamp - time <= MAX_STEP:
            return True
        # The contrast makes the change independent of the light. Below one grey level,
        # the thumbnails show noise.
        contrast = (np.abs(before).mean() + np.abs(grey).mean()) / 2
        return bool(np.abs(grey - before).mean() > CUT_CHANGE * max(contrast, 1.0))


def assign(scores: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Pairs rows with columns so that the sum of the scores is largest.

    This is the Hungarian method (Kuhn, 1955) with potentials, O(N^3).

    Example:
      for track, detection in assign(overlaps, least=0.3): ...

    Args:
      scores: (R, C), score of each pair.
      least: Pairs with a lower score are not made.

    Returns:
      Pairs of a row and a column.
    """
    rows, columns = scores.shape
    if not rows or not columns:
        return []
    # Each row may also take a column of its own that stands for "no partner".
    gains = np.maximum(np.asarray(scores, np.float64) - least, 0)
    cost = np.concatenate([-gains, np.zeros((rows, rows))], axis=1)
    match = _hungarian(cost)
    return [
        (row, column)
        for row, column in enumerate(match)
        if column < columns and scores[row, column] >= least
    ]


def _hungarian(cost: np.ndarray) -> list[int]:
    """Returns the column of each row that minimises the sum; cost is (R, C), R <= C."""
    rows, columns = cost.shape
    row_potential, column_potential = np.zeros(rows + 1), np.zeros(columns + 1)
    row_of = np.full(columns + 1, rows)  # the last column holds the row to be placed
    for row in range(rows):
        row_of[columns] = row
        column = columns
        shortest = np.full(columns + 1, np.inf)
        previous = np.full(columns + 1, columns)
        used = np.zeros(columns + 1, bool)
        while row_of[column] != rows:
            used[column] = True
            current = row_of[column]
            reduced = cost[current] - row_potential[current] - column_potential[:-1]
            better = ~used[:-1] & (reduced < shortest[:-1])
            shortest[:-1][better] = reduced[better]
            previous[:-1][better] = column
            free = np.where(used[:-1], np.inf, shortest[:-1])
            next_column = int(np.argmin(free))
            step = free[next_column]
            row_potential[row_of[used]] += step
            column_potential[used] -= step
            shortest[~used] -= step
            column = next_column
        while column != columns:
            row_of[column] = row_of[previous[column]]
            column = int(previous[column])
    result = [0] * rows
    for column in range(columns):
        if row_of[column] < rows:
            result[row_of[column]] = column
    return result
