"""The visible outline of a face, for labels that follow it.

The landmarks 0 to 16 of ETHOS are fixed points of the head, from ear to ear along the
jaw. When the head turns, the cheek hides those of the far side. Data sets with 2D
labels put these landmarks on the visible outline of the cheek instead. Each landmark
then moves on a line of the surface towards the middle of the face ("landmark marching",
Zhu et al., "High-fidelity pose and expression normalization", CVPR 2015).
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
from typing import Final

import numpy as np

from ethos_model.footage.measures import fitting, head
from ethos_model.predict import Face

ANATOMICAL: Final = "anatomical"
"""Landmarks 0 to 16 are fixed points of the head, as in 3D labels."""

VISIBLE: Final = "visible"
"""Landmarks 0 to 16 are on the visible outline, as in 2D labels."""

OUTLINES: Final = (ANATOMICAL, VISIBLE)

COUNT: Final = 17
"""Number of landmarks of the outline."""

POINTS: Final = 25
"""Number of points of each line."""

FILE: Final = "outline.npz"


def with_outline(face: Face, outline: str = VISIBLE) -> Face:
    """Returns a face whose landmarks 0 to 16 follow a convention.

    Example:
      face = with_outline(predictor.predict(frame_rgb, [box])[0], "visible")

    Args:
      face: Prediction of the network, whose outline is anatomical.
      outline: One of `OUTLINES`.

    Raises:
      ValueError: The outline is unknown.
    """
    if outline not in OUTLINES:
        raise ValueError(f"outline must be one of {OUTLINES}. Received: {outline!r}")
    if outline == ANATOMICAL:
        return face
    landmarks = visible_outline(face.landmarks, face.uncertainty)
    return dataclasses.replace(face, landmarks=landmarks)


def visible_outline(landmarks: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    """Moves the landmarks 0 to 16 to the visible outline.

    A landmark moves to the point of its line that is farthest from the face in the
    image, perpendicular to the outline. A landmark that is on the visible outline does
    not move.

    Args:
      landmarks: (68, 3), in source pixels.
      uncertainty: (68,), standard deviations, in source pixels.

    Returns:
      float32 (68, 3), in source pixels. Landmarks that are not finite do not move.
    """
    result = np.array(landmarks, np.float32)
    try:
        fitted = fitting.fit(landmarks, uncertainty)
    except ValueError:
        return result
    # The line begins at the landmark of this person.
    own = fitted.landmarks[:COUNT] - head.load().mean[:COUNT]
    lines = _lines() + own[:, None]
    depth = lines @ fitted.rotation[2] * fitted.pixels_per_unit(np.arange(COUNT))
    places = fitted.project(lines.reshape(-1, 3)).reshape(COUNT, POINTS, 2)
    tangents = np.gradient(result[:COUNT, :2].astype(np.float64), axis=0)
    outwards = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-9)
    # Away from the middle of the head, also where the head hides the landmark.
    away = (head.load().mean[:COUNT] * (1, 1, 0)) @ fitted.rotation[:2].T * (1, -1)
    outwards *= np.sign((outwards * away).sum(axis=1, keepdims=True))
    heights = np.einsum("ikc,ic->ik", places - places[:, :1], outwards)
    rows, best = np.arange(COUNT), heights.argmax(axis=1)
    result[:COUNT, :2] += (places[rows, best] - places[:, 0]).astype(np.float32)
    result[:COUNT, 2] += (depth[rows, best] - depth[:, 0]).astype(np.float32)
    return result


@functools.cache
def _lines() -> np.ndarray:
    """Lines of the mean head, float64 (17, `POINTS`, 3), in the head frame."""
    path = importlib.resources.files("ethos_model.footage") / "assets" / FILE
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        lines = data["lines"].astype(np.float64)
    # They begin exactly at the landmarks of the mean head.
    return lines + (head.load().mean[:COUNT] - lines[:, 0])[:, None]
