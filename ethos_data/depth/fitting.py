"""The most probable face behind 68 noisy 3D points, by Gauss-Newton steps.

The unknowns: scale, rotation, translation, perspective, and the coefficients of a
linear shape model, which are standard normal. How much the points are trusted is not a
constant: the noise is estimated along with the face (the evidence framework of MacKay,
1992), so that exact points are met almost exactly, while the points of a landmark
network are smoothed towards a face that exists.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data.depth import posterior

FLIP: Final = np.array([1.0, -1.0, 1.0])
"""Image (y down) to the model's right-handed frame (y up, z towards the viewer)."""

Z_NOISE: Final = 1.5
"""Standard deviation of the noise of z over that of x and y. On 241 real faces whose z
comes from a network the residuals of z were about as large as those of x and y where
the points are well defined, and up to three times as large on the jaw."""

PERSPECTIVE: Final = (0.1, 0.07)
"""Mean and standard deviation of face size / distance to the camera: 1.4 m, with 0.8 m
and far away one deviation apart. Modelling it took the error of exact points in a
perspective view from 0.74 to 0.52 % of face size."""
_PERSPECTIVE_LIMIT: Final = (0.0, 0.4)

_STEPS: Final = 3
"""More than three changed the error by less than 0.01 % of face size."""
_FIRST_NOISE: Final = 0.015
_LEAST_NOISE: Final = 0.0015
"""Standard deviations in face sizes: where the estimate starts, and what the linear
model itself leaves unexplained."""


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """A fitted face. Lengths in the unit of the points that were fitted.

    Attributes:
      scale: length of one unit of the model, which is the mean face's size.
      rotation: (3, 3), model to camera; both with y up and z towards the viewer.
      translation: (3,) of the model's origin in the camera's frame, y up.
      perspective: 1 over the distance from the camera to the model's origin.
      coefficients: (K,), standard normal in the population.
      noise: estimated standard deviation of the points' x and y, in face sizes. Large
        where the points do not form a face.
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray
    perspective: float
    coefficients: np.ndarray
    noise: float

    def project(self, shape: np.ndarray) -> np.ndarray:
        """Points (N, 3) of the model to the frame of the fitted points, y down.

        z keeps its length, as in the corpus; only x and y shrink with distance.
        """
        # By rows of x, y, z, which is faster than by points, and in the model's dtype.
        x, y, z = (self.scale * self.rotation).astype(shape.dtype) @ shape.T
        enlarged = 1 / (1 - self.perspective * z)
        points = np.empty_like(shape)
        points[:, 0] = self.translation[0] + enlarged * x
        points[:, 1] = -self.translation[1] - enlarged * y
        points[:, 2] = self.translation[2] + z
        return points


def fit(landmarks: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> Face:
    """Fits a linear shape model to 68 points, whatever their unit and place.

    Args:
      landmarks: (68, 3) finite, x right, y down, z larger = nearer, one unit.
      mean: float64 (68, 3), the model's mean landmarks; y up, z towards the viewer.
      basis: float64 (K, 68, 3), displacements per standard deviation.

    Raises:
      ValueError: the points are all at one place.
    """
    observed = np.asarray(landmarks, np.float64) * FLIP
    size, rotation, translation = similarity(mean, observed, np.ones(len(mean)))
    # From here in the model's unit, in the camera's directions; x, y, z are rows.
    observed = np.ascontiguousarray((observed - translation).T / size)
    scale, rotation, shift, perspective, coefficients, noise = posterior.search(
        observed,
        np.ascontiguousarray(mean.T),
        np.ascontiguousarray(basis.transpose(0, 2, 1)),
        rotation,
        PERSPECTIVE,
        _PERSPECTIVE_LIMIT,
        np.array([1.0, 1.0, 1 / Z_NOISE]),
        _FIRST_NOISE,
        _LEAST_NOISE,
        _STEPS,
    )
    return Face(
        scale=float(size * scale),
        rotation=rotation,
        translation=translation + size * shift,
        perspective=float(perspective / size),
        coefficients=coefficients,
        noise=float(noise),
    )


def similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Least-squares similarity between point sets (Umeyama, 1991).

    Args:
      source: (N, 3).
      target: (N, 3).
      weights: (N,), not negative.

    Returns:
      scale, rotation (3, 3), translation (3,): target ~ scale * rotation @ source + t.

    Raises:
      ValueError: one of the sets is all at one place.
    """
    weights = np.asarray(weights, np.float64) / np.sum(weights)
    source_mean, target_mean = weights @ source, weights @ target
    a, b = source - source_mean, target - target_mean
    u, strength, vt = np.linalg.svd((b * weights[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    spread = weights @ (a**2).sum(axis=1)
    if not (spread > 0 and strength[0] > 0):
        raise ValueError("The points must not be all at one place.")
    rotation = (u * sign) @ vt
    scale = float((strength * sign).sum() / spread)
    return scale, rotation, target_mean - scale * rotation @ source_mean
