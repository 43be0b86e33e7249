"""The corrections of one video in memory, with undo and redo.

Corrections by the user can be undone. Interpolated faces are computed from them, so
they are replaced when a correction changes and are not part of the undo history.

Only one thread changes a document. Any thread may read it, because each change replaces
the whole mapping of faces.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.visibility import UNLABELLED

Key = tuple[int, int]
"""Number of the frame and number of the person."""

MAX_GAP: Final = 50
"""Largest distance of two corrected frames between which faces are interpolated, in
frames: two seconds at 25 frames per second."""


@dataclasses.dataclass(frozen=True)
class _Step:
    """A change that can be undone.

    Attributes:
      key: The face.
      before: The correction before the change; None without one.
      after: The correction after the change; None without one.
      tag: Steps with the same tag that is not empty are undone together.
    """

    key: Key
    before: CorrectedFace | None
    after: CorrectedFace | None
    tag: str = ""


@dataclasses.dataclass(frozen=True)
class Span:
    """Two corrected frames of a person with frames to interpolate between them.

    Attributes:
      first: The earlier correction.
      last: The later correction.
    """

    first: CorrectedFace
    last: CorrectedFace

    @property
    def person(self) -> int:
        """Number of the person."""
        return self.first.face


class Document:
    """The corrections of a video or of a folder of images.

    Example:
      document = Document(corrections.read(path))
      document.put(face)
      document.undo()
      corrections.write(path, document.faces())
    """

    def __init__(self, faces: Iterable[CorrectedFace] = ()) -> None:
        """Takes the faces of a sidecar file."""
        # The ends with which each span was filled, by person and numbers of the frames.
        self._filled: dict[tuple[int, int, int], Span] = {}
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._version = 0
        by_key = {(face.frame, face.face): face for face in faces}
        self._corrected: Mapping[Key, CorrectedFace] = {
            key: face for key, face in by_key.items() if not face.interpolated
        }
        self._interpolated: Mapping[Key, CorrectedFace] = {
            key: face for key, face in by_key.items() if face.interpolated
        }
        for span in self.spans():
            self._filled[_place(span)] = span

    @property
    def version(self) -> int:
        """A number that changes with each change."""
        return self._version

    def faces(self) -> list[CorrectedFace]:
        """All faces, corrected and interpolated, by frame and person."""
        merged = {**self._interpolated, **self._corrected}
        return [merged[key] for key in sorted(merged)]

    def corrected(self) -> list[CorrectedFace]:
        """The faces that the user corrected, by frame and person."""
        corrected = self._corrected
        return [corrected[key] for key in sorted(corrected)]

    def at(self, frame: int) -> list[CorrectedFace]:
        """The faces of a frame, by person."""
        by_person = {
            key[1]: face
            for faces in (self._interpolated, self._corrected)
            for key, face in faces.items()
            if key[0] == frame
        }
        return [by_person[person] for person in sorted(by_person)]

    def get(self, frame: int, person: int) -> CorrectedFace | None:
        """The corrected or interpolated face of a person in a frame; None without."""
        key = (frame, person)
        return self._corrected.get(key) or self._interpolated.get(key)

    def people(self) -> list[int]:
        """Numbers of the people, ascending."""
        return sorted({person for _, person in self._corrected})

    def frames(self, *, interpolated: bool = False) -> list[int]:
        """Numbers of the frames with a correction, ascending.

        Args:
          interpolated: Return the frames with an interpolated face instead.
        """
        faces = self._interpolated if interpolated else self._corrected
        return sorted({frame for frame, _ in faces})

    # Changes.

    def put(self, face: CorrectedFace, tag: str = "") -> None:
        """Adds or replaces a correction by the user.

        Args:
          face: The correction.
          tag: Consecutive changes of a face with the same tag are one step of undo, for
            example while an arrow key is held. "" for a step of its own.
        """
        face = dataclasses.replace(face, interpolated=False)
        key = (face.frame, face.face)
        before = self._corrected.get(key)
        self._undone.clear()
        last = self._done[-1] if self._done else None
        if tag and last is not None and (last.key, last.tag) == (key, tag):
            self._done[-1] = dataclasses.replace(last, after=face)
        else:
            self._done.append(_Step(key, before, face, tag))
        self._set(key, face)

    def remove(self, frame: int, person: int) -> bool:
        """Removes a correction by the user.

        Returns:
          Whether there was one.
        """
        key = (frame, person)
        before = self._corrected.get(key)
        if before is None:
            return False
        self._undone.clear()
        self._done.append(_Step(key, before, None))
        self._set(key, None)
        return True

    def undo(self) -> Key | None:
        """Undoes the last change.

        Returns:
          The face that changed; None if there is nothing to undo.
        """
        return self._move(self._done, self._undone)

    def redo(self) -> Key | None:
        """Repeats the change that was undone last.

        Returns:
          The face that changed; None if there is nothing to repeat.
        """
        return self._move(self._undone, self._done)

    def _move(self, source: list[_Step], target: list[_Step]) -> Key | None:
        if not source:
            return None
        step = source.pop()
        # The tag is dropped: the next change must not be added to an old step.
        target.append(dataclasses.replace(step, tag=""))
        self._set(step.key, step.before if source is self._done else step.after)
        return step.key

    def _set(self, key: Key, face: CorrectedFace | None) -> None:
        corrected = dict(self._corrected)
        if face is None:
            corrected.pop(key, None)
        else:
            corrected[key] = face
        self._corrected = corrected
        self._drop_outside_spans(key[1])
        self._version += 1

    # Interpolated faces.

    def _frames_of(self, person: int) -> list[int]:
        return sorted(frame for frame, number in self._corrected if number == person)

    def _drop_outside_spans(self, person: int) -> None:
        """Removes interpolated faces that no longer have corrections around them."""
        frames = self._frames_of(person)

        def is_stale(frame: int) -> bool:
            after = bisect.bisect_left(frames, frame)
            if after in (0, len(frames)) or frames[after] == frame:
                return True
            return frames[after] - frames[after - 1] > MAX_GAP

        stale = [key for key in self._interpolated if key[1] == person]
        stale = [key for key in stale if is_stale(key[0])]
        if stale:
            gone = set(stale)
            self._interpolated = {
                key: face for key, face in self._interpolated.items() if key not in gone
            }

    def spans(self) -> list[Span]:
        """The spans whose frames can be interpolated, by person and frame."""
        result = []
        for person in self.people():
            frames = self._frames_of(person)
            for first, last in itertools.pairwise(frames):
                if 1 < last - first <= MAX_GAP:
                    result.append(
                        Span(
                            self._corrected[first, person],
                            self._corrected[last, person],
                        )
                    )
        return result

    def is_current(self, span: Span) -> bool:
        """Whether the ends of a span have not changed."""
        return all(
            self._corrected.get((face.frame, face.face)) is face
            for face in (span.first, span.last)
        )

    def is_filled(self, span: Span) -> bool:
        """Whether all frames of a span have an interpolated face.

        Faces that were computed from other ends do not count. Those of the sidecar file
        are taken to be computed from its ends.
        """
        own = self._filled.get(_place(span))
        if own is None or own.first is not span.first or own.last is not span.last:
            return False
        frames = range(span.first.frame + 1, span.last.frame)
        return all((frame, span.person) in self._interpolated for frame in frames)

    def fill(self, span: Span, faces: Sequence[CorrectedFace]) -> bool:
        """Sets the interpolated faces of a span.

        Args:
          span: The span.
          faces: Faces of its person between its ends.

        Returns:
          False, without a change, if an end was corrected again meanwhile.
        """
        if not self.is_current(span):
            return False
        inside = range(span.first.frame + 1, span.last.frame)
        outside = {
            key: face
            for key, face in self._interpolated.items()
            if key[1] != span.person or key[0] not in inside
        }
        added = {
            (face.frame, face.face): dataclasses.replace(face, interpolated=True)
            for face in faces
            if face.frame in inside and face.face == span.person
        }
        self._interpolated = {**outside, **added}
        self._filled[_place(span)] = span
        self._version += 1
        return True

    def clear_interpolated(self) -> None:
        """Removes all interpolated faces."""
        self._interpolated = {}
        self._version += 1


def _place(span: Span) -> tuple[int, int, int]:
    return span.person, span.first.frame, span.last.frame


def corrected_face(
    frame: int,
    timestamp: float,
    person: int,
    points: np.ndarray,
    visible: np.ndarray,
    image: str = "",
) -> CorrectedFace:
    """A correction by the user, with arrays of its own.

    A landmark without a position gets no label: the file must not contain one.

    Args:
      frame: Number of the frame.
      timestamp: Time of the frame, in seconds.
      person: Number of the person.
      points: (68, 2), in source pixels.
      visible: (68,), see `ethos_data.visibility`.
      image: File name of the image, in a folder of images.
    """
    points = np.array(points, np.float64)[:, :2]
    known = np.isfinite(points).all(axis=1)
    return CorrectedFace(
        frame=frame,
        timestamp=timestamp,
        face=person,
        points=points,
        visible=np.where(known, visible, UNLABELLED).astype(np.uint8),
        interpolated=False,
        image=image,
    )
