"""Looks at tracked faces again, when the frames after them are known.

    for frame in refine(tracked_frames, read, predictor):
        print(frame.index, [face.id for face in frame.faces])

The frames are processed in blocks. Each block is refined together with some frames
before and after it. So the memory is constant, and the first results are available
while the rest of the video is still being tracked.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from ethos_model.footage.refining import contradictions, gaps
from ethos_model.footage.refining.gaps import ReadFrames
from ethos_model.footage.refining.segments import People, segments
from ethos_model.footage.smoothing.offline import smooth_track
from ethos_model.footage.tracks import FrameFaces, with_landmarks
from ethos_model.predict import Predictor

BLOCK: Final = 250
"""Number of frames that are refined together."""

CONTEXT: Final = 75
"""Number of frames before and after a block that are taken into account: three seconds
at 25 frames/s, which is longer than `segments.MAX_GAP`."""


def refine(
    frames: Iterable[FrameFaces],
    read: ReadFrames,
    predictor: Predictor,
    *,
    smoothing: bool = True,
) -> Iterator[FrameFaces]:
    """Improves the faces of a video.

    - People get the numbers that were found later.
    - Faces that contradict other faces are removed.
    - Faces that were lost for up to two seconds are searched with the network.
    - Landmarks are smoothed with past and future frames.

    Args:
      frames: All frames with their tracked faces, in order. The landmarks must not have
        been smoothed.
      read: Reads some frames of the video again.
      predictor: Finds landmarks in face boxes.
      smoothing: Whether to smooth the landmarks.

    Yields:
      The frames, in the same order. Added faces have no depth and restored images.
    """
    source = iter(frames)
    past: list[FrameFaces] = []
    ahead: list[FrameFaces] = []
    while True:
        wanted = BLOCK + CONTEXT - len(ahead)
        ahead += itertools.islice(source, wanted)
        if not ahead:
            return
        people = _people_of([*past, *ahead], not past, len(ahead) < BLOCK + CONTEXT)
        refined = _refined([*past, *ahead], people, read, predictor, smoothing)
        yield from refined[len(past) :][:BLOCK]
        past = [*past, *ahead[:BLOCK]][-CONTEXT:]
        ahead = ahead[BLOCK:]


def _people_of(
    frames: Sequence[FrameFaces], is_start: bool, is_end: bool
) -> list[People]:
    """Returns the people of each frame without those that contradict others."""
    renumbered = frames[-1].renumbered
    people = [contradictions.distinct(frame.faces, renumbered) for frame in frames]
    contradictions.remove_short(frames, people, is_start=is_start, is_end=is_end)
    return people


def _refined(
    frames: Sequence[FrameFaces],
    people: Sequence[People],
    read: ReadFrames,
    predictor: Predictor,
    smoothing: bool,
) -> list[FrameFaces]:
    gaps.fill_gaps(frames, people, read, predictor)
    if smoothing:
        _smooth(frames, people)
    return [
        dataclasses.replace(
            frame,
            faces=tuple(
                dataclasses.replace(face, id=number) for number, face in faces.items()
            ),
        )
        for frame, faces in zip(frames, people, strict=True)
    ]


def _smooth(frames: Sequence[FrameFaces], people: Sequence[People]) -> None:
    """Smooths the landmarks of all people, in place."""
    for segment in segments(frames, people):
        faces = [people[place][segment.person] for place in segment.places]
        landmarks = smooth_track(
            np.array([frames[place].timestamp for place in segment.places]),
            np.array([face.face.landmarks for face in faces]),
            np.array([face.face.uncertainty for face in faces]),
        )
        for place, face, points in zip(segment.places, faces, landmarks, strict=True):
            people[place][segment.person] = dataclasses.replace(
                face, face=with_landmarks(face.face, points)
            )
