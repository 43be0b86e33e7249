"""What the model finds in the whole video, to choose the faces to correct."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from ethos_data.topology import NUM_LANDMARKS, iou
from ethos_model.footage.tracks import TrackedFace
from gui.correction.document import Document
from gui.correction.matching import SAME_FACE, box_of
from gui.correction.suggestions import most_useful

MAX_FRAMES: Final = 3000
"""Number of frames that are analysed, at equal distances: two minutes of video without
a gap. It takes about a minute."""

_UNRELATED_STEP: Final = 1000
"""Distance of the frame numbers of unrelated images, so that they are no neighbours."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A face that should be corrected.

    Attributes:
      frame: Number of the frame.
      box: Face box, float64 (4,), in source pixels.
    """

    frame: int
    box: np.ndarray


class Analysis:
    """The faces that were found so far. The methods may be called from any thread."""

    def __init__(self, frame_count: int | None, *, unrelated: bool = False) -> None:
        """Starts without faces.

        Args:
          frame_count: Number of frames of the video; None if unknown.
          unrelated: Whether the frames are unrelated images.
        """
        self._lock = threading.Lock()
        self._count, self.unrelated = frame_count or None, unrelated
        self._frames: list[int] = []
        self._people: list[int] = []
        self._points: list[np.ndarray] = []
        self._sigma: list[np.ndarray] = []
        self._next = 0
        self._done = False

    @property
    def stride(self) -> int:
        """One frame in `stride` is analysed."""
        return 1 if self._count is None else -(-self._count // MAX_FRAMES)

    @property
    def next_frame(self) -> int:
        """Number of the next frame to analyse."""
        return self._next

    @property
    def done(self) -> bool:
        """Whether the whole video is analysed."""
        return self._done

    @property
    def share(self) -> float:
        """Analysed part of the video, 0 to 1.

        It is 0 until the end if the number of frames is unknown.
        """
        if self._done:
            return 1.0
        return 0.0 if self._count is None else min(1.0, self._next / self._count)

    @property
    def progress(self) -> str:
        """How far the analysis is, for example "45%"."""
        return f"frame {self._next}" if self._count is None else f"{self.share:.0%}"

    @property
    def faces(self) -> int:
        """Number of faces so far."""
        return len(self._frames)

    def add(self, frame: int, faces: Sequence[TrackedFace]) -> None:
        """Takes the faces of a frame, without smoothing."""
        with self._lock:
            for number, face in enumerate(faces):
                if not np.isfinite(face.face.landmarks).all():
                    continue
                person = frame * _UNRELATED_STEP + number if self.unrelated else face.id
                self._frames.append(frame)
                self._people.append(person)
                self._points.append(np.asarray(face.face.landmarks, np.float32)[:, :2])
                self._sigma.append(np.asarray(face.face.uncertainty, np.float32))
            self._next = frame + self.stride

    def finish(self) -> None:
        """The last frame was read."""
        self._done = True

    def suggest(
        self, document: Document, visited: Collection[tuple[int, int]] = ()
    ) -> tuple[Candidate, tuple[int, int]] | None:
        """Finds the face that most needs a correction.

        Args:
          document: The corrections so far.
          visited: Keys of the suggestions that the user has seen already.

        Returns:
          The face and its key; None if all faces are corrected or were seen.
        """
        with self._lock:
            if not self._frames:
                return None
            frames, people = np.array(self._frames), np.array(self._people)
            points, sigma = np.stack(self._points), np.stack(self._sigma)
        points = points.astype(np.float64)
        corrected = np.zeros(len(frames), bool)
        by_frame: dict[int, list[int]] = {}
        for index, frame in enumerate(frames.tolist()):
            by_frame.setdefault(frame, []).append(index)
        for face in document.corrected():
            own = by_frame.get(face.frame, [])
            box = box_of(face.points)
            overlaps = [float(iou(box, box_of(points[index]))) for index in own]
            if overlaps and max(overlaps) >= SAME_FACE:
                index = own[int(np.argmax(overlaps))]
                corrected[index] = True
                if face.points.shape == (NUM_LANDMARKS, 2):
                    points[index] = np.where(
                        np.isfinite(face.points), face.points, points[index]
                    )
        spread = frames * (_UNRELATED_STEP if self.unrelated else 1)
        for index in most_useful(points, sigma, spread, people, corrected).tolist():
            key = (int(frames[index]), int(people[index]))
            if key not in visited:
                return Candidate(key[0], box_of(points[index])), key
        return None
