"""Estimates missing landmarks and missing z with the depth prior.

Labels made by hand have no z, and some have no position for covered landmarks. The
linear face model of `depth.prior` is fitted to the coordinates that are known. The
fitted face gives the others.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np

from ethos_data.depth import fitting, prior
from ethos_data.topology import NUM_LANDMARKS

MIN_KNOWN: Final = 20
"""Smallest number of landmarks with a label that determine a face."""

_Z_UNKNOWN: Final = 1000.0
"""Noise of a missing z, in noises of x and y. z then has no influence on the shape, and
the position of the face along z is still determined."""

_REPEATS: Final = 2
"""Number of fits without z. Each begins with the z of the fit before it."""


@functools.lru_cache(maxsize=1)
def _model() -> tuple[np.ndarray, np.ndarray]:
    """Returns mean (68, 3) and basis (K, 68, 3) of the landmarks, float64."""
    model = prior.shipped()
    mean, basis = model.mean[:NUM_LANDMARKS], model.basis[:, :NUM_LANDMARKS]
    return mean.astype(np.float64), basis.astype(np.float64)


def complete(landmarks: np.ndarray, known: np.ndarray, has_z: np.ndarray) -> np.ndarray:
    """Estimates what is missing in landmarks.

    Example:
      landmarks = complete(video.landmarks, video.visible > 0, video.has_z)

    Args:
      landmarks: float (T, 68, 3), in any unit. x right, y down, larger z is nearer.
      known: bool (T, 68), where x and y are labels.
      has_z: bool (T,), whether z of the known landmarks is a label.

    Returns:
      float64 (T, 68, 3), in the unit of `landmarks`. Labels are not changed. Without
      labels, z is relative to an arbitrary origin. All values of a frame with fewer
      than MIN_KNOWN labels are NaN.
    """
    result = np.array(landmarks, np.float64)
    for frame, (points, mask) in enumerate(zip(result, known, strict=True)):
        if mask.all() and has_z[frame]:
            continue
        if np.count_nonzero(mask) < MIN_KNOWN:
            points[:] = np.nan
            continue
        try:
            fitted = _fitted(points, mask, bool(has_z[frame]))
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            points[:] = np.nan  # all landmarks are at the same point or on one line
            continue
        points[~mask] = fitted[~mask]
        if not has_z[frame]:
            points[:, 2] = fitted[:, 2]
    return result


def _fitted(points: np.ndarray, known: np.ndarray, has_z: bool) -> np.ndarray:
    """Returns the landmarks of the fitted face, float64 (68, 3)."""
    mean, basis = _model()
    observed = points[known].copy()
    if has_z:
        face = fitting.fit(observed, mean[known], basis[:, known])
    else:
        observed[:, 2] = _first_z(observed[:, :2], mean[known])
        for _ in range(_REPEATS):
            face = fitting.fit(observed, mean[known], basis[:, known], _Z_UNKNOWN)
            shape = mean + np.tensordot(face.coefficients, basis, 1)
            observed[:, 2] = face.project(shape)[known, 2]
    return face.project(mean + np.tensordot(face.coefficients, basis, 1))


def _first_z(xy: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Estimates z from the pose of the mean face.

    The affine map from the mean face to the image is the first two rows of a scaled
    rotation, without perspective (POS; DeMenthon and Davis, 1995). The third row is
    perpendicular to them.

    Args:
      xy: (N, 2), y down.
      mean: (N, 3), y up.

    Returns:
      (N,), in the unit of `xy`, larger is nearer.
    """
    shape = mean - mean.mean(axis=0)
    image = (xy - xy.mean(axis=0)) * fitting.FLIP[:2]
    affine = np.linalg.lstsq(shape, image, rcond=None)[0].T
    left, strength, right = np.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    return strength.mean() * shape @ np.cross(rows[0], rows[1])
