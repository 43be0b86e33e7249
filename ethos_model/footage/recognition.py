"""Decides who a face is: after a loss or a cut, and after faces have crossed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_model.footage.identity import Template, log_odds
from ethos_model.footage.track_state import Track, assign, center

MIN_LOG_ODDS: Final = 1.0
"""Log odds from which a new face is taken to be a person who was seen before: a
confidence of 0.73."""

MIN_LATE_LOG_ODDS: Final = 2.0
"""The same for a face that has been followed as a new person for some frames: 0.88."""

MIN_MARGIN: Final = 1.0
"""Difference of the log odds that distinguishes two people."""

MIN_SWAP: Final = 2.0
"""Difference of the log odds from which two people get their numbers exchanged."""

MIN_DESCRIPTIONS: Final = 3.0
"""Weight of the descriptions after a contact that are needed to compare two people."""

FIRST_LOOK: Final = (-1.5, 5.0)
"""Limits of the log odds of a description from a single frame. A face that appears from
behind something is described badly."""

MIN_VERIFIED: Final = -1.5
"""Log odds below which a person who was recognised by the position is somebody else."""

MEMORY: Final = 3.0
"""Time in which the position of a lost face counts, in seconds."""


def position_log_odds(track: Track, box: np.ndarray, timestamp: float) -> float:
    """Returns how much the position speaks for a lost person, as log odds.

    Args:
      track: The lost person.
      box: float (4,), box of the face that was found, in source pixels.
      timestamp: Time of the frame, in seconds.
    """
    elapsed = timestamp - track.seen
    if not track.is_placed or elapsed > MEMORY:
        return 0.0
    size = np.sqrt(np.prod(np.asarray(box[2:], np.float64) - box[:2]))
    distance = np.linalg.norm(center(box) - track.expected_center(timestamp))
    distance /= max(track.size, size)
    reach = 0.6 + 1.5 * elapsed  # in face sizes: a person walks at 1 to 2 per second
    fading = 1 - elapsed / MEMORY
    likely = 4.0 if distance < reach else -4.0 if distance > 2 * reach + 1 else 0.0
    change_of_size = abs(np.log(size / track.size))
    return float(fading * (likely - 2.0 * (change_of_size > 0.5)))


def recognize(
    faces: Sequence[tuple[np.ndarray, Template]],
    lost: Sequence[Track],
    common: np.ndarray | float,
    timestamp: float,
) -> list[Track | None]:
    """Assigns new faces to people who were seen before.

    Args:
      faces: Box and description of each new face.
      lost: People who are not followed at the moment.
      common: Common part of the descriptions of all people.
      timestamp: Time of the frame, in seconds.

    Returns:
      The person of each face, or None for somebody new.
    """
    people: list[Track | None] = [None] * len(faces)
    if not faces or not lost:
        return people
    odds = np.array(
        [
            [
                np.clip(log_odds(track.template, template, common), *FIRST_LOOK)
                + position_log_odds(track, box, timestamp)
                for track in lost
            ]
            for box, template in faces
        ]
    )
    for row, column in assign(odds, MIN_LOG_ODDS):
        others = np.delete(odds[row], column)
        if not len(others) or odds[row, column] - others.max() >= MIN_MARGIN:
            people[row] = lost[column]
    return people


def recognize_late(
    track: Track, lost: Sequence[Track], common: np.ndarray | float
) -> Track | None:
    """Returns the person seen before that a new track is, once it is clear enough."""
    if track.template.count < MIN_DESCRIPTIONS:
        return None
    odds = sorted(
        (
            (log_odds(person.template, track.template, common), -k)
            for k, person in enumerate(lost)
        ),
        reverse=True,
    )
    if not odds or odds[0][0] < MIN_LATE_LOG_ODDS:
        return None
    if len(odds) > 1 and odds[0][0] - odds[1][0] < MIN_MARGIN:
        return None
    return lost[-odds[0][1]]


def is_verified(track: Track, common: np.ndarray | float) -> bool | None:
    """Compares a person who was found again with the earlier descriptions.

    Args:
      track: The person. If the descriptions agree, they are combined.
      common: Common part of the descriptions of all people.

    Returns:
      Whether it is the same person; None if it is too early to say.
    """
    if track.fresh is None or track.partners:
        return None
    if track.fresh.count < MIN_DESCRIPTIONS:
        return None
    if log_odds(track.template, track.fresh, common) < MIN_VERIFIED:
        return False
    track.template.merge(track.fresh)
    track.fresh = None
    return True


def owner(
    first: Track,
    second: Track,
    seen: Template,
    common: np.ndarray | float,
    timestamp: float,
) -> float:
    """Returns whose face it is when the landmarks of two people are on one face.

    Args:
      first: A person.
      second: Another person.
      seen: Description of the face.
      common: Common part of the descriptions of all people.
      timestamp: Time of the frame, in seconds.

    Returns:
      Log odds that it is the first person's face and not the second's.
    """
    place = center(first.box) / 2 + center(second.box) / 2
    size = (first.size + second.size) / 2
    distances = [
        np.linalg.norm(place - track.expected_center(timestamp)) / size
        for track in (first, second)
    ]
    motion = float(np.clip(3 * (distances[1] - distances[0]), -2, 2))
    odds = [log_odds(track.template, seen, common) for track in (first, second)]
    return odds[0] - odds[1] + motion


def note_contact(first: Track, second: Track) -> None:
    """Notes that two faces have overlapped, so their numbers may be exchanged."""
    for track, other in ((first, second), (second, first)):
        track.partners.add(other.id)
        track.fresh = Template()


def settle_contact(first: Track, second: Track, common: np.ndarray | float) -> bool:
    """Compares people with what they looked like before their contact.

    Their numbers are exchanged if that fits better. If they cannot be distinguished,
    they stay partners, which the tracker reports as unsure.

    Args:
      first: A person who is followed.
      second: The person with whom the number may have been exchanged, followed or lost.
      common: Common part of the descriptions of all people.

    Returns:
      Whether it is clear who is who.
    """
    straight = swapped = 0.0
    for track, other in ((first, second), (second, first)):
        fresh = track.fresh
        if fresh is not None and fresh.count >= MIN_DESCRIPTIONS:
            straight += log_odds(track.template, fresh, common)
            swapped += log_odds(other.template, fresh, common)
        elif track is first:
            return False
    if straight - swapped < MIN_MARGIN and swapped - straight < MIN_SWAP:
        return False
    if swapped > straight:
        first.id, second.id = second.id, first.id
        first.template, second.template = second.template, first.template
    for track in (first, second):
        track.partners -= {first.id, second.id}
        if not track.partners and track.fresh is not None:
            track.template.merge(track.fresh)
            track.fresh = None
    return True
