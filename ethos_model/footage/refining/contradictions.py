"""Removes tracked faces that contradict other faces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from ethos_data.topology import iou
from ethos_model.footage.refining.segments import People, segments
from ethos_model.footage.tracker import SAME_FACE
from ethos_model.footage.tracks import FrameFaces, TrackedFace

SHORT: Final = 0.5
"""Length of a segment, in seconds, below which it is removed if all its faces are
contradicted."""


def distinct(faces: Iterable[TrackedFace], renumbered: Mapping[int, int]) -> People:
    """Returns the people of a frame with their final numbers.

    A person cannot be in two places. If two faces get the same number, it belongs to
    the one that is not unsure, or else to the one of which the network is more certain.
    The other face keeps the number that is no longer used.

    Args:
      faces: The faces of the frame.
      renumbered: See `FrameFaces`.
    """
    people: People = {}
    for face in faces:
        number = face.id
        while number in renumbered:
            number = renumbered[number]
        rival = people.get(number)
        if rival is None:
            people[number] = face
            continue
        people[number] = min(face, rival, key=_doubt)
        other = rival if people[number] is face else face
        unused = (n for n in (other.id, face.id, rival.id) if n not in people)
        people[next(unused, face.id)] = other
    return people


def _doubt(face: TrackedFace) -> tuple[bool, float]:
    return face.unsure, face.face.relative_uncertainty


def remove_short(
    frames: Sequence[FrameFaces],
    people: Sequence[People],
    *,
    is_start: bool = False,
    is_end: bool = False,
) -> None:
    """Removes short segments in which every face is contradicted, in place.

    A face is contradicted if it is unsure, or if it is on the face of another person:
    a face that was found twice. A segment at the start or the end of the frames may
    continue outside them. Then it stays.

    Args:
      frames: The frames.
      people: The people in each frame.
      is_start: Whether the video starts with the first frame.
      is_end: Whether the video ends with the last frame.
    """
    for segment in segments(frames, people):
        first, last = segment.places[0], segment.places[-1]
        seconds = frames[last].timestamp - frames[first].timestamp
        is_complete = (first > 0 or is_start) and (last < len(frames) - 1 or is_end)
        if not is_complete or seconds >= SHORT:
            continue
        if all(_is_contradicted(segment.person, people[k]) for k in segment.places):
            for place in segment.places:
                del people[place][segment.person]


def _is_contradicted(person: int, people: People) -> bool:
    box = np.asarray(people[person].box, np.float64)
    return people[person].unsure or any(
        iou(box, np.asarray(other.box, np.float64)) > SAME_FACE
        for number, other in people.items()
        if number != person
    )
