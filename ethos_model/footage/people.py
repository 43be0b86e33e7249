"""The people of a video: who is followed, who was lost, and their numbers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data.topology import face_box, face_size, iou
from ethos_model.footage import recognition
from ethos_model.footage.finder import Detection
from ethos_model.footage.identity import Template, common_part, describe
from ethos_model.footage.smoothing.live import LandmarkFilter
from ethos_model.footage.track_state import Track
from ethos_model.predict import Face

ONE_FACE: Final = 0.55
"""IoU from which the landmarks of two tracks are on one face."""

CONTACT: Final = 0.15
"""IoU from which two faces may be exchanged."""

APART: Final = 0.02
"""IoU up to which a face is described. The window of a description is larger than the
face, so it would show the other face too."""

DESCRIBE_INTERVAL: Final = 0.2
"""Time between two descriptions of a person, in seconds."""

PROVISIONAL: Final = 8.0
"""Weight of the descriptions up to which a new person may still turn out to be a known
one."""

MAX_LOST: Final = 200
"""Maximum number of lost people who are remembered."""


class People:
    """The people of one video.

    Attributes:
      followed: People whose face is followed, the one followed longest first.
      lost: People who were seen before.
      renumbered: Numbers that are no longer used, because the person was recognised
        some frames later, and the numbers that replaced them.
    """

    def __init__(self) -> None:
        self.followed: list[Track] = []
        self.lost: list[Track] = []
        self.renumbered: dict[int, int] = {}
        self._numbers = itertools.count(1)

    def begin_shot(self) -> None:
        """Loses all faces. Their positions mean nothing in the new shot."""
        self.lose(self.followed)
        for track in self.lost:
            track.is_placed = False

    def lose(self, tracks: Sequence[Track]) -> None:
        """Moves people from the followed to the lost ones."""
        tracks = list(tracks)
        self.followed = [track for track in self.followed if track not in tracks]
        self.lost = (self.lost + tracks)[-MAX_LOST:]

    def near(self, track: Track, overlap: float) -> bool:
        """Returns whether another followed face overlaps that of `track` by more."""
        return any(
            iou(track.box, other.box) > overlap
            for other in self.followed
            if other is not track
        )

    def separate(self, frame_rgb: np.ndarray, timestamp: float) -> None:
        """Notes faces that overlap; loses one of two people on the same face."""
        for first, second in itertools.combinations(list(self.followed), 2):
            if first not in self.followed or second not in self.followed:
                continue
            overlap = iou(first.box, second.box)
            if overlap > CONTACT:
                recognition.note_contact(first, second)
            if overlap > ONE_FACE:
                self._keep_owner(frame_rgb, timestamp, first, second)

    def _keep_owner(
        self, frame_rgb: np.ndarray, timestamp: float, first: Track, second: Track
    ) -> None:
        newer = max(first, second, key=lambda track: track.started)
        age = timestamp - newer.started
        if first.started != second.started and age < DESCRIBE_INTERVAL:
            self.followed.remove(newer)  # one face was found twice
            if newer.fresh is not None:  # and recognised as a person seen before
                self.lose([dataclasses.replace(newer, is_placed=False, fresh=None)])
            return
        seen = Template()
        seen.add(describe(frame_rgb, first.face))
        odds = recognition.owner(first, second, seen, self._common(), timestamp)
        self.lose([second if odds >= 0 else first])

    def add(
        self,
        frame_rgb: np.ndarray,
        timestamp: float,
        found: Sequence[tuple[Detection, Face]],
        smoothing: bool,
    ) -> None:
        """Follows new faces; known people keep their numbers.

        Args:
          frame_rgb: uint8 (H, W, 3) RGB.
          timestamp: Time of the frame, in seconds.
          found: Detections of faces that are not followed yet, and their predictions.
          smoothing: Whether the landmarks are smoothed over time.
        """
        templates = [Template() for _ in found]
        for template, (_, face) in zip(templates, found, strict=True):
            template.add(describe(frame_rgb, face), _weight(face))
        boxes = [np.asarray(face_box(face.landmarks), np.float64) for _, face in found]
        known = recognition.recognize(
            list(zip(boxes, templates, strict=True)),
            self.lost,
            self._common(*templates),
            timestamp,
        )
        for (detection, face), box, template, person in zip(
            found, boxes, templates, known, strict=True
        ):
            track = Track(
                id=next(self._numbers) if person is None else person.id,
                box=box,
                face=face,
                score=detection.score,
                seen=timestamp,
                started=timestamp,
                filter=LandmarkFilter() if smoothing else None,
                confirmed=timestamp,
                looked=timestamp,
                template=template,
                described=timestamp,
            )
            if person is not None:
                # The new descriptions are compared with the old ones before they count.
                self.lost.remove(person)
                track.partners = person.partners
                track.template, track.fresh = person.template, Template()
            self.followed.append(track)

    def describe(
        self, frame_rgb: np.ndarray, timestamp: float, max_uncertainty: float
    ) -> None:
        """Describes people at intervals, and finds out who they are.

        Args:
          frame_rgb: uint8 (H, W, 3) RGB.
          timestamp: Time of the frame, in seconds.
          max_uncertainty: Uncertainty over face size up to which a face is described.
        """
        for track in list(self.followed):
            if timestamp - track.described < DESCRIBE_INTERVAL:
                continue
            if track.uncertainty > max_uncertainty or self.near(track, APART):
                continue
            track.described = timestamp
            template = track.template if track.fresh is None else track.fresh
            template.add(describe(frame_rgb, track.face), _weight(track.face))
            self._identify(track)

    def _identify(self, track: Track) -> None:
        """Compares the descriptions of a person with those of known people."""
        common = self._common()
        for number in list(track.partners):
            others = [t for t in (*self.followed, *self.lost) if t.id == number]
            if others:
                recognition.settle_contact(track, others[0], common)
            else:
                track.partners.discard(number)
        if recognition.is_verified(track, common) is False:
            assert track.fresh is not None
            earlier = dataclasses.replace(track, is_placed=False, fresh=None)
            track.id, track.template = next(self._numbers), track.fresh
            track.fresh = None
            self.lose([earlier])
        if track.fresh is None and track.template.count <= PROVISIONAL:
            person = recognition.recognize_late(track, self.lost, common)
            if person is not None:
                self.lost.remove(person)
                self.renumbered[track.id] = person.id
                track.id = person.id
                track.template.merge(person.template)

    def _common(self, *more: Template) -> np.ndarray | float:
        """Returns what the descriptions of all people have in common."""
        people = [track.template for track in (*self.followed, *self.lost)]
        return common_part((*people, *more))


def _weight(face: Face) -> float:
    """Returns the weight of a description: 1 for a clear face, less for a bad one."""
    size = max(float(face_size(face_box(face.landmarks))), 1e-6)
    relative = float(np.median(face.uncertainty)) / size
    return float(np.clip((0.025 / max(relative, 1e-6)) ** 2, 0.1, 1.0))
