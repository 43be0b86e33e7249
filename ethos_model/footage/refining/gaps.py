"""Finds faces in frames in which the tracker lost them, or did not find them yet."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data.topology import face_box, iou
from ethos_model.footage.people import CONTACT
from ethos_model.footage.reader import Frame
from ethos_model.footage.refining.segments import (
    MAX_GAP,
    People,
    Segment,
    segments,
)
from ethos_model.footage.tracks import FrameFaces, TrackedFace, without_images
from ethos_model.predict import Predictor

ReadFrames = Callable[[Sequence[int]], Iterable[Frame]]
"""Reads the frames with the given numbers, which increase."""

MAX_DOUBT: Final = 0.055
"""Median uncertainty over face size up to which a face in a gap is accepted, as in
`TrackerOptions.unsure_uncertainty`."""

MIN_OVERLAP: Final = 0.5
"""Smallest IoU of a face in a gap with its expected box."""


@dataclasses.dataclass(frozen=True, eq=False)
class Missing:
    """A frame in which a person was not found, near frames with the person.

    Attributes:
      place: Position of the frame in the list of frames.
      box: float64 (4,), the expected face box, in source pixels.
      known: A face of the person in a near frame.
      number: Number of the person.
      first: If the frame is before the first one with the person, the position of that
        one; None if the frame is between two frames with the person.
    """

    place: int
    box: np.ndarray
    known: TrackedFace
    number: int
    first: int | None = None


def fill_gaps(
    frames: Sequence[FrameFaces],
    people: Sequence[People],
    read: ReadFrames,
    predictor: Predictor,
) -> None:
    """Adds the faces that the network sees in and before segments, in place.

    The box of the face is interpolated, and the network reads the face there. Before
    the first face of a segment, the face is expected at the same place for at most
    `MAX_GAP`, because small or turned faces are found only at the next search. A face
    is accepted if the network is certain of it, if it is where it was expected, and if
    it is not the face of another person.

    Args:
      frames: The frames.
      people: The people in each frame.
      read: Reads some frames of the video again.
      predictor: Finds landmarks in face boxes.
    """
    missing = [
        face
        for segment in segments(frames, people)
        for face in itertools.chain(
            _between(frames, people, segment), _earlier(frames, people, segment)
        )
    ]
    by_index: dict[int, list[Missing]] = {}
    for face in sorted(missing, key=lambda face: face.place):
        by_index.setdefault(frames[face.place].index, []).append(face)
    if not by_index:
        return
    early: dict[tuple[int, int], People] = {}
    for frame in read(list(by_index)):
        for face in by_index[frame.index]:
            faces = people[face.place]
            found = _found(frame.image, face, predictor)
            if found is None or _is_near(found.box, faces.values()):
                continue
            if face.first is None:
                faces[face.number] = found
            else:
                early.setdefault((face.number, face.first), {})[face.place] = found
    for (number, first), by_place in early.items():
        for place in range(first - 1, -1, -1):
            if place not in by_place:  # earlier ones are perhaps not the same face
                break
            people[place][number] = by_place[place]


def _earlier(
    frames: Sequence[FrameFaces], people: Sequence[People], segment: Segment
) -> Iterator[Missing]:
    """Yields the frames of the shot before the first face of a segment."""
    first = segment.places[0]
    face = people[first][segment.person]
    if face.unsure:
        return
    for place in range(first - 1, -1, -1):
        seconds = frames[first].timestamp - frames[place].timestamp
        if frames[place].shot != frames[first].shot or not 0 < seconds <= MAX_GAP:
            return
        if segment.person in people[place]:
            return
        box = np.asarray(face.box, np.float64)
        yield Missing(place, box, face, segment.person, first)


def _between(
    frames: Sequence[FrameFaces], people: Sequence[People], segment: Segment
) -> Iterator[Missing]:
    """Yields the frames between the first and the last face of a segment."""
    for first, last in itertools.pairwise(segment.places):
        before, after = (people[place][segment.person] for place in (first, last))
        start, end = (frames[place].timestamp for place in (first, last))
        boxes = [np.asarray(face.box, np.float64) for face in (before, after)]
        for place in range(first + 1, last):
            share = (frames[place].timestamp - start) / (end - start)
            box = (1 - share) * boxes[0] + share * boxes[1]
            yield Missing(place, box, before, segment.person)


def _found(
    image: np.ndarray, missing: Missing, predictor: Predictor
) -> TrackedFace | None:
    """Returns the face that the network sees where a face is missing, if any."""
    (face,) = predictor.predict(image, [missing.box])
    if not np.isfinite(face.landmarks).all():
        return None
    box = np.asarray(face_box(face.landmarks), np.float64)
    if face.relative_uncertainty > MAX_DOUBT or iou(box, missing.box) < MIN_OVERLAP:
        return None
    found = dataclasses.replace(missing.known, face=face, measures=None)
    return without_images(found)


def _is_near(box: np.ndarray, others: Iterable[TrackedFace]) -> bool:
    """Returns whether a box overlaps another face, which may be the one in it."""
    return any(iou(box, np.asarray(other.box)) > CONTACT for other in others)
