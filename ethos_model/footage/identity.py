"""Recognises a person again within one video.

A face is described by three short vectors: the shape of its 3D landmarks without pose,
the aligned grey face that the network restores, and the colours of face, hair and
clothes. The first two are projected to the directions that differ most between people
compared with the frames of one person (linear discriminant analysis). The projections
are learned by `benchmarks.learn_identity`.

The vectors are made for the few people of one video, seen with the same camera. They
do not identify people across videos, and nothing is stored.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterable
from typing import Final

import cv2
import numpy as np

from ethos_data import crop
from ethos_data.topology import NUM_LANDMARKS, face_box, face_size
from ethos_model.predict import Face

ASSET: Final = os.path.join(os.path.dirname(__file__), "assets", "identity.npz")
"""Path of the learned projections."""

GRID: Final = 32
"""Side of the aligned grey face, in pixels."""

COLOUR_GRID: Final = 6
"""Side of the grid of colours."""

COLOUR_CONTEXT: Final = 2.6
"""Side of the window whose colours are used, divided by the face size. It shows hair
and clothes."""

UNKNOWN_PEOPLE: Final = 4
"""Number of average people that are added to those of a video when the common part of
their descriptions is estimated."""

INNER: Final = np.arange(27, NUM_LANDMARKS)
"""Landmarks that align the grey face: nose, eyes and mouth."""


@dataclasses.dataclass(frozen=True)
class Features:
    """Description of one face in one frame, before it is projected.

    Attributes:
      shape: float32 (204,), the landmarks without position, size and rotation.
      grey: float32 (GRID * GRID,), the aligned restored face, mean 0 and deviation 1.
      colour: float32 (COLOUR_GRID**2 * 3,), two ratios of channels and the relative
        brightness of each cell, as logarithms.
    """

    shape: np.ndarray
    grey: np.ndarray
    colour: np.ndarray


@dataclasses.dataclass(frozen=True)
class Projections:
    """Learned constants.

    Attributes:
      reference: float64 (68, 3), mean frontal shape, mean 0 and mean square distance
        1 from its centre; x right, y down, z towards the viewer.
      means: Mean of each part of `Features`.
      bases: Projection of each part, (features, components).
      weights: float64 (4,), weight of the similarity of each part, and a constant. The
        weighted sum is the log odds that two faces show the same person.
    """

    reference: np.ndarray
    means: tuple[np.ndarray, np.ndarray, np.ndarray]
    bases: tuple[np.ndarray, np.ndarray, np.ndarray]
    weights: np.ndarray


@functools.cache
def projections() -> Projections:
    """Loads the learned projections."""
    with np.load(ASSET) as arrays:
        parts = [field.name for field in dataclasses.fields(Features)]
        return Projections(
            reference=arrays["reference"].astype(np.float64),
            means=tuple(arrays[f"{part}_mean"].astype(np.float32) for part in parts),
            bases=tuple(arrays[f"{part}_basis"].astype(np.float32) for part in parts),
            weights=arrays["weights"].astype(np.float64),
        )


def normalized_shape(landmarks: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Removes position, size and rotation from landmarks (Kabsch, 1976).

    Args:
      landmarks: (68, 3), source pixels.
      reference: (68, 3), shape with mean 0 to which the landmarks are rotated.

    Returns:
      float64 (68, 3), mean 0 and mean square distance 1 from the centre.
    """
    centred = np.asarray(landmarks, np.float64) - np.mean(landmarks, axis=0)
    centred = centred / max(np.sqrt((centred**2).sum(axis=1).mean()), 1e-9)
    left, _, right = np.linalg.svd(centred.T @ reference)
    if np.linalg.det(left @ right) < 0:  # a reflection is no rotation
        left[:, -1] *= -1
    return centred @ left @ right


def features_of(frame_rgb: np.ndarray, face: Face, reference: np.ndarray) -> Features:
    """Describes a face.

    Args:
      frame_rgb: uint8 (H, W, 3) RGB.
      face: Prediction for this frame. Its landmarks should not be smoothed.
      reference: See `Projections`.
    """
    shape = normalized_shape(face.landmarks, reference)
    return Features(
        shape.astype(np.float32).ravel(),
        _aligned_grey(face, reference),
        _colours(frame_rgb, face),
    )


def _aligned_grey(face: Face, reference: np.ndarray) -> np.ndarray:
    """Warps the restored face so that its inner landmarks are at fixed positions."""
    low, high = reference[:, :2].min(axis=0), reference[:, :2].max(axis=0)
    extent = high - low
    low, high = low - extent * (0.12, 0.26), high + extent * 0.08  # some forehead
    fixed = (reference[INNER, :2] - low) / (high - low) * GRID - 0.5
    side = face.restored.shape[0]
    points = face.window.to_normalized(face.landmarks[INNER, :2]) * side - 0.5
    points = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    affine = np.linalg.lstsq(points, fixed, rcond=None)[0].T
    smooth = cv2.GaussianBlur(np.nan_to_num(face.restored), (0, 0), 1.2)
    grey = cv2.warpAffine(
        smooth,
        affine,
        (GRID, GRID),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    grey -= cv2.GaussianBlur(grey, (0, 0), GRID / 4)  # the light of the scene
    return ((grey - grey.mean()) / (grey.std() + 1e-5)).ravel()


def _colours(frame_rgb: np.ndarray, face: Face) -> np.ndarray:
    """Returns the colours around a face, independent of the brightness of the frame."""
    box = np.asarray(face_box(face.landmarks), np.float64)
    size = float(face_size(box))
    centre = (box[:2] + box[2:]) / 2 + (0, 0.15 * size)
    half = COLOUR_CONTEXT / 2 * size
    window = crop.window_around(np.concatenate([centre - half, centre + half]), 1.0)
    cells = _clipped_cells(frame_rgb, window)
    logarithms = np.log(cells + 2)  # 2 grey levels: black has no colour
    red, green, blue = np.moveaxis(logarithms, -1, 0)
    brightness = logarithms.mean(axis=-1)
    relative = (brightness - brightness.mean()) / max(float(brightness.std()), 0.2)
    colours = np.stack([red - green, blue - green, relative], axis=-1)
    return colours.astype(np.float32).ravel()


def _clipped_cells(frame_rgb: np.ndarray, window: crop.Window) -> np.ndarray:
    """Mean colours of a grid; the border of the frame continues outside of it."""
    height, width = frame_rgb.shape[:2]
    left, top = round(window.left + 0.5), round(window.top + 0.5)
    size = round(window.size)
    x0, x1 = np.clip((left, left + size), 0, width)
    y0, y1 = np.clip((top, top + size), 0, height)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((COLOUR_GRID, COLOUR_GRID, 3), np.float32)
    part = frame_rgb[y0:y1, x0:x1]
    side = 8 * COLOUR_GRID
    new = [max(1, round((b - a) / size * side)) for a, b in ((x0, x1), (y0, y1))]
    part = cv2.resize(part, new, interpolation=cv2.INTER_AREA)
    above, before = (round((a - b) / size * side) for a, b in ((y0, top), (x0, left)))
    below = max(0, side - above - part.shape[0])
    after = max(0, side - before - part.shape[1])
    part = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_REPLICATE)
    grid = (COLOUR_GRID, COLOUR_GRID)
    return cv2.resize(part, grid, interpolation=cv2.INTER_AREA).astype(np.float32)


def describe(frame_rgb: np.ndarray, face: Face) -> np.ndarray:
    """Describes a face by its projected features.

    Args:
      frame_rgb: uint8 (H, W, 3) RGB.
      face: Prediction for this frame. Its landmarks should not be smoothed.

    Returns:
      float32 (C,): the vectors of shape, grey face and colours, one after the other.
    """
    learned = projections()
    features = features_of(frame_rgb, face, learned.reference)
    parts = [
        (getattr(features, field.name) - mean) @ basis
        for field, mean, basis in zip(
            dataclasses.fields(features), learned.means, learned.bases, strict=True
        )
    ]
    return np.concatenate(parts)


class Template:
    """Mean description of a person over several frames.

    Attributes:
      count: Sum of the weights of all added descriptions.
    """

    def __init__(self) -> None:
        self.count = 0.0
        self._sum = np.zeros(0, np.float64)

    @property
    def mean(self) -> np.ndarray:
        """Mean description, float64 (C,). Only if `count` is above 0."""
        return self._sum / self.count

    def add(self, description: np.ndarray, weight: float = 1.0) -> None:
        """Adds the description of a frame."""
        weighted = weight * description.astype(np.float64)
        self._sum = weighted if self.count == 0 else self._sum + weighted
        self.count += weight

    def merge(self, other: Template) -> None:
        """Adds all descriptions of another template of the same person."""
        if other.count:
            self._sum = self._sum + other._sum if self.count else other._sum.copy()
            self.count += other.count


def common_part(templates: Iterable[Template]) -> np.ndarray | float:
    """Returns what the people of a video have in common, float64 (C,).

    It is subtracted before people are compared. People in the same light, or people
    unlike those of the training data, all look alike otherwise.
    """
    means = [template.mean for template in templates if template.count]
    return np.sum(means, axis=0) / (len(means) + UNKNOWN_PEOPLE)


def log_odds(first: Template, second: Template, common: np.ndarray | float) -> float:
    """Returns the log odds that two templates show the same person.

    The odds are for two people of one video, who are as likely to be the same person as
    not. They are 0 if a template is empty.

    Args:
      first: A template.
      second: Another template.
      common: Result of `common_part` for all people of the video.
    """
    if not first.count or not second.count:
        return 0.0
    learned = projections()
    ends = np.cumsum([basis.shape[1] for basis in learned.bases])[:-1]
    similarities = [
        float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9)
        for a, b in zip(
            np.split(first.mean - common, ends),
            np.split(second.mean - common, ends),
            strict=True,
        )
    ]
    return float(np.dot(learned.weights, (*similarities, 1.0)))
