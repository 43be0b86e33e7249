"""The depth prior: a linear model of the face's surface around the 68 landmarks.

The model is linear and Gaussian. The 68 landmarks and several thousand points of the
surface (see `depth.template`) are a linear function of K independent, standard normal
coefficients. `python -m ethos_data.depth.learn` learns it from random heads. For given
landmarks, `depth.fitting` finds the most probable face, and its surface is rasterised
with a z-buffer.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import os
import zipfile
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data import crop, topology
from ethos_data.compilation import compiled
from ethos_data.depth import fitting, zbuffer
from ethos_data.errors import EthosError

_NUM_LANDMARKS = topology.NUM_LANDMARKS
_BATCH: Final = 32
"""Number of faces whose surfaces are in memory at the same time, 70 kB each."""


class PriorError(EthosError):
    """A file of weights cannot be used."""

    def __init__(self, path: str | os.PathLike[str], reason: str):
        super().__init__(f"{os.fspath(path)}: {reason}")


@dataclasses.dataclass(frozen=True, eq=False)
class Prior:
    """A linear Gaussian model of the 68 landmarks and P surface points.

    The unit of length is the size of the mean face. y points up and z towards the
    viewer.

    Attributes:
      mean: float32 (68 + P, 3), mean positions. The landmarks come first.
      basis: float32 (K, 68 + P, 3), displacements per standard deviation.
      triangles: int32 (T, 3), indices of surface points, counted from 0.
      frame_share: float32 (K,), share of each coefficient's variance that is due to
        differences between the frames of a person, in [0, 1). Zeros come first.
    """

    mean: np.ndarray
    basis: np.ndarray
    triangles: np.ndarray
    frame_share: np.ndarray

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Prior:
        """Reads a file that `save` wrote.

        Raises:
          PriorError: The file is not a prior.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                mean = data["mean"].astype(np.float32)
                basis = data["basis"].astype(np.float32)
                triangles = data["triangles"].astype(np.int32)
                frame_share = data["frame_share"].astype(np.float32)
        except KeyError as error:
            raise PriorError(path, f"the array {error.args[0]} is missing") from error
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise PriorError(path, f"not a readable npz file ({error})") from error
        count = len(mean) - _NUM_LANDMARKS
        if mean.shape[1:] != (3,) or basis.shape[1:] != mean.shape or count < 3:
            raise PriorError(path, "mean must be (68 + p, 3) and basis (k, 68 + p, 3)")
        if triangles.shape[1:] != (3,) or not (
            0 <= triangles.min(initial=0) <= triangles.max(initial=0) < count
        ):
            raise PriorError(
                path, f"triangles must be (t, 3) with indices below {count}"
            )
        if frame_share.shape != basis.shape[:1] or not (
            0 <= frame_share.min(initial=0) <= frame_share.max(initial=0) < 1
            and (np.diff(np.sign(frame_share)) >= 0).all()
        ):
            raise PriorError(path, "frame_share must be (k,) in [0, 1), zeros first")
        return Prior(mean, basis, triangles, frame_share)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the prior. The basis is stored as float16, an error of 0.05 %."""
        np.savez_compressed(
            path,
            mean=self.mean.astype(np.float32),
            basis=self.basis.astype(np.float16),
            triangles=self.triangles.astype(np.uint16),
            frame_share=self.frame_share.astype(np.float32),
        )

    @functools.cached_property
    def _landmarks(self) -> tuple[np.ndarray, np.ndarray]:
        mean, basis = self.mean[:_NUM_LANDMARKS], self.basis[:, :_NUM_LANDMARKS]
        return mean.astype(np.float64), basis.astype(np.float64)

    def fit(self, landmarks: np.ndarray) -> fitting.Face:
        """Fits pose and coefficients to landmarks.

        Args:
          landmarks: (68, 3), finite, y down, in any unit.
        """
        return fitting.fit(landmarks, *self._landmarks)

    def fit_video(self, landmarks: np.ndarray) -> list[fitting.Face]:
        """Fits one shape, and a pose and an expression for each frame.

        Args:
          landmarks: (T, 68, 3), finite, y down, in any unit: one person in T frames, in
            order of time.
        """
        return fitting.fit_video(landmarks, *self._landmarks, self.frame_share)

    def points(
        self, faces: Sequence[fitting.Face], *, one_person: bool = False
    ) -> np.ndarray:
        """Computes the landmarks and surface points of fitted faces.

        Args:
          faces: T fitted faces. One call for many faces reads the basis only once.
          one_person: Whether `fit_video` returned the faces. It is faster then.

        Returns:
          float32 (T, 68 + P, 3), in the unit and frame of the fitted landmarks, y down.
        """
        coefficients = np.stack([face.coefficients for face in faces])
        coefficients = coefficients.astype(np.float32)
        mean, basis = self.mean.ravel(), self.basis.reshape(len(self.basis), -1)
        if one_person:
            count = np.count_nonzero(self.frame_share == 0)
            neutral = np.empty((1, len(mean)), np.float32)
            _add_up(neutral, mean, coefficients[:1, :count], basis[:count])
            mean, basis, coefficients = (
                neutral[0],
                basis[count:],
                coefficients[:, count:],
            )
        shapes = np.empty((len(faces), *self.mean.shape), np.float32)
        _add_up(shapes.reshape(len(faces), -1), mean, coefficients, basis)
        for face, shape in zip(faces, shapes, strict=True):
            camera = np.array([face.perspective, *face.shear, face.depth_scale])
            _project(shape, face.scale * face.rotation, face.translation, camera)
        return shapes

    def depth_maps(self, landmarks: np.ndarray, size: int) -> np.ndarray:
        """Computes depth maps. See `ethos_data.depth.depth_map`.

        Args:
          landmarks: (T, 68, 3), finite, in the normalised frame.
          size: Side of the maps, in pixels.

        Returns:
          float32 (T, size, size). Zero is the mean of the fitted eye landmarks. NaN
          outside the face.
        """
        maps = np.full((len(landmarks), size, size), np.nan, np.float32)
        usable = np.flatnonzero(_has_area(landmarks))
        for start in range(0, len(usable), _BATCH):
            batch = usable[start : start + _BATCH]
            fitted = self.points([self.fit(landmarks[t]) for t in batch])
            for t, points in zip(batch, fitted, strict=True):
                maps[t] = self._rasterize(points, size)
        return maps

    def video_depth_maps(
        self, landmarks: np.ndarray, windows: Sequence[crop.Window], size: int
    ) -> Iterator[np.ndarray]:
        """Computes depth maps. See `ethos_data.depth.video_depth_maps`.

        Args:
          landmarks: float64 (T, 68, 3), finite, in source pixels.
          windows: T windows.
          size: Side of the maps, in pixels.
        """
        usable = _has_area(landmarks)
        faces = self.fit_video(landmarks[usable]) if usable.any() else []
        seen = [window for window, use in zip(windows, usable, strict=True) if use]
        pairs = zip(faces, seen, strict=True)
        maps = self._maps([face.inside(window) for face, window in pairs], size)
        for has_map in usable:
            empty = np.full((size, size), np.nan, np.float32)
            yield next(maps) if has_map else empty

    def _maps(self, faces: Sequence[fitting.Face], size: int) -> Iterator[np.ndarray]:
        """Yields the depth map of each face of a person."""
        for start in range(0, len(faces), _BATCH):
            batch = faces[start : start + _BATCH]
            for points in self.points(batch, one_person=True):
                yield self._rasterize(points, size)

    def _rasterize(self, points: np.ndarray, size: int) -> np.ndarray:
        points[:, 2] -= points[topology.EYES, 2].mean()
        return zbuffer.rasterize(points[_NUM_LANDMARKS:], self.triangles, size)


@compiled(fastmath=True)
def _add_up(shapes, mean, coefficients, basis):  # pragma: no cover (compiled)
    """Computes shapes = mean + coefficients @ basis, all float32.

    BLAS is not used, because it would start one thread per core in each worker. The
    basis is processed in parts that stay in the processor's cache for all shapes.

    Args:
      shapes: (T, N), written.
      mean: (N,).
      coefficients: (T, K).
      basis: (K, N).
    """
    part = 512
    for start in range(0, len(mean), part):
        stop = min(start + part, len(mean))
        for t in range(len(shapes)):
            out = shapes[t, start:stop]
            out[:] = mean[start:stop]
            for k in range(0, len(basis) - 1, 2):  # halves the reads of `out`
                wa, wb = coefficients[t, k], coefficients[t, k + 1]
                a, b = basis[k, start:stop], basis[k + 1, start:stop]
                for n in range(stop - start):
                    out[n] += wa * a[n] + wb * b[n]
            if len(basis) % 2:
                wa, a = coefficients[t, -1], basis[-1, start:stop]
                for n in range(stop - start):
                    out[n] += wa * a[n]


@compiled(fastmath=True)
def _project(points, pose, translation, camera):  # pragma: no cover (compiled)
    """Computes `Face.project` in place, in a third of the time.

    Args:
      points: float32 (P, 3).
      pose: float64 (3, 3), scale times rotation.
      translation: float64 (3,).
      camera: float64 (4,): perspective, shear of x and y, and depth scale.
    """
    pose, camera = pose.astype(np.float32), camera.astype(np.float32)
    left, top = np.float32(translation[0]), np.float32(translation[1])
    origin = np.float32(translation[2])
    for n in range(len(points)):
        a, b, c = points[n, 0], points[n, 1], points[n, 2]
        x = pose[0, 0] * a + pose[0, 1] * b + pose[0, 2] * c
        y = pose[1, 0] * a + pose[1, 1] * b + pose[1, 2] * c
        z = pose[2, 0] * a + pose[2, 1] * b + pose[2, 2] * c
        enlarged = np.float32(1) / (np.float32(1) - camera[0] * z)
        points[n, 0] = left + enlarged * (x + camera[1] * z)
        points[n, 1] = -top - enlarged * (y + camera[2] * z)
        points[n, 2] = origin + camera[3] * z


@functools.lru_cache(maxsize=1)
def shipped() -> Prior:
    """Returns the prior that the package contains. It is read once per process."""
    resource = importlib.resources.files("ethos_data") / "assets" / "depth_prior.npz"
    with importlib.resources.as_file(resource) as path:
        return Prior.load(path)


def depth_maps(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Computes `Prior.depth_maps` with the prior that the package contains."""
    return shipped().depth_maps(landmarks, size)


def _has_area(landmarks: np.ndarray) -> np.ndarray:
    """Whether the landmarks (T, 68, 3) are not all on one line of the image, (T,)."""
    xy = landmarks[..., :2]
    spread = np.linalg.svd(xy - xy.mean(axis=1, keepdims=True), compute_uv=False)
    return spread[:, 1] > 1e-6 * spread[:, 0]
