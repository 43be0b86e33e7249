"""Tracked faces: of one frame, and of a whole video in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np

from ethos_data.topology import face_box
from ethos_model.footage.finder import Detection
from ethos_model.footage.measures import FaceMeasures, measure
from ethos_model.predict import Face

_NO_IMAGE: Final = np.zeros((0, 0), np.float32)


@dataclasses.dataclass(frozen=True)
class TrackedFace:
    """One face in one frame.

    Attributes:
      id: Number of the person. It stays the same within a video.
      face: Prediction of the network. Its landmarks are smoothed if smoothing is on.
      unsure: True if the network or the finder doubts that this is a face, or if the
        person may have been exchanged with another one.
      score: Last score of the finder, 0 to 1.
      measures: Pose, openness and quality of the face; None if it was not measured. See
        `measured`.
    """

    id: int
    face: Face
    unsure: bool
    score: float
    measures: FaceMeasures | None = None

    @property
    def box(self) -> np.ndarray:
        """Face box, float32 (4,): x0, y0, x1, y1 in source pixels."""
        return face_box(self.face.landmarks)


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
      shot: Number of the shot to which the frame belongs.
      renumbered: Numbers that are no longer used, because the person was recognised
        later, and the numbers that replaced them, as known after this frame.
    """

    index: int
    timestamp: float
    faces: tuple[TrackedFace, ...]
    detections: tuple[Detection, ...] = ()
    shot: int = 0
    renumbered: Mapping[int, int] = dataclasses.field(default_factory=dict)


def without_images(face: TrackedFace) -> TrackedFace:
    """A copy without depth and restored image, which takes about 1.5 KB."""
    small = dataclasses.replace(face.face, depth=_NO_IMAGE, restored=_NO_IMAGE)
    return dataclasses.replace(face, face=small)


def with_precision(face: TrackedFace, dtype: type[np.floating]) -> TrackedFace:
    """A copy whose depth and restored image have another type of numbers.

    With float16 they take 50 KB. The depth is then exact to 0.1 pixels for faces of up
    to 500 pixels.
    """
    images = {
        name: getattr(face.face, name).astype(dtype) for name in ("depth", "restored")
    }
    return dataclasses.replace(face, face=dataclasses.replace(face.face, **images))


def with_landmarks(face: Face, landmarks: np.ndarray) -> Face:
    """Returns a face with other landmarks, for example smoothed ones.

    The depth is changed with them: by the plane that fits the change of z best, so that
    the surface follows the smoothed pose.

    Args:
      face: Prediction of the network.
      landmarks: (68, 3), in source pixels, close to those of the face.
    """
    landmarks = np.asarray(landmarks, np.float32)
    side = face.depth.shape[0]
    if not side:
        return dataclasses.replace(face, landmarks=landmarks)
    xy = face.window.to_normalized(landmarks[:, :2])
    change = landmarks[:, 2] - face.landmarks[:, 2]
    terms = np.column_stack([xy, np.ones(len(xy))])
    by_x, by_y, constant = np.linalg.lstsq(terms, change, rcond=None)[0]
    place = (np.arange(side) + 0.5) / side
    plane = by_x * place + by_y * place[:, None] + constant
    depth = face.depth + plane.astype(np.float32)
    return dataclasses.replace(face, landmarks=landmarks, depth=depth)


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
