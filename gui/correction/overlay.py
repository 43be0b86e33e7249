"""Puts the corrected landmarks of a frame in place of the model's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from ethos_data import crop
from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.topology import EYES
from ethos_data.visibility import VISIBLE
from ethos_model.footage.tracks import TrackedFace, measured, with_landmarks
from ethos_model.predict import Face
from gui.correction.matching import box_of
from gui.viewer.view import View

CORRECTED: Final = "corrected"
INTERPOLATED: Final = "interpolated"
PREDICTED: Final = "predicted"
"""Where landmarks come from: the user, two corrections around them, or the model."""

_NO_IMAGE: Final = np.zeros((0, 0), np.float32)


def origin(face: CorrectedFace) -> str:
    """`CORRECTED` or `INTERPOLATED`."""
    return INTERPOLATED if face.interpolated else CORRECTED


def corrected_view(
    view: View, faces: Sequence[CorrectedFace], matches: Mapping[int, int]
) -> View:
    """A view that shows the corrections of its frame.

    Args:
      view: A processed frame.
      faces: The corrected and interpolated faces of the frame.
      matches: Number of the tracked face of each person who has one.

    Returns:
      The view. `found` still returns the model's faces.
    """
    shown = {face.id: face for face in view.faces}
    marks: dict[int, str] = {}
    for face in faces:
        if not np.isfinite(face.points).all():
            continue
        number = matches.get(face.face)
        if number is None:
            number = _free(face.face, shown)
            shown[number] = _untracked(face, number)
        else:
            shown[number] = _replaced(view.image, shown[number], face)
        marks[number] = origin(face)
    return dataclasses.replace(
        view, faces=list(shown.values()), marks=marks, model=view.faces
    )


def _free(wanted: int, used: Mapping[int, object]) -> int:
    """A number that no face of the frame has."""
    return wanted if wanted not in used else max(used) + 1


def _replaced(
    image: np.ndarray, tracked: TrackedFace, face: CorrectedFace
) -> TrackedFace:
    """A tracked face with corrected landmarks. z is that of the model."""
    landmarks = np.column_stack([face.points, tracked.face.landmarks[:, 2]])
    landmarks[:, 2] -= landmarks[EYES, 2].mean()
    certain = dataclasses.replace(
        with_landmarks(tracked.face, landmarks),
        uncertainty=np.zeros(68, np.float32),
        visible=(face.visible == VISIBLE).astype(np.float32),
    )
    result = dataclasses.replace(tracked, face=certain, unsure=False, measures=None)
    return measured(image, result)


def _untracked(face: CorrectedFace, number: int) -> TrackedFace:
    """A face that only the user sees. It has no depth and no restored image."""
    landmarks = np.column_stack([face.points, np.zeros(68)]).astype(np.float32)
    window = crop.window_around(box_of(face.points), crop.NETWORK_CONTEXT)
    predicted = Face(landmarks, np.zeros(68, np.float32), _NO_IMAGE, _NO_IMAGE, window)
    return TrackedFace(number, predicted, unsure=False, score=1.0)
