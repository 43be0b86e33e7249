"""People of a kind that the model has never seen, in video, and who corrects them.

The people are built-in heads that are 15 % wider and 10 % lower, seen by a false-colour
thermal camera: bright is dark, edges are soft, and the colours are those of a palette.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.corpora.video import Video
from ethos_data.heads.figure import sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.scene import render_frames, sample_scene
from ethos_data.records import Record
from ethos_data.visibility import VISIBLE
from ethos_model.predict import Predictor
from gui.correction.suggestions import most_useful
from pipelines.conversion import frame_records
from pipelines.conversion.options import ConversionOptions

STRETCH: Final = (1.15, 0.9, 1.0)
"""Factors of the built-in head's width, height and depth."""

VIDEOS: Final = (120, 90, 60, 40, 30, 20, 20, 20)
"""Numbers of frames of the videos of a user, each of another person. Real collections
are as uneven."""

SIZE: Final = 200
"""Nominal height of a frame, in pixels; see `scene.sample_scene`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Shot:
    """A frame of a video with one face.

    Attributes:
      person: Number of the person, and of the video.
      frame: Number of the frame in the video.
      image: uint8 (H, W, 3), RGB.
      landmarks: float32 (68, 3), exact, in source pixels.
      depth: float32 (H, W), exact, in source pixels, NaN outside the head.
    """

    person: int
    frame: int
    image: np.ndarray
    landmarks: np.ndarray
    depth: np.ndarray


def unseen_model() -> HeadModel:
    """Returns the stretched head."""
    model = HeadModel.builtin()
    nose = model.neutral[model.landmarks68[topology.GROUPS["nose_base"]]].mean(axis=0)
    neutral = nose + (model.neutral - nose) * np.float32(STRETCH)
    return dataclasses.replace(model, neutral=neutral.astype(np.float32))


def thermal(image: np.ndarray) -> np.ndarray:
    """Returns an image as a false-colour thermal camera shows it."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    colored = cv2.applyColorMap(255 - grey, cv2.COLORMAP_INFERNO)
    return cv2.cvtColor(colored, cv2.COLOR_BGR2RGB)


def film(
    model: HeadModel, seed: int, lengths: Sequence[int], *, step: int, unseen: bool
) -> Iterator[Shot]:
    """Films people.

    Args:
      model: Head model.
      seed: Random seed.
      lengths: Number of shots of each person.
      step: Distance of two shots, in frames.
      unseen: Whether the camera is a thermal camera.
    """
    for person, length in enumerate(lengths):
        rng = np.random.default_rng((seed, person, 0x25C0))
        figure = sample_figure(model, rng)
        scene = sample_scene(figure, rng, num_frames=length * step, size=SIZE)
        for t, frame in enumerate(render_frames(figure, scene.every(step))):
            image = thermal(frame.image) if unseen else frame.image
            yield Shot(person, t * step, image, frame.landmarks, frame.depth)


def record(shot: Shot, *, by_hand: bool) -> Record:
    """Returns the record of a face.

    Args:
      shot: The frame.
      by_hand: Whether the landmarks are corrections, which have no z. Otherwise the
        record contains the exact z and depth.
    """
    landmarks = shot.landmarks.astype(np.float32)[None]
    if by_hand:
        landmarks = np.where(np.arange(3) < 2, landmarks, np.float32(np.nan))
    video = Video(
        path="",
        video_id=f"video{shot.person}",
        person_id=f"person{shot.person}",
        frames=shot.image[None],
        landmarks=landmarks,
        depth=None if by_hand else shot.depth[None],
        frame_numbers=np.array([shot.frame]),
        fingerprint="",
        visible=np.full((1, 68), VISIBLE, np.uint8) if by_hand else None,
        has_z=np.zeros(1, bool) if by_hand else None,
    )
    (made,) = frame_records.make_records(video, ConversionOptions())
    assert not isinstance(made, str), made  # a rendered face is complete
    return made


def correction(shot: Shot) -> CorrectedFace:
    """Returns the correction of a face by a careful person."""
    points = shot.landmarks[:, :2].astype(np.float64)
    visible = np.full(68, VISIBLE, np.uint8)
    return CorrectedFace(
        shot.frame, shot.frame / 25, shot.person, points, visible, False
    )


def suggested(shots: Sequence[Shot], predictor: Predictor, count: int) -> list[int]:
    """Returns the faces that a user corrects who presses N before each correction.

    Args:
      shots: All frames of the videos.
      predictor: The present model. It receives the true face box.
      count: Number of corrections.
    """
    faces = [
        predictor.predict(shot.image, [topology.face_box(shot.landmarks)])[0]
        for shot in shots
    ]
    landmarks = np.stack([face.landmarks[:, :2] for face in faces])
    uncertainty = np.stack([face.uncertainty for face in faces])
    frames = np.array([shot.frame for shot in shots])
    people = np.array([shot.person for shot in shots])
    corrected = np.zeros(len(shots), bool)
    chosen: list[int] = []
    for _ in range(count):
        best = int(most_useful(landmarks, uncertainty, frames, people, corrected)[0])
        corrected[best] = True
        landmarks[best] = shots[best].landmarks[:, :2]
        chosen.append(best)
    return chosen


def at_random(shots: Sequence[Shot], count: int, seed: int) -> list[int]:
    """Returns random faces."""
    rng = np.random.default_rng((seed, 0xAD))
    return rng.choice(len(shots), count, replace=False).tolist()
