"""Removes tracked faces that contradict other faces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ethos_model.footage.refining.segments import People, doubt, segments
from ethos_model.footage.tracks import FrameFaces, TrackedFace

SHORT: Final = 0.5
"""Length of a segment, in seconds, below which it is removed if all its faces are
unsure."""


def distinct(faces: Iterable[TrackedFace], renumbered: Mapping[int, int]) -> People:
    """Returns the people of a frame with their final numbers.

    A person cannot be in two places: of two faces with the same number, the one of
    which the network is more certain stays.

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
        if rival is None or doubt(face) < doubt(rival):
            people[number] = face
    return people


def remove_short(frames: Sequence[FrameFaces], people: Sequence[People]) -> None:
    """Removes short segments in which no face is certain, in place.

    A segment at the start or the end of the frames may continue outside them, and
    stays.

    Args:
      frames: The frames.
      people: The people in each frame.
    """
    for segment in segments(frames, people):
        first, last = segment.places[0], segment.places[-1]
        seconds = frames[last].timestamp - frames[first].timestamp
        is_inside = first > 0 and last < len(frames) - 1
        faces = [people[place][segment.person] for place in segment.places]
        if is_inside and seconds < SHORT and all(face.unsure for face in faces):
            for place in segment.places:
                del people[place][segment.person]
