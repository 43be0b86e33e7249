"""What the viewer remembers of the people in a video: values over time, best frames.

The memory is bounded. The frames of a video share `BINS` places, and a place keeps the
last frame that was put into it. While a video has fewer frames, every frame is kept.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data import crop
from ethos_model.footage.tables.columns import COLUMNS, Row
from ethos_model.footage.tracks import TrackedFace
from gui.viewer.view import View

BINS: Final = 16384
"""Maximum number of frames that are kept of a person: 11 minutes at 25 frames per
second. Of a longer video, one frame in 2, 4, 8, ... is kept."""

MAX_PEOPLE: Final = 60
"""Maximum number of people. The one who was seen least is forgotten first."""

NAMES: Final = (
    "quality",
    "yaw",
    "yaw_sigma",
    "pitch",
    "pitch_sigma",
    "roll",
    "roll_sigma",
    "right_eye_open",
    "right_eye_open_sigma",
    "left_eye_open",
    "left_eye_open_sigma",
    "mouth_open",
    "mouth_open_sigma",
)
"""The values that are kept: columns of the tables, see `columns.COLUMNS`."""

GAP: Final = 0.6
"""Time in seconds after which a person who was not seen meanwhile counts as absent. A
slow machine processes at least two frames per second."""

CROP: Final = 192
"""Width and height of the picture of a person, in pixels."""

_CONTEXT: Final = 1.7
"""Side of that picture divided by the longer side of the face box."""

_COLUMNS: Final = tuple(
    next(column for column in COLUMNS if column.name == name) for name in NAMES
)


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """The kept values of one person.

    Attributes:
      id: Number of the person.
      frames: int64 (N,), numbers of the frames, ascending.
      times: float64 (N,), times of the frames, in seconds.
      values: For each requested name float32 (N,). Never NaN.
    """

    id: int
    frames: np.ndarray
    times: np.ndarray
    values: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Person:
    """A person of the video.

    Attributes:
      id: Number of the person.
      picture: uint8 (CROP, CROP, 3) RGB, the face in its best frame.
      frame: Number of the best frame.
      time: Time of the best frame, in seconds.
      quality: Quality of the best frame, 0 to 1.
      seconds: Time on the screen in the part of the video that was seen.
    """

    id: int
    picture: np.ndarray
    frame: int
    time: float
    quality: float
    seconds: float


@dataclasses.dataclass
class _Track:
    """The values of one person, one row for each bin.

    Attributes:
      values: float32 (B, len(NAMES)), NaN without a value.
      frames: int64 (B,), -1 without a frame.
      times: float64 (B,), in seconds.
      best: The best frame so far.
    """

    values: np.ndarray
    frames: np.ndarray
    times: np.ndarray
    best: Person

    def grow(self, rows: int) -> None:
        """Makes room for `rows` bins."""
        missing = rows - len(self.frames)
        if missing <= 0:
            return
        missing = max(missing, len(self.frames))
        self.values = np.pad(
            self.values, ((0, missing), (0, 0)), constant_values=np.nan
        )
        self.frames = np.pad(self.frames, (0, missing), constant_values=-1)
        self.times = np.pad(self.times, (0, missing))

    def halve(self) -> None:
        """Joins pairs of bins. Of two frames the later is kept."""
        self.grow(len(self.frames) + len(self.frames) % 2)
        first, second = (slice(k, None, 2) for k in (0, 1))
        is_later = self.frames[second] >= 0
        self.values = np.where(
            is_later[:, None], self.values[second], self.values[first]
        )
        self.times = np.where(is_later, self.times[second], self.times[first])
        self.frames = np.where(is_later, self.frames[second], self.frames[first])

    def merge(self, other: _Track) -> None:
        """Adds the frames of another person, who turned out to be the same."""
        self.grow(len(other.frames))
        other.grow(len(self.frames))
        is_new = (self.frames < 0) & (other.frames >= 0)[: len(self.frames)]
        for ours, theirs in (
            (self.values, other.values),
            (self.frames, other.frames),
            (self.times, other.times),
        ):
            ours[is_new] = theirs[: len(ours)][is_new]
        if other.best.quality > self.best.quality:
            self.best = dataclasses.replace(other.best, id=self.best.id)


class History:
    """Collects what the engine finds. The methods may be called from any thread.

    Example:
      history = History()
      engine = Engine(history.add, setup)
      ...
      for series in history.series(["yaw"]):
          draw(series.frames, series.values["yaw"])
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clear(0)

    def _clear(self, numbering: int) -> None:
        self._numbering = numbering
        self._tracks: dict[int, _Track] = {}
        self._stride = 1
        self._present: tuple[int, ...] = ()
        self._version = getattr(self, "_version", 0) + 1

    @property
    def version(self) -> int:
        """A number that changes when the content changes."""
        return self._version

    @property
    def stride(self) -> int:
        """One frame in `stride` is kept."""
        return self._stride

    @property
    def present(self) -> tuple[int, ...]:
        """Numbers of the people in the last frame."""
        return self._present

    def add(self, view: View) -> None:
        """Takes a processed frame. With another video or model it starts again."""
        with self._lock:
            if view.numbering != self._numbering:
                self._clear(view.numbering)
            self._follow(view.renumbered)
            index, time = view.frame.index, view.frame.timestamp
            while index // self._stride >= BINS:
                self._stride *= 2
                for track in self._tracks.values():
                    track.halve()
            faces = [face for face in view.faces if face.measures is not None]
            for face in faces:
                self._put(view.image, face, index, time)
            present = tuple(face.id for face in faces)
            if faces or present != self._present:
                self._version += 1
            self._present = present

    def _follow(self, renumbered: dict[int, int]) -> None:
        """Joins people who turned out to be one person."""
        for old in [number for number in self._tracks if number in renumbered]:
            track, new = self._tracks.pop(old), renumbered[old]
            if new in self._tracks:
                self._tracks[new].merge(track)
            else:
                track.best = dataclasses.replace(track.best, id=new)
                self._tracks[new] = track

    def _put(
        self, image: np.ndarray, face: TrackedFace, index: int, time: float
    ) -> None:
        values = [column.value(Row(index, time, face)) for column in _COLUMNS]
        if not np.isfinite(values).all():
            return
        quality, place = float(values[0]), index // self._stride
        track = self._tracks.get(face.id)
        if track is None:
            self._forget()
            track = self._tracks[face.id] = _Track(
                values=np.full((64, len(NAMES)), np.nan, np.float32),
                frames=np.full(64, -1, np.int64),
                times=np.zeros(64),
                best=_portrait(image, face, index, time, quality),
            )
        elif quality > track.best.quality:
            track.best = _portrait(image, face, index, time, quality)
        track.grow(place + 1)
        track.values[place] = values
        track.frames[place], track.times[place] = index, time

    def _forget(self) -> None:
        """Forgets the person who was seen least if there are too many."""
        if len(self._tracks) >= MAX_PEOPLE:
            counts = {n: int((t.frames >= 0).sum()) for n, t in self._tracks.items()}
            del self._tracks[min(counts, key=lambda number: counts[number])]

    def series(self, names: Sequence[str] = NAMES) -> list[Series]:
        """Returns the kept values of all people, by number.

        Args:
          names: The values, of `NAMES`.
        """
        columns = [NAMES.index(name) for name in names]
        with self._lock:
            result = []
            for number, track in sorted(self._tracks.items()):
                rows = np.flatnonzero(track.frames >= 0)
                values = track.values[rows]
                result.append(
                    Series(
                        number,
                        track.frames[rows],
                        track.times[rows],
                        {n: values[:, c] for n, c in zip(names, columns, strict=True)},
                    )
                )
            return result

    def people(self) -> list[Person]:
        """Returns the people so far, the one who was seen longest first."""
        seconds = {series.id: on_screen(series.times) for series in self.series(())}
        with self._lock:
            people = [
                dataclasses.replace(track.best, seconds=seconds[number])
                for number, track in self._tracks.items()
                if number in seconds
            ]
        return sorted(people, key=lambda person: (-person.seconds, person.id))


def on_screen(times: np.ndarray) -> float:
    """Time for which a person is on the screen, in seconds.

    Args:
      times: Times of the frames with the person, ascending, in seconds. Between frames
        that are at most `GAP` apart, the person is taken to be present.
    """
    steps = np.diff(times)
    if not len(steps):
        return 0.0
    usual = float(np.median(steps))
    return float(steps[steps <= max(GAP, 1.5 * usual)].sum()) + usual


def _portrait(
    image: np.ndarray, face: TrackedFace, index: int, time: float, quality: float
) -> Person:
    window = crop.window_around(face.box, _CONTEXT)
    picture = crop.resize(crop.cut(image, window), CROP)
    return Person(face.id, picture, index, time, quality, 0.0)
