"""The faces of a whole video in memory, for processing after the last frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from ethos_model.footage.finder import Detection
from ethos_model.footage.measures import measure
from ethos_model.footage.tracker import TrackedFace

_NO_IMAGE: Final = np.zeros((0, 0), np.float32)


@dataclasses.dataclass(frozen=True)
class FrameFaces:
    """The faces of one frame.

    Attributes:
      index: Number of the frame in the video, from 0.
      timestamp: Seconds since the first frame.
      faces: The faces. In memory, their depth and restored images are left out; see
        `without_images`.
      detections: Detections in the whole frame, if the video was searched for all faces
        in order to hide them.
    """

    index: int
    timestamp: float
    faces: tuple[TrackedFace, ...]
    detections: tuple[Detection, ...] = ()


Refine = Callable[[Sequence[FrameFaces]], Sequence[FrameFaces]]
"""Improves the faces of a video with knowledge of all its frames, for example by
filling gaps. The result has the same frames in the same order. New faces need no depth
and restored images."""


def without_images(face: TrackedFace) -> TrackedFace:
    """A copy without depth and restored image, which takes about 1.5 KB."""
    small = dataclasses.replace(face.face, depth=_NO_IMAGE, restored=_NO_IMAGE)
    return dataclasses.replace(face, face=small)


def measured(image: np.ndarray, face: TrackedFace) -> TrackedFace:
    """Adds the measures to a face that has none.

    Args:
      image: uint8 (H, W, 3) RGB, the frame of the face.
      face: The face. If its landmarks are not finite, it is returned without measures.
    """
    if face.measures is not None:
        return face
    try:
        return dataclasses.replace(face, measures=measure(image, face.face))
    except ValueError:
        return face
