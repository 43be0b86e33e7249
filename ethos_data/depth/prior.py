"""The learned prior: what faces look like between the 68 points.

A linear Gaussian model of a face's surface, learned from random heads by
`python -m ethos_data.fit_depth_prior`: the 68 landmarks and some thousand points of the
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

import numpy as np

from ethos_data import landmarks as topology
from ethos_data.depth import fitting, zbuffer
from ethos_data.errors import EthosError

_NUM_LANDMARKS = topology.NUM_LANDMARKS


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

    @functools.cached_property
    def _flat_basis(self) -> np.ndarray:
        return self.basis.reshape(len(self.basis), -1)

    def fit(self, landmarks: np.ndarray) -> fitting.Face:
        """Pose and coefficients of 68 points (68, 3), whatever their unit; y down."""
        return fitting.fit(landmarks, *self._landmarks)

    def points(self, face: fitting.Face) -> np.ndarray:
        """Landmarks and surface points (68 + P, 3) of a fitted face.

        In the unit and the frame of the points that were fitted, y down.
        """
        # Not by BLAS, which would start threads for this, one per core and worker.
        coefficients = face.coefficients.astype(np.float32)
        shape = np.einsum("k,kn->n", coefficients, self._flat_basis)
        return face.project(self.mean + shape.reshape(-1, 3))

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
        return zbuffer.rasterize(points[_NUM_LANDMARKS:], self.triangles, size)


@functools.lru_cache(maxsize=1)
def shipped() -> Prior:
    """The prior that comes with the package, read once per process."""
    resource = importlib.resources.files("ethos_data") / "assets" / "depth_prior.npz"
    with importlib.resources.as_file(resource) as path:
        return Prior.load(path)


def depth_map(landmarks: np.ndarray, size: int) -> np.ndarray:
    """`Prior.depth_map` of the shipped prior."""
    return shipped().depth_map(landmarks, size)


def _has_area(landmarks: np.ndarray) -> bool:
    """Whether the points spread in two directions of the image."""
    xy = landmarks[:, :2]
    spread = np.linalg.svd(xy - xy.mean(axis=0), compute_uv=False)
    return bool(spread[1] > 1e-6 * spread[0])
