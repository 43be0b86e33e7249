"""What a face was like before anything was done to it: pose, size, light, sharpness.

These properties sort the frames of a split into slices, so that a report can say where
a model is weak without any synthetic degradation.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_model.evaluation.samples import Sample

_JUDGED_SIZE: Final = 112
"""Side in pixels of the picture whose sharpness is measured: the same for all faces, so
that a small face counts as blurred, which is what it is for the network."""

SIZE_EDGES: Final = (0.0, 40.0, 60.0, 80.0, 120.0, np.inf)
"""Source pixels. In the published corpus the median is 88, 41 % are under 80."""

YAW_EDGES: Final = (0.0, 15.0, 30.0, 45.0, np.inf)
"""Degrees."""

TAIL: Final = 10.0
"""Natural quality: the darkest, most blurred and smallest so many % of frames."""

_PAIRED: Final = np.array(
    [
        (i, j)
        for i, j in enumerate(topology.MIRROR)
        if i < j and i not in topology.GROUPS["jaw"]
    ]
)
"""Pairs of landmarks that face each other, the person's right one first. The jaw is
left out: its far side slides along the visible outline when the head turns."""


@dataclasses.dataclass(frozen=True)
class Slice:
    """Some frames of a split.

    Attributes:
      name: what they have in common, with units.
      chosen: bool (N,).
    """

    name: str
    chosen: np.ndarray


def yaw(landmarks: np.ndarray) -> np.ndarray:
    """How far heads are turned to the side, from their 3D landmarks alone.

    The vectors that join mirrored points (brows, eyes, nostrils, lips) all lie along
    the axis from the person's right to left. Their mean is that axis, its angle out of
    the picture plane is the yaw. No template of a face is needed.

    Args:
      landmarks: (..., 68, 3), z in the unit of x and y, larger = nearer.

    Returns:
      float64 (...), degrees in [-90, 90] for all but the backs of heads; positive = the
      person's left side, on the right of the picture, is nearer.
    """
    landmarks = np.asarray(landmarks, np.float64)
    right, left = _PAIRED.T
    axis = (landmarks[..., left, :] - landmarks[..., right, :]).mean(axis=-2)
    across = np.hypot(axis[..., 0], axis[..., 1])  # roll does not count as yaw
    return np.degrees(np.arctan2(axis[..., 2], across))


def brightness(sample: Sample) -> float:
    """Mean luma of the face box, 0 to 255."""
    face = _grey_face(sample)
    return float(face.mean())


def sharpness(sample: Sample) -> float:
    """Variance of the Laplacian of the face box over the variance of its luma.

    The plain variance of the Laplacian (Pech-Pacheco et al. 2000) also falls when the
    light falls; divided by the picture's own variance it does not, so that "dark" and
    "blurred" stay two things.
    """
    face = _grey_face(sample)
    return float(cv2.Laplacian(face, cv2.CV_32F).var() / max(face.var(), 1e-6))


def _grey_face(sample: Sample) -> np.ndarray:
    """Luma of the face box within the judged picture, float32."""
    grey = cv2.cvtColor(sample.network_image(_JUDGED_SIZE), cv2.COLOR_RGB2GRAY)
    box = topology.face_box(sample.landmarks) * _JUDGED_SIZE
    x0, y0, x1, y1 = np.clip(box.round().astype(int), 0, _JUDGED_SIZE)
    return grey[y0:y1, x0:x1].astype(np.float32)


def between(unit: str, values: np.ndarray, edges: tuple[float, ...]) -> list[Slice]:
    """Slices of frames whose value lies in [edge, next edge).

    Args:
      unit: as it follows a number, " px".
      values: (N,).
      edges: rising; the last may be infinite.
    """
    found = []
    for low, high in itertools.pairwise(edges):
        span = f"{low:g} to {high:g}{unit}"
        if np.isinf(high):
            span = f"{low:g}{unit} and more"
        found.append(Slice(span, (values >= low) & (values < high)))
    return found


def lowest(name: str, values: np.ndarray, percent: float = TAIL) -> Slice:
    """The slice of the lowest `percent` of the frames.

    Args:
      name: with `{percent}` and `{limit}`, the value where the slice ends.
      values: (N,).
      percent: how many frames.
    """
    limit = float(np.percentile(values, percent))
    shown = f"{limit:.0f}" if limit >= 10 else f"{limit:.2g}"
    return Slice(name.format(percent=f"{percent:g} %", limit=shown), values <= limit)
