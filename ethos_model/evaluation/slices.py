"""Properties of undegraded faces: pose, size, brightness and sharpness.

They divide the frames of a split into slices, so that a report shows for which faces a
model is weak, without any synthetic degradation.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_model.evaluation.samples import Sample

_MEASURED_SIZE: Final = 112
"""Side in pixels of the image whose brightness and sharpness are measured. It is the
same for all faces, so a small face counts as blurred, as it is for the network."""

SIZE_EDGES: Final = (0.0, 40.0, 60.0, 80.0, 120.0, np.inf)
"""Edges of the slices by face size, in source pixels. In the YouTube Faces corpus the
median is 88, and 41 % of the faces are below 80."""

YAW_EDGES: Final = (0.0, 15.0, 30.0, 45.0, np.inf)
"""Edges of the slices by yaw, in degrees."""

TAIL: Final = 10.0
"""Share of frames in the slices of natural quality (darkest, most blurred, smallest),
in %."""

_PAIRED: Final = np.array(
    [
        (i, j)
        for i, j in enumerate(topology.MIRROR)
        if i < j and i not in topology.GROUPS["jaw"]
    ]
)
"""Pairs of symmetric landmarks, the person's right one first. The jaw is left out: when
the head turns, its far side is labelled on the visible outline of the face."""


@dataclasses.dataclass(frozen=True)
class Slice:
    """A subset of the frames of a split.

    Attributes:
      name: Property that the frames share, with its unit.
      mask: bool (N,), whether each frame belongs to the slice.
    """

    name: str
    mask: np.ndarray


def yaw(landmarks: np.ndarray) -> np.ndarray:
    """Yaw of heads, computed from their 3D landmarks only.

    The vectors between symmetric landmarks (brows, eyes, nostrils, lips) all point from
    the person's right to left. Yaw is the angle between their mean and the image plane.
    No face template is needed.

    Args:
      landmarks: (..., 68, 3), z in the unit of x and y, larger is nearer.

    Returns:
      float64 (...), degrees in [-90, 90]. Positive if the person's left side, on the
      right of the image, is nearer to the camera.
    """
    landmarks = np.asarray(landmarks, np.float64)
    right, left = _PAIRED.T
    axis = (landmarks[..., left, :] - landmarks[..., right, :]).mean(axis=-2)
    across = np.hypot(axis[..., 0], axis[..., 1])  # Roll does not change this length.
    return np.degrees(np.arctan2(axis[..., 2], across))


def brightness(sample: Sample) -> float:
    """Mean luma of the face box, from 0 to 255."""
    face = _grey_face(sample)
    return float(face.mean())


def sharpness(sample: Sample) -> float:
    """Variance of the Laplacian of the face box divided by the variance of its luma.

    The variance of the Laplacian (Pech-Pacheco et al. 2000) also decreases with the
    amount of light. The ratio does not, so dark faces do not count as blurred.
    """
    face = _grey_face(sample)
    return float(cv2.Laplacian(face, cv2.CV_32F).var() / max(face.var(), 1e-6))


def _grey_face(sample: Sample) -> np.ndarray:
    """Luma of the face box at the measured size: float32 (h, w), 0 to 255."""
    grey = cv2.cvtColor(sample.network_image(_MEASURED_SIZE), cv2.COLOR_RGB2GRAY)
    box = topology.face_box(sample.landmarks) * _MEASURED_SIZE
    x0, y0, x1, y1 = np.clip(box.round().astype(int), 0, _MEASURED_SIZE)
    return grey[y0:y1, x0:x1].astype(np.float32)


def between(unit: str, values: np.ndarray, edges: tuple[float, ...]) -> list[Slice]:
    """Slices of frames whose value is in [edge, next edge).

    Args:
      unit: Unit as it follows a number in the name, for example " px".
      values: (N,), one value per frame.
      edges: Increasing values. The last may be infinite.
    """
    slices = []
    for low, high in itertools.pairwise(edges):
        name = f"{low:g} to {high:g}{unit}"
        if np.isinf(high):
            name = f"{low:g}{unit} and more"
        slices.append(Slice(name, (values >= low) & (values < high)))
    return slices


def lowest(name: str, values: np.ndarray, percent: float = TAIL) -> Slice:
    """The slice of the frames with the lowest values.

    Args:
      name: Name with the placeholders `{percent}` and `{limit}`, the highest value in
        the slice.
      values: (N,), one value per frame.
      percent: Share of the frames, in %.
    """
    limit = float(np.percentile(values, percent))
    text = f"{limit:.0f}" if limit >= 10 else f"{limit:.2g}"
    return Slice(name.format(percent=f"{percent:g} %", limit=text), values <= limit)
