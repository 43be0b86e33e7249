"""Fits a linear face model to 68 noisy landmarks in 3D, of one frame or of a video.

The fit estimates scale, rotation, translation, camera and the coefficients of the
linear model, whose prior is a standard normal distribution. It also estimates the noise
of the landmarks (evidence framework of MacKay, 1992). Exact landmarks are therefore
reproduced almost exactly, and the noisy landmarks of a network are smoothed towards a
plausible face.

The frames of a video show one person, so `fit_video` estimates one shape for all of
them, and pose, camera and expression for each frame.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import cv2
import numpy as np

from ethos_data import crop
from ethos_data.depth import posterior
from ethos_data.depth.shared import search_frames, search_shared
from ethos_data.depth.smoothing import smooth

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

SHEAR: Final = 0.1
"""Standard deviation of the shear: x / z of a face that the camera does not look at
directly. Also that of the logarithm of the depth scale.

They describe cameras at a distance of less than a metre. They reduced the depth error
of single frames of rendered clips from 0.99 to 0.48 % of the face size for exact
landmarks, and from 1.60 to 1.13 % for noisy landmarks."""

_CAMERA: Final = np.array(
    [[PERSPECTIVE[0], 0.0, 0.0, 0.0], [PERSPECTIVE[1], SHEAR, SHEAR, SHEAR]]
)

_STEPS: Final = 3
"""Number of Gauss-Newton steps. More steps changed the error by less than 0.01 % of the
face size."""

_VIDEO_STEPS: Final = 2
"""Number of steps for the shape of a video, and then for each frame with this shape."""

SHAPE_FRAMES: Final = 8
"""Maximum number of frames, evenly spaced, from which the shape of a video is
estimated. With 12 instead of 8, the depth error of rendered clips changed by less than
0.03 % of the face size. Frames with bad landmarks have little weight."""

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
      shear: (2,), movement of x and y per z, because the camera does not look directly
        at the face.
      depth_scale: Unit of z, divided by that of x and y.
      coefficients: (K,), standard normal over people.
      noise: Estimated standard deviation of x and y of the landmarks, in face sizes. It
        is large if the landmarks do not form a face.
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray
    perspective: float
    shear: np.ndarray
    depth_scale: float
    coefficients: np.ndarray
    noise: float

    def inside(self, window: crop.Window) -> Face:
        """Converts a face in source pixels to the normalised frame of a window.

        z keeps its origin.
        """
        corner = np.array([window.left, window.top, 0.0]) * FLIP
        return dataclasses.replace(
            self,
            scale=self.scale / window.size,
            translation=(self.translation - corner) / window.size,
            perspective=self.perspective * window.size,
        )

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
        points[:, 0] = self.translation[0] + enlarged * (x + float(self.shear[0]) * z)
        points[:, 1] = -self.translation[1] - enlarged * (y + float(self.shear[1]) * z)
        points[:, 2] = self.translation[2] + self.depth_scale * z
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
    state, _ = posterior.search(
        # Convert to the model's unit and the camera's axes, with rows x, y and z.
        np.ascontiguousarray((observed - translation).T / size),
        np.ascontiguousarray(mean.T),
        np.ascontiguousarray(basis.transpose(0, 2, 1)),
        np.ones(len(basis)),
        (1.0, rotation, np.zeros(3), _CAMERA[0], np.zeros(len(basis)), _FIRST_NOISE),
        _CAMERA,
        _PERSPECTIVE_LIMIT,
        _trust(z_noise),
        _LEAST_NOISE,
        _STEPS,
    )
    return _face(state, float(size), translation)


def fit_video(
    landmarks: np.ndarray,
    mean: np.ndarray,
    basis: np.ndarray,
    frame_share: np.ndarray,
) -> list[Face]:
    """Fits a linear shape model to the landmarks of one person in T frames.

    First the shape of the person is estimated from some frames together, then pose,
    camera and expression of each frame. These are smoothed over time as far as they are
    noisy.

    Args:
      landmarks: (T, 68, 3), finite, as in `fit`, in order of time. All frames have the
        same frame of reference, for example source pixels.
      mean: float64 (68, 3), as in `fit`.
      basis: float64 (K, 68, 3), as in `fit`.
      frame_share: float (K,), share of each coefficient's variance that is due to
        differences between the frames of a person. Zeros come first.

    Returns:
      The face in each frame. The coefficients whose share is 0 are equal in all faces.

    Raises:
      ValueError: In a frame, all landmarks are at the same point.
    """
    observed = np.asarray(landmarks, np.float64) * FLIP
    rows = np.ascontiguousarray(basis.transpose(0, 2, 1))
    common = _shared_shape(observed, mean, rows, frame_share)
    moving = frame_share > 0
    shape = mean + np.tensordot(common, basis, 1)
    normalized, sizes, rotations, translations = _normalized(observed, shape)
    scales, rotations, shifts, cameras, expressions, noises, variances = search_frames(
        normalized,
        np.ascontiguousarray(shape.T),
        rows[moving],
        frame_share[moving].astype(np.float64),
        rotations,
        *_settings(),
    )
    # Convert to the unit of the landmarks, which all frames share.
    scales, shifts = scales * sizes, translations + sizes[:, None] * shifts
    cameras[:, 0] /= sizes
    variances[:, posterior.SHIFT : posterior.CAMERA] *= sizes[:, None] ** 2
    variances[:, posterior.CAMERA] /= sizes**2
    series = (scales, rotations, shifts, cameras, expressions)
    scales, rotations, shifts, cameras, expressions = _smoothed(*series, variances)
    coefficients = np.tile(common, (len(observed), 1))
    coefficients[:, moving] += expressions
    states = zip(scales, rotations, shifts, cameras, coefficients, noises, strict=True)
    return [_face(state, 1.0, np.zeros(3)) for state in states]


def _shared_shape(
    observed: np.ndarray, mean: np.ndarray, rows: np.ndarray, frame_share: np.ndarray
) -> np.ndarray:
    """Estimates the coefficients (K,) of a person from evenly spaced frames."""
    count = min(len(observed), SHAPE_FRAMES)
    chosen = observed[np.linspace(0, len(observed) - 1, count).round().astype(int)]
    normalized, _, rotations, _ = _normalized(chosen, mean)
    return search_shared(
        normalized,
        np.ascontiguousarray(mean.T),
        rows,
        np.stack([1 - frame_share, frame_share]).astype(np.float64),
        rotations,
        *_settings(),
    )


def _settings() -> tuple[Any, ...]:
    """The last arguments of `search_shared` and `search_frames`."""
    noises = (_FIRST_NOISE, _LEAST_NOISE)
    return _CAMERA, _PERSPECTIVE_LIMIT, _trust(Z_NOISE), noises, _VIDEO_STEPS


def _normalized(
    observed: np.ndarray, shape: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Converts the landmarks of frames to the unit of a shape.

    Args:
      observed: (T, 68, 3), y up.
      shape: (68, 3).

    Returns:
      Rows x, y and z of each frame, (T, 3, 68), on the axes of the camera; the unit
      (T,), the rotation (T, 3, 3) and the origin (T, 3) of each frame.
    """
    sizes, rotations, origins = similarity(shape, observed, np.ones(len(shape)))
    points = (observed - origins[:, None]) / sizes[:, None, None]
    rows = np.ascontiguousarray(points.transpose(0, 2, 1))
    return rows, sizes, np.ascontiguousarray(rotations), origins


def _smoothed(
    scales: np.ndarray,
    rotations: np.ndarray,
    shifts: np.ndarray,
    cameras: np.ndarray,
    expressions: np.ndarray,
    variances: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Smooths the pose, the camera and the expression of T frames over time.

    Args:
      scales, rotations, shifts, cameras, expressions, variances: Results of
        `search_frames`, in the unit of the landmarks.

    Returns:
      The first five arguments, smoothed.
    """
    left, _, right = np.linalg.svd(rotations.mean(axis=0))
    middle = left @ right
    turns = [cv2.Rodrigues(rotation @ middle.T)[0].ravel() for rotation in rotations]
    # The order is that of the unknowns of a frame.
    series = [np.log(scales)[:, None], np.stack(turns), shifts, cameras, expressions]
    smoothed = smooth(np.concatenate(series, axis=1), variances)
    parts = np.split(smoothed, np.cumsum([part.shape[1] for part in series])[:-1], 1)
    scale, turn, shift, camera, expression = parts
    rotation = np.stack([cv2.Rodrigues(vector)[0] @ middle for vector in turn])
    return np.exp(scale[:, 0]), rotation, shift, camera, expression


def _face(state: posterior.State, size: float, translation: np.ndarray) -> Face:
    """Converts a result to the unit and the origin of the landmarks.

    Args:
      state: Result of `posterior.search`.
      size: Unit of the result, in the unit of the landmarks.
      translation: (3,), origin of the result.
    """
    scale, rotation, shift, camera, coefficients, noise = state
    return Face(
        scale=float(size * scale),
        rotation=rotation,
        translation=translation + size * shift,
        perspective=float(camera[0] / size),
        shear=camera[1:3],
        depth_scale=float(np.exp(camera[3])),
        coefficients=coefficients,
        noise=float(noise),
    )


def _trust(z_noise: float) -> np.ndarray:
    """Factors (3,) of the residuals of x, y and z."""
    return np.array([1.0, 1.0, 1 / z_noise])


def similarity(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes the least-squares similarity between point sets (Umeyama, 1991).

    Args:
      source: (N, 3).
      target: (..., N, 3), one or several point sets.
      weights: (N,), not negative.

    Returns:
      scale (...), rotation (..., 3, 3) and translation (..., 3), with
      target ~ scale * rotation @ source + translation.

    Raises:
      ValueError: All points of one set are at the same point.
    """
    weights = np.asarray(weights, np.float64) / np.sum(weights)
    source_mean, target_mean = weights @ source, weights @ target
    a, b = source - source_mean, target - target_mean[..., None, :]
    u, strength, vt = np.linalg.svd(np.swapaxes(b * weights[:, None], -1, -2) @ a)
    sign = np.ones_like(strength)
    sign[..., 2] = np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)
    spread = weights @ (a**2).sum(axis=1)
    if not (spread > 0 and (strength[..., 0] > 0).all()):
        raise ValueError("The landmarks must not all be at the same point.")
    rotation = (u * sign[..., None, :]) @ vt
    scale = (strength * sign).sum(axis=-1) / spread
    moved = scale[..., None] * (rotation @ source_mean)
    return scale, rotation, target_mean - moved
