"""The learned prior: what faces look like between the 68 points.

A linear Gaussian model of a face's surface, learned from rendered heads by
`python -m ethos_data.fit_depth_prior`: the 68 landmarks and a regular grid of surface
points move together with K independent, standard normal coefficients. Given 68 noisy
points, the most probable pose and coefficients are found by Gauss-Newton steps on at
most 7 + K unknowns; the grid is then posed and drawn with a z-buffer.

How much the points are trusted is not a constant. The noise is estimated along with the
face (MacKay's evidence, 1992), so exact points are met almost exactly while the points
of a landmark network are smoothed towards a face that exists.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import os
import zipfile
from typing import Final

import numpy as np

from ethos_data import landmarks as topology
from ethos_data.depth import zbuffer
from ethos_data.errors import EthosError

_FLIP: Final = np.array([1.0, -1.0, 1.0])
"""Image (y down) to the model's right-handed frame (y up, z towards the viewer)."""

Z_NOISE: Final = 2.0
"""Standard deviation of the noise of z over that of x and y."""

_STEPS: Final = 6
_FIRST_NOISE: Final = 0.03
_LEAST_NOISE: Final = 0.0015
"""Standard deviations in face sizes: where the estimate starts, and what the linear
model itself leaves unexplained."""


class PriorError(EthosError):
    """A weights file that cannot be used."""

    def __init__(self, path: str | os.PathLike[str], reason: str):
        super().__init__(f"{os.fspath(path)}: {reason}")


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """The most probable face behind 68 points. Lengths in the unit of the points.

    Attributes:
      scale: of the model: one mean face size (sqrt of width x height) in that unit.
      rotation: (3, 3), model to camera; both with y up and z towards the viewer.
      translation: (3,) of the model's origin in the camera's frame, y up.
      coefficients: (K,), standard normal in the population.
      noise: estimated standard deviation of the points' x and y, in face sizes. Large
        where the points do not form a face.
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray
    coefficients: np.ndarray
    noise: float


@dataclasses.dataclass(frozen=True, eq=False)
class Prior:
    """Linear Gaussian model of the 68 points and of a grid of surface points.

    The unit of length is the mean face's size; y up, z towards the viewer.

    Attributes:
      mean: float32 (68 + rows * columns, 3): the landmarks, then the grid by rows.
      basis: float32 (K, 68 + rows * columns, 3), per standard deviation.
      grid: (rows, columns).
      trust: float32 (68,), 1 over the relative standard deviation of a landmark.
    """

    mean: np.ndarray
    basis: np.ndarray
    grid: tuple[int, int]
    trust: np.ndarray

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Prior:
        """Reads what `save` wrote.

        Raises:
          PriorError: the file is not a prior.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                mean = data["mean"].astype(np.float32)
                basis = data["basis"].astype(np.float32)
                rows, columns = (int(n) for n in data["grid"])
                trust = data["trust"].astype(np.float32)
        except KeyError as error:
            raise PriorError(path, f"no array {error.args[0]}") from error
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise PriorError(path, f"not a readable npz file ({error})") from error
        count = topology.NUM_LANDMARKS + rows * columns
        if mean.shape != (count, 3) or basis.shape[1:] != (count, 3):
            raise PriorError(path, f"mean and basis must hold {count} points")
        return Prior(mean, basis, (rows, columns), trust)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the prior; half precision is 0.05 % of a displacement."""
        np.savez_compressed(
            path,
            mean=self.mean.astype(np.float32),
            basis=self.basis.astype(np.float16),
            grid=np.array(self.grid, np.int32),
            trust=self.trust.astype(np.float32),
        )

    @functools.cached_property
    def triangles(self) -> np.ndarray:
        """int32 (T, 3) of the grid; the diagonals are mirrored at the middle column."""
        rows, columns = self.grid
        number = np.arange(rows * columns).reshape(rows, columns)
        a, b = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
        c, d = number[1:, :-1].ravel(), number[1:, 1:].ravel()
        left = np.tile(np.arange(columns - 1) < (columns - 1) / 2, rows - 1)[:, None]
        first = np.where(left, np.stack([a, b, c], 1), np.stack([a, b, d], 1))
        second = np.where(left, np.stack([b, d, c], 1), np.stack([a, d, c], 1))
        return np.concatenate([first, second]).astype(np.int32)

    def fit(self, landmarks: np.ndarray) -> Face:
        """Pose and coefficients of 68 points, whatever their unit and place.

        Args:
          landmarks: (68, 3) finite, x right, y down, z larger = nearer, one unit.

        Raises:
          ValueError: the points are all at one place.
        """
        count = topology.NUM_LANDMARKS
        observed = np.asarray(landmarks, np.float64) * _FLIP
        mean = self.mean[:count].astype(np.float64)
        basis = self._landmark_basis
        size, rotation, translation = similarity(mean, observed, self.trust**2)
        # From here in the model's unit, in the camera's directions.
        observed = (observed - translation) / size
        scale, shift = 1.0, np.zeros(3)
        trust = self.trust[:, None].astype(np.float64) * (1, 1, 1 / Z_NOISE)
        coefficients = np.zeros(len(basis))
        noise = _FIRST_NOISE
        jacobian = np.zeros((7 + len(basis), count, 3))
        prior = np.r_[np.zeros(7), np.ones(len(basis))]
        for _ in range(_STEPS):
            shape = mean + np.tensordot(coefficients, basis, 1)
            posed = scale * shape @ rotation.T
            residual = (observed - posed - shift) * trust
            jacobian[0] = posed
            for axis in range(3):
                # Turning about this axis: e x p.
                jacobian[1 + axis, :, axis - 2] = -posed[:, axis - 1]
                jacobian[1 + axis, :, axis - 1] = posed[:, axis - 2]
                jacobian[4 + axis, :, axis] = 1
            jacobian[7:] = basis @ (scale * rotation.T)
            weighted = (jacobian * trust).reshape(len(jacobian), -1) / noise
            normal = weighted @ weighted.T + np.diag(prior)
            gradient = weighted @ residual.ravel() / noise
            gradient[7:] -= coefficients
            covariance = np.linalg.inv(normal)
            step = covariance @ gradient
            scale *= np.exp(step[0])
            rotation = _turn(step[1:4]) @ rotation
            shift = shift + step[4:7]
            coefficients = coefficients + step[7:]
            # Residuals that a fit of this many effective unknowns leaves.
            left = residual.ravel() - noise * (step @ weighted)
            effective = 7 + (1 - np.diag(covariance)[7:]).sum()
            variance = (left @ left) / max(3 * count - effective, 1)
            noise = max(np.sqrt(variance), _LEAST_NOISE)
        return Face(
            scale=float(size * scale),
            rotation=rotation,
            translation=translation + size * shift,
            coefficients=coefficients,
            noise=float(noise),
        )

    @functools.cached_property
    def _landmark_basis(self) -> np.ndarray:
        return self.basis[:, : topology.NUM_LANDMARKS].astype(np.float64)

    @functools.cached_property
    def _flat_basis(self) -> np.ndarray:
        return self.basis.reshape(len(self.basis), -1)

    def points(self, face: Face) -> np.ndarray:
        """Landmarks and grid of a fitted face: (68 + rows * columns, 3), y down.

        In the unit and frame of the landmarks that were fitted.
        """
        shape = face.coefficients.astype(np.float32) @ self._flat_basis
        shape = self.mean + shape.reshape(-1, 3)
        turned = shape @ (face.scale * face.rotation.T * _FLIP).astype(np.float32)
        return turned + face.translation * _FLIP

    def depth_map(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """Dense depth on the face region of the prior: see `ethos_data.depth`.

        Args:
          landmarks: (68, 3) finite, normalised.
          size: side of the map, pixels.

        Returns:
          float32 (size, size), zero at the mean of the fitted eye points, NaN outside.
        """
        if not _has_area(landmarks):
            return np.full((size, size), np.nan, np.float32)
        points = self.points(self.fit(landmarks))
        points[:, 2] -= points[topology.EYES, 2].mean()
        return zbuffer.rasterize(points[topology.NUM_LANDMARKS :], self.triangles, size)


@functools.lru_cache(maxsize=1)
def shipped() -> Prior:
    """The prior that comes with the package, read once per process."""
    resource = importlib.resources.files("ethos_data") / "assets" / "depth_prior.npz"
    with importlib.resources.as_file(resource) as path:
        return Prior.load(path)


def depth_map(landmarks: np.ndarray, size: int) -> np.ndarray:
    """`Prior.depth_map` of the shipped prior."""
    return shipped().depth_map(landmarks, size)


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


def _has_area(landmarks: np.ndarray) -> bool:
    """Whether the points spread in two directions of the image."""
    spread = np.linalg.svd(
        landmarks[:, :2] - landmarks[:, :2].mean(0), compute_uv=False
    )
    return bool(spread[1] > 1e-6 * spread[0])


def _turn(vector: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of an axis times an angle in radians (Rodrigues)."""
    angle = np.linalg.norm(vector)
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
