"""Reconstructs the person that the window shows from the frames so far."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from ethos_model.footage.fusion.face_fusion import FaceFusion, FusedFace
from ethos_model.footage.tracks import TrackedFace
from gui.degradation import VideoDegradation
from gui.viewer.worker import describe

MAX_GAP: Final = 0.9
"""Seconds without a frame of a person after which the portrait starts again. The
shortest jump of the player, except a step of one frame, is 1 second."""

MAX_PEOPLE: Final = 4
"""Number of people whose portraits can be continued. The window may change between
people of the same size."""

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Subject:
    """Whose portrait is wanted.

    Attributes:
      chosen: Number of the person; None for the largest face.
      degradation: Degradation of the frames. With another one the portrait starts
        again, so that no frame of another quality contributes.
    """

    chosen: int | None = None
    degradation: VideoDegradation = dataclasses.field(default_factory=VideoDegradation)


@dataclasses.dataclass(frozen=True)
class LivePortrait:
    """A person, reconstructed from several frames.

    Attributes:
      person: Number of the person.
      fused: The face in the pose of the current frame; None if it failed.
      error: Why it failed, or "".
    """

    person: int
    fused: FusedFace | None
    error: str = ""


@dataclasses.dataclass
class _Series:
    """The frames of one person.

    Attributes:
      fusion: What was learned from them.
      degradation: Their degradation.
      timestamp: Time of the last frame, in seconds; NaN before the first.
      portrait: The result for the last frame.
    """

    fusion: FaceFusion
    degradation: VideoDegradation
    timestamp: float = math.nan
    portrait: LivePortrait | None = None

    def continues(self, timestamp: float, degradation: VideoDegradation) -> bool:
        """Whether a frame may be added: not after a seek or another degradation."""
        gap = timestamp - self.timestamp
        return 0 <= gap <= MAX_GAP and degradation == self.degradation


class LiveFusion:
    """Keeps one `FaceFusion` for each person who was shown lately."""

    def __init__(self, make_fusion: Callable[[], FaceFusion] = FaceFusion) -> None:
        """Starts without frames.

        Args:
          make_fusion: Returns a fusion without frames.
        """
        self._make_fusion = make_fusion
        self._series: dict[int, _Series] = {}  # by person, the last shown at the end
        self._logged = ""

    def forget(self) -> None:
        """Forgets all people, for another video."""
        self._series.clear()

    def renumber(self, renumbered: Mapping[int, int]) -> None:
        """Gives people other numbers; see `FaceTracker.renumbered`."""
        for old, new in renumbered.items():
            if old in self._series:
                self._series[new] = self._series.pop(old)

    def update(
        self,
        image: np.ndarray,
        timestamp: float,
        faces: Sequence[TrackedFace],
        subject: Subject,
    ) -> LivePortrait | None:
        """Adds a frame to the portrait of the person that the window shows.

        Args:
          image: uint8 (H, W, 3) RGB.
          timestamp: Time of the frame, in seconds. The same time as that of the last
            frame is the same frame, which is not added again.
          faces: The faces of the frame.
          subject: Whose portrait is wanted.

        Returns:
          The portrait; None without a face.
        """
        chosen = choose(faces, subject.chosen)
        if chosen is None:
            return None
        series = self._series.pop(chosen.id, None)
        if series is None or not series.continues(timestamp, subject.degradation):
            series = _Series(self._make_fusion(), subject.degradation)
        self._series[chosen.id] = series
        if len(self._series) > MAX_PEOPLE:
            del self._series[next(iter(self._series))]
        if timestamp != series.timestamp:
            series.timestamp = timestamp
            series.portrait = self._extended(series.fusion, image, chosen)
        return series.portrait

    def _extended(
        self, fusion: FaceFusion, image: np.ndarray, chosen: TrackedFace
    ) -> LivePortrait:
        """The portrait with one more frame. Tracking goes on if it fails."""
        try:
            fusion.add(image, chosen.face)
            return LivePortrait(chosen.id, fusion.result(chosen.face))
        except Exception as error:
            reason = describe(error)
            if reason != self._logged:  # not once for each frame
                self._logged = reason
                _logger.exception("the face from many frames failed")
            return LivePortrait(chosen.id, None, reason)


def choose(faces: Sequence[TrackedFace], wanted: int | None) -> TrackedFace | None:
    """The face with the id `wanted`; the largest face if there is no such id."""
    for face in faces:
        if face.id == wanted:
            return face
    if not faces:
        return None
    return max(faces, key=lambda face: float(np.prod(face.box[2:] - face.box[:2])))
