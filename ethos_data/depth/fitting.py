"""Fits a linear face model to 68 noisy landmarks in 3D.

The fit estimates scale, rotation, translation, perspective and the coefficients of the
linear model, whose prior is a standard normal distribution. It also estimates the noise
of the landmarks (evidence framework of MacKay, 1992). Exact landmarks are therefore
reproduced almost exactly, and the noisy landmarks of a network are smoothed towards a
plausible face.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data.depth import posterior

FLIP: Final = np.array([1.0, -1.0, 1.0])
"""Converts between the image (y down) and the model's frame (y up, right-handed)."""

Z_NOISE: Final = 1.5
"""Standard deviation of the noise of z, divided by that of x and y.

On 241 real faces whose z comes from a network, the residuals of z were about as large
as those of x and y at well-defined landmarks and up to three times as large at the
jaw."""

PERSPECTIVE: Final = (0.1, 0.07)
"""Mean and standard deviation of the face size divided by the distance to the camera.

The mean corresponds to a distance of 1.4 m, and one standard deviation more to 0.8 m.
Estimating the perspective reduced the depth error for exact landmarks in a perspective
view from 0.74 to 0.52 % of the face size."""
_PERSPECTIVE_LIMIT: Final = (0.0, 0.4)

_STEPS: Final = 3
"""Number of Gauss-Newton steps. More steps changed the error by less than 0.01 % of the
face size."""

_FIRST_NOISE: Final = 0.015
"""First estimate of the noise: standard deviation in face sizes."""

_LEAST_NOISE: Final = 0.0015
"""Smallest estimate of the noise, in face sizes: the error of the linear model."""


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """A fitted face. Lengths have the unit of the fitted landmarks.

    Attributes:
      scale: Length of one unit of the model. The unit is the size of the mean face.
      rotation: (3, 3), from the model to the camera, both with y up and z towards the
        viewer.
      translation: (3,), the model's origin in the camera's frame, y up.
      perspective: 1 / distance from the camera to the model's origin.
      coefficients: (K,), standard normal over people.
      noise: Estimated standard deviation of x and y of the landmarks, in face sizes. It
        is large if the landmarks do not form a face.
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray
    perspective: float
    coefficients: np.ndarray
    noise: float

    def project(self, shape: np.ndarray) -> np.ndarray:
        """Converts points of the model to the frame of the fitted landmarks.

        z is not affected by the perspective, as in the corpus. Only x and y become
        smaller with distance.

        Args:
          shape: (N, 3), points in the model's frame.

        Returns:
          (N, 3), y down, in the unit of the fitted landmarks.
        """
        # Rows of x, y and z are faster than points, and keep the model's dtype.
        x, y, z = (self.scale * self.rotation).astype(shape.dtype) @ shape.T
        enlarged = 1 / (1 - self.perspective * z)
        points = np.empty_like(shape)
        points[:, 0] = self.translation[0] + enlarged * x
        points[:, 1] = -self.translation[1] - enlarged * y
        points[:, 2] = self.translation[2] + z
        return points


def fit(
    landmarks: np.ndarray,
    mean: np.ndarray,
    basis: np.ndarray,
    z_noise: float = Z_NOISE,
) -> Face:
    """Fits a linear shape model to 68 landmarks of any unit and position.

    Args:
      landmarks: (68, 3), finite. x right, y down, larger z is nearer, all in one unit.
      mean: float64 (68, 3), the model's mean landmarks. y up, z towards the viewer.
      basis: float64 (K, 68, 3), displacements per standard deviation.
      z_noise: Standard deviation of the noise of z, divided by that of x and y.

    Raises:
      ValueError: All landmarks are at the same point.
    """
    observed = np.asarray(landmarks, np.float64) * FLIP
    size, rotation, translation = similarity(mean, observed, np.ones(len(mean)))
    # Convert to the model's unit and the camera's axes, with rows x, y and z.
    observed = np.ascontiguousarray((observed - translation).T / size)
    scale, rotation, shift, perspective, coefficients, noise = posterior.search(
        observed,
        np.ascontiguousarray(mean.T),
        np.ascontiguousarray(basis.transpose(0, 2, 1)),
        rotation,
        PERSPECTIVE,
        _PERSPECTIVE_LIMIT,
        np.array([1.0, 1.0, 1 / z_noise]),
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
    """Computes the least-squares similarity between two point sets (Umeyama, 1991).

    Args:
      source: (N, 3).
      target: (N, 3).
      weights: (N,), not negative.

    Returns:
      scale, rotation (3, 3) and translation (3,), with
      target ~ scale * rotation @ source + translation.

    Raises:
      ValueError: All points of one set are at the same point.
    """
    weights = np.asarray(weights, np.float64) / np.sum(weights)
    source_mean, target_mean = weights @ source, weights @ target
    a, b = source - source_mean, target - target_mean
    u, strength, vt = np.linalg.svd((b * weights[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    spread = weights @ (a**2).sum(axis=1)
    if not (spread > 0 and strength[0] > 0):
        raise ValueError("The landmarks must not all be at the same point.")
    rotation = (u * sign) @ vt
    scale = float((strength * sign).sum() / spread)
    return scale, rotation, target_mean - scale * rotation @ source_mean
