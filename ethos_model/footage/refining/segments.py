"""The working form of tracked frames, and the parts of tracks that belong together."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from ethos_model.footage.tracks import FrameFaces, TrackedFace

MAX_GAP: Final = 2.0
"""Longest time without a face inside a segment, in seconds, as in
`ethos_model.footage.hiding`."""

People = dict[int, TrackedFace]
"""The people in one frame by their number, the one followed longest first."""


@dataclasses.dataclass(frozen=True)
class Segment:
    """The frames of one shot in which a person was found, without long gaps.

    Attributes:
      person: Number of the person.
      places: Positions of the frames in the list of frames, increasing.
    """

    person: int
    places: tuple[int, ...]


def segments(
    frames: Sequence[FrameFaces], people: Sequence[Mapping[int, TrackedFace]]
) -> list[Segment]:
    """Returns the segments of all people.

    Args:
      frames: The frames.
      people: The people in each frame.
    """
    places: dict[int, list[int]] = {}
    for place, faces in enumerate(people):
        for person in faces:
            places.setdefault(person, []).append(place)
    result = []
    for person, found in places.items():
        part = found[:1]
        for before, after in itertools.pairwise(found):
            seconds = frames[after].timestamp - frames[before].timestamp
            is_one = frames[after].shot == frames[before].shot
            if not (is_one and 0 < seconds <= MAX_GAP):
                result.append(Segment(person, tuple(part)))
                part = []
            part.append(after)
        result.append(Segment(person, tuple(part)))
    return result
