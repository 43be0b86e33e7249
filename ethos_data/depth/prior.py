"""The learned prior: what faces look like between the 68 points.

A linear Gaussian model of a face's surface, learned from random heads by
`python -m ethos_data.depth.learn`: the 68 landmarks and some thousand points of the
surface (see `depth.template`) move together with K independent, standard normal
coefficients. 68 points are explained by the most probable face (see `depth.fitting`),
whose surface is then drawn with a z-buffer.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import os
import zipfile
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_data.compilation import compiled
from ethos_data.depth import fitting, zbuffer
from ethos_data.errors import EthosError

_NUM_LANDMARKS = topology.NUM_LANDMARKS
_AT_ONCE: Final = 32
"""Faces whose surfaces are in memory at the same time, 70 kB each."""


class PriorError(EthosError):
    """A weights file that cannot be used."""

    def __init__(self, path: str | os.PathLike[str], reason: str):
        super().__init__(f"{os.fspath(path)}: {reason}")


@dataclasses.dataclass(frozen=True, eq=False)
class Prior:
    """Linear Gaussian model of the 68 landmarks and of P surface points.

    The unit of length is the mean face's size; y up, z towards the viewer.

    Attributes:
      mean: float32 (68 + P, 3), the landmarks first.
      basis: float32 (K, 68 + P, 3), displacements per standard deviation.
      triangles: int32 (T, 3), numbers of surface points, from 0.
    """

    mean: np.ndarray
    basis: np.ndarray
    triangles: np.ndarray

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
                triangles = data["triangles"].astype(np.int32)
        except KeyError as error:
            raise PriorError(path, f"no array {error.args[0]}") from error
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise PriorError(path, f"not a readable npz file ({error})") from error
        count = len(mean) - _NUM_LANDMARKS
        if mean.shape[1:] != (3,) or basis.shape[1:] != mean.shape or count < 3:
            raise PriorError(path, "mean must be (68 + p, 3) and basis (k, 68 + p, 3)")
        if triangles.shape[1:] != (3,) or not (
            0 <= triangles.min(initial=0) <= triangles.max(initial=0) < count
        ):
            raise PriorError(path, f"triangles must be (t, 3), numbers below {count}")
        return Prior(mean, basis, triangles)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the prior; half precision is 0.05 % of a displacement."""
        np.savez_compressed(
            path,
            mean=self.mean.astype(np.float32),
            basis=self.basis.astype(np.float16),
            triangles=self.triangles.astype(np.uint16),
        )

    @functools.cached_property
    def _landmarks(self) -> tuple[np.ndarray, np.ndarray]:
        mean, basis = self.mean[:_NUM_LANDMARKS], self.basis[:, :_NUM_LANDMARKS]
        return mean.astype(np.float64), basis.astype(np.float64)

    def fit(self, landmarks: np.ndarray) -> fitting.Face:
        """Pose and coefficients of 68 points (68, 3), whatever their unit; y down."""
        return fitting.fit(landmarks, *self._landmarks)

    def points(self, faces: Sequence[fitting.Face]) -> np.ndarray:
        """Landmarks and surface points of fitted faces.

        Args:
          faces: T of them; many at once read the basis only once.

        Returns:
          float32 (T, 68 + P, 3), in the unit and the frame of the points that were
          fitted, y down.
        """
        coefficients = np.stack([face.coefficients for face in faces])
        shapes = np.empty((len(faces), *self.mean.shape), np.float32)
        _add_up(
            shapes.reshape(len(faces), -1),
            self.mean.ravel(),
            coefficients.astype(np.float32),
            self.basis.reshape(len(self.basis), -1),
        )
        return np.stack(
            [face.project(shape) for face, shape in zip(faces, shapes, strict=True)]
        )

    def depth_maps(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """Dense depth on the face region of the prior: see `ethos_data.depth`.

        Args:
          landmarks: (T, 68, 3) finite, normalised.
          size: side of the maps, pixels.

        Returns:
          float32 (T, size, size), zero at the mean of the fitted eye points, NaN
          outside.
        """
        maps = np.full((len(landmarks), size, size), np.nan, np.float32)
        drawn = [t for t, one in enumerate(landmarks) if _has_area(one)]
        for start in range(0, len(drawn), _AT_ONCE):
            some = drawn[start : start + _AT_ONCE]
            fitted = self.points([self.fit(landmarks[t]) for t in some])
            for t, points in zip(some, fitted, strict=True):
                points[:, 2] -= points[topology.EYES, 2].mean()
                surface = points[_NUM_LANDMARKS:]
                maps[t] = zbuffer.rasterize(surface, self.triangles, size)
        return maps


@compiled(fastmath=True)
def _add_up(shapes, mean, coefficients, basis):  # pragma: no cover (compiled)
    """shapes = mean + coefficients @ basis: (T, N), (N,), (T, K), (K, N), float32.

    Not by BLAS, which would start threads for this, one per core and worker. A part of
    the basis at a time, which stays near the processor for all of T.
    """
    part = 512
    for start in range(0, len(mean), part):
        stop = min(start + part, len(mean))
        for t in range(len(shapes)):
            out = shapes[t, start:stop]
            out[:] = mean[start:stop]
            for k in range(0, len(basis) - 1, 2):  # sums are fetched half as often
                wa, wb = coefficients[t, k], coefficients[t, k + 1]
                a, b = basis[k, start:stop], basis[k + 1, start:stop]
                for n in range(stop - start):
                    out[n] += wa * a[n] + wb * b[n]
            if len(basis) % 2:
                wa, a = coefficients[t, -1], basis[-1, start:stop]
                for n in range(stop - start):
                    out[n] += wa * a[n]


@functools.lru_cache(maxsize=1)
def shipped() -> Prior:
    """The prior that comes with the package, read once per process."""
    resource = importlib.resources.files("ethos_data") / "assets" / "depth_prior.npz"
    with importlib.resources.as_file(resource) as path:
        return Prior.load(path)


def depth_maps(landmarks: np.ndarray, size: int) -> np.ndarray:
    """`Prior.depth_maps` of the shipped prior."""
    return shipped().depth_maps(landmarks, size)


def _has_area(landmarks: np.ndarray) -> bool:
    """Whether the points spread in two directions of the image."""
    xy = landmarks[:, :2]
    spread = np.linalg.svd(xy - xy.mean(axis=0), compute_uv=False)
    return bool(spread[1] > 1e-6 * spread[0])
