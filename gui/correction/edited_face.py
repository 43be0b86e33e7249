"""A face of the frame on the screen, as the user edits it."""

from __future__ import annotations

import dataclasses

import numpy as np

from ethos_data.topology import NUM_LANDMARKS
from ethos_data.visibility import HIDDEN, VISIBLE
from ethos_model.predict import Face
from gui.correction.document import Document
from gui.correction.matching import box_of, match
from gui.correction.overlay import PREDICTED, origin
from gui.viewer.view import View


@dataclasses.dataclass(frozen=True, eq=False)
class EditedFace:
    """A face of the frame, with the landmarks that the window shows.

    Attributes:
      points: float64 (68, 2), in source pixels.
      visible: uint8 (68,), see `ethos_data.visibility`.
      z: float64 (68,) of the model in source pixels; None without a prediction.
      origin: "predicted", "corrected" or "interpolated".
      person: Number of the person in the corrections; None if it has none yet.
      number: The tracker's number; None if the tracker did not find the face.
    """

    points: np.ndarray
    visible: np.ndarray
    z: np.ndarray | None
    origin: str
    person: int | None
    number: int | None

    @property
    def box(self) -> np.ndarray:
        """Face box, float64 (4,)."""
        return box_of(self.points)


def faces_of(view: View, document: Document) -> list[EditedFace]:
    """The faces of a frame, from left to right.

    Args:
      view: The processed frame.
      document: The corrections. A corrected face replaces the model's.
    """
    corrected = document.at(view.frame.index)
    tracked = {face.id: face for face in view.found}
    matches = match(corrected, {n: np.asarray(f.box) for n, f in tracked.items()})
    faces = []
    for face in corrected:
        number = matches.get(face.face)
        z = None if number is None else tracked[number].face.landmarks[:, 2]
        faces.append(
            EditedFace(face.points, face.visible, z, origin(face), face.face, number)
        )
    for number in tracked.keys() - set(matches.values()):
        landmarks = np.asarray(tracked[number].face.landmarks, np.float64)
        if np.isfinite(landmarks).all():
            visible = _visible(tracked[number].face)
            xy, z = landmarks[:, :2], landmarks[:, 2]
            faces.append(EditedFace(xy, visible, z, PREDICTED, None, number))
    return sorted(faces, key=lambda face: float(face.box[0]))


def _visible(face: Face) -> np.ndarray:
    """What the model says about the visibility of the landmarks, uint8 (68,)."""
    if face.visible is None:
        return np.full(NUM_LANDMARKS, VISIBLE, np.uint8)
    return np.where(np.asarray(face.visible) < 0.5, HIDDEN, VISIBLE).astype(np.uint8)


def unlike(face: EditedFace, other: EditedFace) -> tuple[bool, bool, float]:
    """Sort key: first the same person, then the same track, then the nearest."""
    centres = [(f.box[:2] + f.box[2:]) / 2 for f in (face, other)]
    away = float(np.linalg.norm(centres[0] - centres[1]))
    return (
        other.person is None or face.person != other.person,
        other.number is None or face.number != other.number,
        away,
    )
