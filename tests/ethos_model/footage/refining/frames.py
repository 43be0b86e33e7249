"""Tracked frames of the fake world, for the tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ethos_model.footage.reader import Frame
from ethos_model.footage.tracks import FrameFaces, TrackedFace, without_images
from tests.ethos_model.footage.world import World, box_at, face_of

FPS = 25.0


def tracked(
    number: int, box: np.ndarray, *, person: int = 1, sigma: float = 0.02
) -> TrackedFace:
    """A tracked face of a person of the world; `sigma` is over the face size."""
    face = TrackedFace(number, face_of(person, box, sigma), sigma > 0.055, 0.9)
    return without_images(face)


def frames(
    faces: Sequence[Sequence[TrackedFace]], *, cuts: Sequence[int] = (), **fields
) -> list[FrameFaces]:
    """One frame for each list of faces, at 25 frames/s; `cuts` begin new shots."""
    return [
        FrameFaces(
            index,
            index / FPS,
            tuple(people),
            shot=sum(index >= cut for cut in cuts),
            **fields,
        )
        for index, people in enumerate(faces)
    ]


def walk(index: int) -> np.ndarray:
    """Face box of a person who walks to the right."""
    return box_at(20 + 2 * index)


class Film:
    """A video of a person who walks through the world.

    Attributes:
      world: The world. It predicts the faces of the frame that was read last.
      hidden: Numbers of the frames in which nobody is visible.
      read_frames: Numbers of the frames that were read.
    """

    def __init__(self, hidden: Sequence[int] = ()) -> None:
        self.world = World()
        self.hidden = hidden
        self.read_frames: list[int] = []

    def read(self, indices: Sequence[int]) -> Iterator[Frame]:
        for index in indices:
            self.read_frames.append(index)
            faces = [] if index in self.hidden else [(1, walk(index))]
            yield Frame(self.world.show(*faces), index, index / FPS)

    def predict(self, frame_rgb, boxes):
        return self.world.predict(frame_rgb, boxes)
