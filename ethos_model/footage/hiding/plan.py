"""Decides which areas of each frame to hide, from the faces of the whole video.

A face is hidden in the frames in which it was found, in the frames between them, and
for a while before the first and after the last of them.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from ethos_data.topology import face_box, face_size
from ethos_model.footage.hiding.cover import Cover
from ethos_model.footage.tracks import FrameFaces

MARGIN_SECONDS: Final = 0.5
"""Time for which a face is hidden before it is first found, and after it is last found,
in seconds."""

GAP_SECONDS: Final = 2.0
"""Longest time without a face in which its place is estimated, in seconds."""

LOST_SECONDS: Final = 10.0
"""Longest time without a face after which a face near the same place counts as the same
face. If the time is longer than `GAP_SECONDS`, the frames are reported."""

_SIDES: Final = 0.35
_TOP: Final = 0.3
"""Size of the head around the face box, in longer sides of the box: on all sides, and
additionally towards the top of the head."""

_GROWTH: Final = 1.0
"""Growth of each side of the area with the time to the nearest frame in which the face
was found, in longer sides of the face box per second."""

_REACH: Final = 2.0
"""Largest speed of a face that is not found, in face sizes per second. It counts for at
most one second."""

_CHIN: Final = 8
_BRIDGE: Final = 27
"""Indices of the landmarks at the chin and at the upper end of the nose."""

_UP: Final = ((0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0))
"""Direction of the top of the head in the frame, by `Detection.turns`."""

ESTIMATED: Final = "a face was not found; its place is estimated and hidden"
LOST: Final = "a face was lost for too long to estimate its place; it may be visible"
UNSURE: Final = "an area that may not be a face is hidden"


@dataclasses.dataclass(frozen=True)
class HidingPlan:
    """What to hide in each frame of a video.

    Attributes:
      covers: The areas to hide, by the number of the frame. All frames that were
        searched have an entry.
      doubts: Sentences about frames that should be checked by eye.
    """

    covers: Mapping[int, Sequence[Cover]]
    doubts: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class _FoundFace:
    """A face that was found in a frame.

    Attributes:
      place: Position of the frame in the list of frames.
      time: Timestamp of the frame, in seconds.
      box: float64 (4,), the face box in source pixels.
      up: float64 (2,), unit vector from the chin to the forehead.
      unsure: Whether it may not be a face.
    """

    place: int
    time: float
    box: np.ndarray
    up: np.ndarray
    unsure: bool = False

    @property
    def center(self) -> np.ndarray:
        return (self.box[:2] + self.box[2:]) / 2

    @property
    def size(self) -> float:
        return float(face_size(self.box))

    def cover(self, seconds: float = 0.0) -> Cover:
        """The area of the head, at a time that differs by `seconds`."""
        side = float((self.box[2:] - self.box[:2]).max())
        border = side * (_SIDES + _GROWTH * abs(seconds))
        low, high = self.box[:2] - border, self.box[2:] + border
        shift = self.up * side * _TOP
        box = [np.minimum(low, low + shift), np.maximum(high, high + shift)]
        return Cover(np.concatenate(box), self.size)


def plan_hiding(frames: Sequence[FrameFaces]) -> HidingPlan:
    """Plans what to hide.

    Args:
      frames: All frames of a video with their tracked faces and, to hide faces that
        were not tracked, with the detections.
    """
    return _Planner(frames).plan()


class _Planner:
    """Collects the areas to hide.

    A chain is a list of faces of one person, in the order of the frames.
    """

    def __init__(self, frames: Sequence[FrameFaces]) -> None:
        self._frames = frames
        self._times = [frame.timestamp for frame in frames]
        self._covers: dict[int, list[Cover]] = {frame.index: [] for frame in frames}
        self._doubts: dict[str, set[int]] = collections.defaultdict(set)

    def plan(self) -> HidingPlan:
        chains = [*_tracked_chains(self._frames), *_other_chains(self._frames)]
        for chain in chains:
            for face in chain:
                self._add(face.place, face.cover())
                if face.unsure:
                    self._doubts[UNSURE].add(face.place)
            for before, after in itertools.pairwise(chain):
                self._fill(before, after)
            self._add_margins(chain)
        for before, after in _continued(chains):
            self._fill(before, after)
        return HidingPlan(self._covers, tuple(self._sentences()))

    def _add(self, place: int, cover: Cover) -> None:
        self._covers[self._frames[place].index].append(cover)

    def _add_margins(self, chain: Sequence[_FoundFace]) -> None:
        first, last = chain[0], chain[-1]
        start = bisect.bisect_left(self._times, first.time - MARGIN_SECONDS)
        for place in range(start, first.place):
            self._add(place, first.cover(first.time - self._times[place]))
        stop = bisect.bisect_right(self._times, last.time + MARGIN_SECONDS)
        for place in range(last.place + 1, stop):
            self._add(place, last.cover(self._times[place] - last.time))

    def _fill(self, before: _FoundFace, after: _FoundFace) -> None:
        """Hides a face in the frames between two frames, or reports these frames."""
        places = range(before.place + 1, after.place)
        seconds = after.time - before.time
        if seconds > GAP_SECONDS:
            self._doubts[LOST].update(places)
            return
        self._doubts[ESTIMATED].update(places)
        for place in places:
            time = self._times[place]
            share = (time - before.time) / max(seconds, 1e-9)
            face = _FoundFace(
                place,
                time,
                (1 - share) * before.box + share * after.box,
                before.up if share < 0.5 else after.up,
            )
            self._add(place, face.cover(min(time - before.time, after.time - time)))

    def _sentences(self) -> Iterator[str]:
        ranges = [
            (first, last, reason)
            for reason, places in self._doubts.items()
            for first, last in _ranges(places)
        ]
        for first, last, reason in sorted(ranges):
            start, end = self._frames[first], self._frames[last]
            if first == last:
                yield f"frame {start.index} ({start.timestamp:.2f} s): {reason}"
                continue
            yield (
                f"frames {start.index} to {end.index} ({start.timestamp:.2f} s to "
                f"{end.timestamp:.2f} s): {reason}"
            )


def _ranges(places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last number of each group of consecutive numbers."""
    group: list[int] = []
    for place in sorted(places):
        if group and place > group[-1] + 1:
            yield group[0], group[-1]
            group = []
        group.append(place)
    if group:
        yield group[0], group[-1]


def _tracked_chains(frames: Sequence[FrameFaces]) -> Iterator[list[_FoundFace]]:
    """The faces of each tracked person, divided where the person was lost for long."""
    people: dict[int, list[_FoundFace]] = collections.defaultdict(list)
    for place, frame in enumerate(frames):
        for tracked in frame.faces:
            landmarks = np.asarray(tracked.face.landmarks, np.float64)[:, :2]
            if not np.isfinite(landmarks).all():
                continue
            up = landmarks[_BRIDGE] - landmarks[_CHIN]
            up /= max(float(np.linalg.norm(up)), 1e-9)
            box = face_box(landmarks)
            face = _FoundFace(place, frame.timestamp, box, up, tracked.unsure)
            people[tracked.id].append(face)
    for faces in people.values():
        start = 0
        for i in range(1, len(faces) + 1):
            if i == len(faces) or faces[i].time - faces[i - 1].time > GAP_SECONDS:
                yield faces[start:i]
                start = i


def _other_chains(frames: Sequence[FrameFaces]) -> list[list[_FoundFace]]:
    """The detections that no tracked face covers, linked over time."""
    chains: list[list[_FoundFace]] = []
    recent: list[list[_FoundFace]] = []
    for place, frame in enumerate(frames):
        recent = [
            chain for chain in recent if frame.timestamp - chain[-1].time <= GAP_SECONDS
        ]
        tracked = [np.asarray(face.box, np.float64) for face in frame.faces]
        for detection in frame.detections:
            box = np.asarray(detection.box, np.float64)
            if any(_is_inside(box, other) for other in tracked):
                continue
            up = np.array(_UP[detection.turns])
            face = _FoundFace(place, frame.timestamp, box, up)
            matching = [
                chain
                for chain in recent
                if chain[-1].place < place and _may_be_same(chain[-1], face)
            ]
            if matching:
                min(matching, key=lambda c: _distance(c[-1], face)).append(face)
            else:
                recent.append([face])
                chains.append(recent[-1])
    return chains


def _is_inside(box: np.ndarray, other: np.ndarray) -> bool:
    """Whether most of a box is inside another one."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    area = (box[2:] - box[:2]).prod()
    return bool(sides.clip(0).prod() > 0.6 * area)


def _distance(before: _FoundFace, after: _FoundFace) -> float:
    return float(np.linalg.norm(after.center - before.center))


def _may_be_same(before: _FoundFace, after: _FoundFace) -> bool:
    """Whether two faces at different times can be the same."""
    small, large = sorted((before.size, after.size))
    reach = large * (1 + _REACH * min(after.time - before.time, 1.0))
    return large <= 2.5 * small and _distance(before, after) <= reach


def _continued(
    chains: Sequence[Sequence[_FoundFace]],
) -> set[tuple[_FoundFace, _FoundFace]]:
    """Pairs of the last face of a chain and the first face of its continuation.

    Each chain gets the next chain as its continuation and the previous chain as its
    beginning. Hiding the way between two different people does no harm.
    """
    pairs = set()
    for chain in chains:
        start, end = chain[0], chain[-1]
        later = [c[0] for c in chains if _continues(end, c[0])]
        if later:
            pairs.add((end, min(later, key=lambda face: face.time)))
        earlier = [c[-1] for c in chains if _continues(c[-1], start)]
        if earlier:
            pairs.add((max(earlier, key=lambda face: face.time), start))
    return pairs


def _continues(end: _FoundFace, start: _FoundFace) -> bool:
    return 0 < start.time - end.time <= LOST_SECONDS and _may_be_same(end, start)
