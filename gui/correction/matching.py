"""Which tracked face is which person of the corrections.

The tracker numbers people in the order in which it meets them, so the numbers differ
between two starts. Corrected faces are recognised by their position.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.topology import face_box, face_size, iou
from gui.correction.document import Document

SAME_FACE: Final = 0.35
"""IoU of two face boxes in the same frame from which they are the same face."""

NEAR: Final = 1.5
"""Largest distance between the centres of two face boxes, divided by the face size, for
the same person in two frames."""


def box_of(points: np.ndarray) -> np.ndarray:
    """Face box of landmarks (68, 2) that may contain NaN, float64 (4,)."""
    points = np.asarray(points, np.float64)[:, :2]
    known = points[np.isfinite(points).all(axis=1)]
    return face_box(known) if len(known) else np.zeros(4)


def match(
    corrected: Sequence[CorrectedFace], boxes: Mapping[int, np.ndarray]
) -> dict[int, int]:
    """Finds the tracked face at the place of each corrected face of a frame.

    Args:
      corrected: The corrected faces of a frame.
      boxes: Boxes (4,) of the tracked faces of the frame, by their numbers.

    Returns:
      Number of the tracked face of each person who has one. The best overlap is
      matched first.
    """
    pairs = [
        (float(iou(box_of(face.points), np.asarray(box))), face.face, number)
        for face in corrected
        for number, box in boxes.items()
    ]
    result: dict[int, int] = {}
    for overlap, person, number in sorted(pairs, reverse=True):
        is_free = person not in result and number not in result.values()
        if overlap >= SAME_FACE and is_free:
            result[person] = number
    return result


class People:
    """Remembers which tracked number belongs to which person of a document.

    The methods may be called from any thread.
    """

    def __init__(self, document: Document, *, unrelated: bool = False) -> None:
        """Starts without knowledge about the tracked numbers.

        Args:
          document: The corrections.
          unrelated: Whether the frames are unrelated images. The people are then
            numbered in each image from 1.
        """
        self._lock = threading.RLock()
        self._document = document
        self._unrelated = unrelated
        self._person: dict[int, int] = {}  # by the tracker's number
        self._numbering: int | None = None

    def follow(
        self,
        frame: int,
        boxes: Mapping[int, np.ndarray],
        *,
        numbering: int = 0,
        renumbered: Mapping[int, int] | None = None,
    ) -> dict[int, int]:
        """Learns from a frame.

        Args:
          frame: Number of the frame.
          boxes: Boxes of the tracked faces, by their numbers.
          numbering: Changes when the tracker starts to count again.
          renumbered: Numbers that the tracker has replaced, and their replacements.

        Returns:
          Number of the tracked face of each corrected face of the frame that has one.
        """
        numbers = match(self._document.at(frame), boxes)
        with self._lock:
            if numbering != self._numbering or self._unrelated:
                self._numbering = numbering
                self._person.clear()
            for old, new in (renumbered or {}).items():
                if old in self._person:
                    self._person.setdefault(new, self._person.pop(old))
            for person, number in numbers.items():
                self._person[number] = person
        return numbers

    def person(self, number: int, frame: int, box: np.ndarray) -> int:
        """The person of a tracked face without a correction, who may be new.

        Args:
          number: The tracker's number of the face.
          frame: Number of the frame.
          box: Its face box (4,).
        """
        with self._lock:
            # Two faces of a frame are two people, even if the tracker mixed them up.
            others = {face.face for face in self._document.at(frame)}
            if self._person.get(number, None) in {None, *others}:
                self._person.pop(number, None)
                self._person[number] = self._guess(number, frame, np.asarray(box))
            return self._person[number]

    def new_person(self, frame: int, wanted: int = 1) -> int:
        """A number that no person has: `wanted` if it is free.

        Args:
          frame: Number of the frame in which the person is.
          wanted: The number to take if possible.
        """
        with self._lock:
            used = set(self._person.values())
        if self._unrelated:
            used |= {face.face for face in self._document.at(frame)}
        else:
            used |= set(self._document.people())
        return wanted if wanted not in used else max(used) + 1

    def _guess(self, number: int, frame: int, box: np.ndarray) -> int:
        """The person who was at this place in the nearest corrected frame."""
        if self._unrelated:
            return self.new_person(frame)
        taken = {self._person[n] for n in self._person if n != number}
        taken |= {face.face for face in self._document.at(frame)}
        nearest: dict[int, CorrectedFace] = {}
        for face in self._document.corrected():
            best = nearest.get(face.face)
            if best is None or abs(face.frame - frame) < abs(best.frame - frame):
                nearest[face.face] = face
        candidates = [
            (_distance(box_of(face.points), box), person)
            for person, face in nearest.items()
            if person not in taken
        ]
        candidates.sort()
        if candidates and candidates[0][0] < NEAR:
            return candidates[0][1]
        return self.new_person(frame, number)


def _distance(box: np.ndarray, other: np.ndarray) -> float:
    """Distance of two centres over the face size."""
    centres = (box[:2] + box[2:]) / 2 - (other[:2] + other[2:]) / 2
    size = max(float(face_size(box)), float(face_size(other)), 1e-6)
    return float(np.linalg.norm(centres)) / size
