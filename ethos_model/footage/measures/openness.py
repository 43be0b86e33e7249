"""Openness of the eyes and of the mouth, from 0 (closed) to 1 (wide open).

The openness is the distance between the lids (or lips) along the vertical axis of the
head, divided by a length of the same face:

* Eye: mean of the upper two lid landmarks minus mean of the lower two, divided by the
  mean width of both eyes (from corner to corner), divided by `WIDE_EYE`.
* Mouth: mean of the three upper inner lip landmarks minus mean of the three lower ones,
  divided by the distance of the outer eye corners, divided by `WIDE_MOUTH`.

Without the last divisor, the value of an eye is the eye aspect ratio of Soukupová and
Čech (2016), but independent of the pose: the distance is measured in the frame, and the
fitted head gives its foreshortening, the scale and the lengths to divide by. z of the
landmarks is not used, because its errors are larger than an eye.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_model.footage.measures.fitting import HeadFit

WIDE_EYE: Final = 0.42
"""Eye aspect ratio of a wide open eye: mean of the mean ICT-FaceKit head (0.40) and the
built-in head (0.44) with the expression eyeWide = 1. A neutral eye has 0.31, which is
an openness of 0.74."""

WIDE_MOUTH: Final = 0.33
"""Gap between the lips over the distance of the outer eye corners with the expression
jawOpen = 1, in both head models (0.33 and 0.32)."""

SIGMA_FACTOR: Final = {"eye": 0.93, "mouth": 1.19}
"""Factors on the standard deviations that follow from independent errors of the
landmarks. With these factors, 68 % of the errors on rendered heads are within one
standard deviation: `python -m benchmarks.measures --head_model
ict_facekit_light.npz --seed 1 --calibrate`."""


@dataclasses.dataclass(frozen=True)
class _Gap:
    """Landmarks above and below an opening.

    Attributes:
      above: Indices of the upper landmarks.
      below: Indices of the lower landmarks.
      slant: How far the upper edge moves towards the viewer when the opening becomes
        one unit higher, in the head frame. Lids turn about the eye, and the jaw about
        a joint near the ear (measured on both head models).
    """

    above: tuple[int, ...]
    below: tuple[int, ...]
    slant: float


_RIGHT_EYE: Final = _Gap((37, 38), (41, 40), 0.1)
_LEFT_EYE: Final = _Gap((43, 44), (47, 46), 0.1)
_MOUTH: Final = _Gap((61, 62, 63), (67, 66, 65), 0.6)
_EYE_CORNERS: Final = ((36, 39), (42, 45))


@dataclasses.dataclass(frozen=True)
class Openness:
    """Openness of the eyes and the mouth, each from 0 to 1.

    Attributes:
      right_eye: Openness of the person's right eye.
      left_eye: Openness of the person's left eye.
      mouth: Openness of the mouth.
      right_eye_sigma: Standard deviation of `right_eye`.
      left_eye_sigma: Standard deviation of `left_eye`.
      mouth_sigma: Standard deviation of `mouth`.
    """

    right_eye: float
    left_eye: float
    mouth: float
    right_eye_sigma: float
    left_eye_sigma: float
    mouth_sigma: float


def measure_openness(
    landmarks: np.ndarray, uncertainty: np.ndarray, fitted: HeadFit
) -> Openness:
    """Measures the openness of eyes and mouth.

    Args:
      landmarks: (68, 2) or (68, 3), x and y in source pixels.
      uncertainty: (68,), standard deviation of x and of y, in source pixels.
      fitted: Head that was fitted to these landmarks.
    """
    xy = np.asarray(landmarks, np.float64)[:, :2]
    sigma = np.asarray(uncertainty, np.float64)
    eye, mouth = _wide(fitted.landmarks)
    right, right_sigma = _open(_RIGHT_EYE, xy, sigma, fitted, eye)
    left, left_sigma = _open(_LEFT_EYE, xy, sigma, fitted, eye)
    lips, lips_sigma = _open(_MOUTH, xy, sigma, fitted, mouth)
    return Openness(
        right_eye=right,
        left_eye=left,
        mouth=lips,
        right_eye_sigma=SIGMA_FACTOR["eye"] * right_sigma,
        left_eye_sigma=SIGMA_FACTOR["eye"] * left_sigma,
        mouth_sigma=SIGMA_FACTOR["mouth"] * lips_sigma,
    )


def exact_openness(points: np.ndarray) -> tuple[float, float, float]:
    """Openness of a head whose landmarks are known in the head frame.

    The head models of `ethos_data.heads` give such landmarks. Benchmarks and tests use
    this function as the truth.

    Args:
      points: (68, 3), x to the viewer's right, y up, z towards the viewer.

    Returns:
      Openness of the right eye, the left eye and the mouth. It is not limited to 0..1.
    """
    eye, mouth = _wide(points)
    heights = [
        (points[list(gap.above)].mean(axis=0) - points[list(gap.below)].mean(axis=0))[1]
        for gap in (_RIGHT_EYE, _LEFT_EYE, _MOUTH)
    ]
    right, left, lips = heights[0] / eye, heights[1] / eye, heights[2] / mouth
    return float(right), float(left), float(lips)


def _wide(points: np.ndarray) -> tuple[float, float]:
    """Heights of a wide open eye and of a wide open mouth for a face (68, 3)."""
    right, left, outer = (
        float(np.linalg.norm(points[i] - points[j]))
        for i, j in (*_EYE_CORNERS, topology.OUTER_EYE_CORNERS)
    )
    return WIDE_EYE * (right + left) / 2, WIDE_MOUTH * outer


def _open(
    gap: _Gap, xy: np.ndarray, sigma: np.ndarray, fitted: HeadFit, wide: float
) -> tuple[float, float]:
    """Openness of a gap and its standard deviation.

    Args:
      gap: Landmarks of the gap.
      xy: (68, 2), in source pixels.
      sigma: (68,), in source pixels.
      fitted: Fitted head.
      wide: Height of the wide open gap, in units of the head frame.
    """
    above, below = list(gap.above), list(gap.below)
    observed = (xy[above].mean(axis=0) - xy[below].mean(axis=0)) * (1, -1)
    scale = wide * fitted.pixels_per_unit(np.array(above + below))
    # Where a gap of height 1 ends in the image, without scale. The height is the
    # least-squares factor of this vector.
    upwards = (fitted.rotation @ np.array([0.0, 1.0, gap.slant]))[:2]
    length = max(float(upwards @ upwards), 0.01)
    value = float(observed @ upwards) / length / scale
    variance = (sigma[above] ** 2).mean() / len(above)
    variance += (sigma[below] ** 2).mean() / len(below)
    deviation = float(np.sqrt(variance / length)) / scale
    return float(np.clip(value, 0, 1)), deviation
