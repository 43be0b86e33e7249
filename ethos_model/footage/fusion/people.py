"""Reconstructs all people of a video, and keeps the best image of each."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_model.footage.fusion.face_fusion import REMEMBERED, FaceFusion, FusedFace
from ethos_model.footage.fusion.network import FusionNetwork
from ethos_model.footage.tracks import TrackedFace

AFTER: Final = REMEMBERED // 2 - 1
"""Number of frames after the best frame that a portrait is made of."""

FORGET: Final = 250
"""Number of frames without a person after which their reconstruction starts again. In
the meantime the light and the camera have changed."""


class FusedPeople:
    """One `FaceFusion` for each person of a video.

    Example:
      people = FusedPeople()
      for frame in follow("clip.mp4"):
          people.add(frame.index, frame.image, frame.people)
          for person in frame.people:
              image = people.result(person).image
    """

    def __init__(
        self, size: int | None = None, *, network: FusionNetwork | None = None
    ):
        """Starts without people.

        Args:
          size: Width and height of the results in pixels; None for the size that the
            network is made for.
          network: The network; None for the shipped one.
        """
        if size is None:
            size = 224 if network is None else int(network.card["size"])
        self._size, self._network = size, network
        self._running: dict[int, FaceFusion] = {}
        self._last: dict[int, int] = {}

    def add(
        self, index: int, frame_rgb: np.ndarray, faces: Sequence[TrackedFace]
    ) -> dict[int, float]:
        """Adds a frame.

        Args:
          index: Number of the frame. Frames must be added in order.
          frame_rgb: uint8 (H, W, 3).
          faces: The faces in the frame.

        Returns:
          The weight of the frame for each person; see `FaceFusion.add`. Faces whose
          landmarks are not finite are left out.
        """
        for person in [p for p, last in self._last.items() if index - last > FORGET]:
            del self._running[person], self._last[person]
        weights = {}
        for face in faces:
            if not np.isfinite(face.face.landmarks).all():
                continue
            if face.id not in self._running:
                self._running[face.id] = FaceFusion(self._size, network=self._network)
            weights[face.id] = self._running[face.id].add(frame_rgb, face.face)
            self._last[face.id] = index
        return weights

    def result(self, face: TrackedFace) -> FusedFace:
        """Reconstructs one of the faces that were added; see `FaceFusion.result`.

        Raises:
          ValueError: The face was not added, or too many were added since.
        """
        if face.id not in self._running:
            raise ValueError(f"Person {face.id} was not added")
        return self._running[face.id].result(face.face)


@dataclasses.dataclass(frozen=True, eq=False)
class Portrait:
    """The best image of a person.

    Attributes:
      person: Number of the person.
      index: Number of the frame whose pose it shows.
      fused: The image, with its sigma.
      quality: Quality of the face in this frame, 0 to 1.
      weights: Weight of each frame that it was made of, by the number of the frame.
    """

    person: int
    index: int
    fused: FusedFace
    quality: float
    weights: dict[int, float]


class Portraits:
    """Keeps the best image of each person while a video is read once.

    A face is reconstructed with the frames before it and `AFTER` frames after it. The
    best face has the highest quality times the square root of the face size.
    """

    def __init__(self, people: FusedPeople) -> None:
        """Starts without portraits.

        Args:
          people: The reconstructions. The caller adds the frames.
        """
        self._people = people
        self._waiting: dict[int, collections.deque[tuple[int, TrackedFace]]] = {}
        self._weights: dict[int, dict[int, float]] = {}
        self._best: dict[int, tuple[tuple[bool, float], Portrait]] = {}

    def add(
        self, index: int, faces: Sequence[TrackedFace], weights: dict[int, float]
    ) -> None:
        """Takes the faces of a frame that was added to `people` just before.

        Args:
          index: Number of the frame.
          faces: The faces in it.
          weights: Result of `FusedPeople.add`.
        """
        for waiting in self._waiting.values():
            # The reconstruction of a person who has left is forgotten later.
            if waiting and index - waiting[-1][0] > AFTER:
                self._consider_best(waiting)
        for face in faces:
            if face.id not in weights:
                continue
            waiting = self._waiting.setdefault(face.id, collections.deque())
            waiting.append((index, face))
            known = self._weights.setdefault(face.id, {})
            if known and index - max(known) > FORGET:
                known.clear()
            known[index] = weights[face.id]
            for old in list(known)[:-REMEMBERED]:
                del known[old]
            if len(waiting) > AFTER:
                self._consider(*waiting.popleft())

    def finished(self) -> list[Portrait]:
        """Returns the portraits after the last frame, ordered by person."""
        for waiting in self._waiting.values():
            if waiting:
                self._consider_best(waiting)
        return [portrait for _, (_, portrait) in sorted(self._best.items())]

    def _consider_best(
        self, waiting: collections.deque[tuple[int, TrackedFace]]
    ) -> None:
        """Considers the best of the last frames of a person, which is enough."""
        self._consider(*max(waiting, key=lambda entry: _worth(entry[1])))
        waiting.clear()

    def _consider(self, index: int, face: TrackedFace) -> None:
        worth = _worth(face)
        if face.id in self._best and worth <= self._best[face.id][0]:
            return
        try:
            fused = self._people.result(face)
        except ValueError:  # the person was away for so long that they were forgotten
            return
        weights = dict(self._weights[face.id])
        portrait = Portrait(face.id, index, fused, quality(face), weights)
        self._best[face.id] = (worth, portrait)


def quality(face: TrackedFace) -> float:
    """Returns the quality of a face, 0 to 1; without measures, from its sigma alone."""
    if face.measures is not None:
        return float(face.measures.quality)
    sigma = float(np.mean(face.face.uncertainty))
    return float(1 / (1 + (sigma / max(_size(face), 1e-6) / 0.03) ** 2))


def _worth(face: TrackedFace) -> tuple[bool, float]:
    """How suitable a face is for a portrait. Faces that are not unsure come first."""
    return not face.unsure, quality(face) * _size(face) ** 0.5


def _size(face: TrackedFace) -> float:
    return float(topology.face_size(topology.face_box(face.face.landmarks)))
