"""Finds faces again in frames in which the tracker lost them for a while."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data.topology import face_box, iou
from ethos_model.footage.people import CONTACT
from ethos_model.footage.reader import Frame
from ethos_model.footage.refining.segments import People, Segment, segments
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
    """A frame in which a person was not found, between two frames with the person.

    Attributes:
      place: Position of the frame in the list of frames.
      box: float64 (4,), the expected face box, in source pixels.
      before: The last face of the person.
      number: Number of the person.
    """

    place: int
    box: np.ndarray
    before: TrackedFace
    number: int


def fill_gaps(
    frames: Sequence[FrameFaces],
    people: Sequence[People],
    read: ReadFrames,
    predictor: Predictor,
) -> None:
    """Adds the faces that the network sees in the gaps of segments, in place.

    The box of the face is interpolated, and the network reads the face there. The face
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
        for face in _missing(frames, people, segment)
    ]
    by_index: dict[int, list[Missing]] = {}
    for face in sorted(missing, key=lambda face: face.place):
        by_index.setdefault(frames[face.place].index, []).append(face)
    if not by_index:
        return
    for frame in read(list(by_index)):
        for face in by_index[frame.index]:
            faces = people[face.place]
            found = _found(frame.image, face, predictor)
            if found is not None and not _is_near(found.box, faces.values()):
                faces[face.number] = found


def _missing(
    frames: Sequence[FrameFaces], people: Sequence[People], segment: Segment
) -> Iterator[Missing]:
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
    found = without_images(
        dataclasses.replace(missing.before, face=face, measures=None)
    )
    box = np.asarray(face_box(face.landmarks), np.float64)
    if face.relative_uncertainty > MAX_DOUBT or iou(box, missing.box) < MIN_OVERLAP:
        return None
    return without_images(found)


def _is_near(box: np.ndarray, others: Iterable[TrackedFace]) -> bool:
    """Returns whether a box overlaps another face, which may be the one in it."""
    return any(iou(box, np.asarray(other.box)) > CONTACT for other in others)
