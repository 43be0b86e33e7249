"""Which corrections train a model and which ones measure it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.errors import EthosError

MIN_FRAMES: Final = 4
"""Smallest number of corrected frames. One of them is held out."""

HELD_OUT_SHARE: Final = 0.2
MAX_HELD_OUT: Final = 40
"""Share and largest number of the corrected frames that are held out."""

MAX_INTERPOLATED: Final = 4
"""Maximum number of interpolated faces for each corrected face."""


@dataclasses.dataclass(frozen=True)
class Split:
    """The use of the corrections.

    Attributes:
      training: For each video, the corrected faces to train with.
      interpolated: For each video, the interpolated faces to train with.
      held_out: For each video, the corrected faces to measure with.
    """

    training: tuple[tuple[CorrectedFace, ...], ...]
    interpolated: tuple[tuple[CorrectedFace, ...], ...]
    held_out: tuple[tuple[CorrectedFace, ...], ...]


def split(videos: Sequence[Sequence[CorrectedFace]]) -> Split:
    """Divides corrections into those of training and those that are held out.

    Whole frames are held out, at equal distances in the order of videos and frames:
    a fifth of the corrected frames, at least one and at most 40. Interpolated faces are
    never held out. Those between a held-out face and the corrected faces before and
    after it are not used, because they were computed from it. Of the others, up to four
    for each corrected face are used, at equal distances.

    Args:
      videos: The corrections of each video.

    Raises:
      EthosError: There are fewer than 4 corrected frames.
    """
    frames = [
        (number, frame)
        for number, faces in enumerate(videos)
        for frame in sorted({face.frame for face in faces if not face.interpolated})
    ]
    if len(frames) < MIN_FRAMES:
        raise EthosError(
            f"only {len(frames)} frames have corrections; at least {MIN_FRAMES} are "
            "needed, and 20 or more are better"
        )
    count = min(MAX_HELD_OUT, max(1, round(HELD_OUT_SHARE * len(frames))))
    chosen = {frames[(2 * k + 1) * len(frames) // (2 * count)] for k in range(count)}
    held_out, training = [], []
    for number, faces in enumerate(videos):
        corrected = [face for face in faces if not face.interpolated]
        held_out.append([f for f in corrected if (number, f.frame) in chosen])
        training.append([f for f in corrected if (number, f.frame) not in chosen])
    usable = [
        (number, face)
        for number, faces in enumerate(videos)
        for face in _independent(faces, held_out[number])
    ]
    limit = MAX_INTERPOLATED * sum(map(len, training))
    if len(usable) > limit:
        places = np.linspace(0, len(usable) - 1, limit).round().astype(int)
        usable = [usable[place] for place in places.tolist()]
    interpolated = [
        [face for video, face in usable if video == number]
        for number in range(len(videos))
    ]
    return Split(_frozen(training), _frozen(interpolated), _frozen(held_out))


def _frozen(
    videos: Iterable[Iterable[CorrectedFace]],
) -> tuple[tuple[CorrectedFace, ...], ...]:
    return tuple(map(tuple, videos))


def _independent(
    faces: Sequence[CorrectedFace], held_out: Sequence[CorrectedFace]
) -> list[CorrectedFace]:
    """Returns the interpolated faces that do not depend on held-out faces."""
    result = []
    for person in sorted({face.face for face in faces}):
        own = sorted((f for f in faces if f.face == person), key=lambda f: f.frame)
        corrected = [face.frame for face in own if not face.interpolated]
        hidden = {face.frame for face in held_out if face.face == person}
        for face in own:
            place = int(np.searchsorted(corrected, face.frame))
            ends = set(corrected[max(0, place - 1) : place + 1])
            if face.interpolated and not ends & hidden:
                result.append(face)
    return sorted(result, key=lambda face: (face.frame, face.face))
