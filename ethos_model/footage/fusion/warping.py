"""Smooth maps between two pictures of one face, from landmarks and then from pixels."""

from __future__ import annotations

import dataclasses
import functools
from typing import Final

import cv2
import numpy as np

from ethos_data import topology

REACH: Final = 0.10
"""Standard deviation of the kernel that spreads the motion of a landmark over its
surroundings, in face sizes."""

PULL: Final = 0.35
"""Weight of the affine motion against the landmarks. It is the motion far away from all
landmarks, and it limits the noise of single landmarks."""

CELL: Final = 8
"""Pixels between two nodes of the grid on which the motion is computed."""

LIMIT: Final = 0.04
"""Largest correction by `refine`, in face sizes. Landmarks are seldom farther off."""

_FLOW_BLUR: Final = 3.0
"""Standard deviation of the smoothing of the optical flow, in pixels of half size."""


@dataclasses.dataclass(frozen=True)
class FaceMap:
    """A smooth map between two pictures of a face.

    It gives the position in the source picture of each point of the target picture: an
    affine map and a correction, which changes slowly and needs few pixels.

    Attributes:
      affine: float64 (2, 3), the affine part, in pixels of the pictures.
      correction: float32 (N, N, 2), what is added, in pixels of the source picture. Its
        N x N cells cover the target picture.
      size: Width and height of the target picture in pixels.
    """

    affine: np.ndarray
    correction: np.ndarray
    size: int

    @classmethod
    def identity(cls, size: int) -> FaceMap:
        """Returns the map of a picture to itself."""
        return cls(np.eye(2, 3), np.zeros((1, 1, 2), np.float32), size)

    def corrections(self, count: int) -> np.ndarray:
        """Returns `correction` with count x count cells."""
        return cv2.resize(self.correction, (count, count))

    def positions(self, count: int | None = None) -> np.ndarray:
        """Returns positions in the source picture, as `sample` expects.

        Args:
          count: Number of rows and columns of cells that cover the target picture; None
            for its pixels.

        Returns:
          float32 (count, count, 2), the positions of the centres of the cells.
        """
        count = count or self.size
        cells = cv2.transform(centres(self.size, count), self.affine)
        return cells + self.corrections(count)

    def inverse(self) -> FaceMap:
        """Returns the map from source to target, by fixed-point iteration.

        The pictures must have the same size.
        """
        back = cv2.invertAffineTransform(self.affine)
        start = cv2.transform(centres(self.size, 2 * self.size // CELL), back)
        # Pixels of `correction` per pixel of the picture.
        scale = np.float32(len(self.correction) / self.size)
        correction = np.zeros_like(start)
        for _ in range(4):
            at = (start + correction + np.float32(0.5)) * scale - np.float32(0.5)
            correction = cv2.transform(sample(self.correction, at), -back[:, :2])
        return FaceMap(back, correction, self.size)


def fit_affine(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Fits the affine map from target to source landmarks by least squares.

    Args:
      source: (68, 2) pixels.
      target: (68, 2) pixels.

    Returns:
      float64 (2, 3).
    """
    design = np.column_stack([target, np.ones(len(target))])
    return np.linalg.lstsq(design, source, rcond=None)[0].T


def landmark_map(source: np.ndarray, target: np.ndarray, size: int) -> FaceMap:
    """Computes a map from the landmarks of both pictures.

    The affine map between the landmarks gets a smooth correction: the kernel regression
    (Nadaraya and Watson, 1964) of what it leaves at the landmarks.

    Args:
      source: (68, 2) landmarks in pixels of the source picture.
      target: (68, 2) landmarks in pixels of the target picture.
      size: Width and height of the target picture, a multiple of `CELL`.
    """
    affine = fit_affine(source, target)
    left = source - (target @ affine[:, :2].T + affine[:, 2])
    reach = REACH * float(topology.face_size(topology.face_box(target)))
    # The kernel of a distance is the product of those of its x and y.
    nodes = centres(size, size // CELL)[0, :, :1]
    in_x, in_y = (np.exp((nodes - target[:, k]) ** 2 / (-2 * reach**2)) for k in (0, 1))
    kernel = in_y[:, None] * in_x
    correction = kernel @ left / (kernel.sum(-1, keepdims=True) + PULL)
    return FaceMap(affine, correction.astype(np.float32), size)


def refine(
    flow_method: cv2.DISOpticalFlow,
    target: np.ndarray,
    source: np.ndarray,
    mapping: FaceMap,
    face_size: float,
) -> FaceMap:
    """Corrects a map with the optical flow between the pictures.

    Args:
      flow_method: See `make_flow`.
      target: uint8 (S / 2, S / 2), brightness of the target picture at half size.
      source: uint8 (S / 2, S / 2), brightness of the source picture at half size, which
        `mapping` has moved to the target's geometry.
      mapping: The map to correct, of a target picture of S x S pixels.
      face_size: Face size in pixels of the target picture.

    Returns:
      A map with the correction of each pixel at half size.
    """
    smooth = [cv2.GaussianBlur(image, (0, 0), 1.5) for image in (target, source)]
    no_flow = np.zeros((*target.shape, 2), np.float32)
    flow = flow_method.calc(smooth[0], smooth[1], no_flow)
    flow = cv2.GaussianBlur(flow, (0, 0), _FLOW_BLUR)
    limit = LIMIT * face_size / 2
    length = cv2.magnitude(*cv2.split(flow))[..., None]
    flow *= np.minimum(1, limit / np.maximum(length, 1e-6))
    count = len(target)
    correction = sample(mapping.corrections(count), centres(count, count) + flow)
    # The flow is in pixels of half size.
    correction += cv2.transform(flow, 2 * mapping.affine[:, :2])
    return FaceMap(mapping.affine, correction, mapping.size)


def make_flow() -> cv2.DISOpticalFlow:
    """Returns dense inverse search (Kroeger et al., 2016) at full resolution."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    flow.setGradientDescentIterations(10)
    flow.setPatchStride(5)  # of 8 pixels; a stride of 3 takes twice the time
    flow.setVariationalRefinementIterations(0)  # `refine` smooths the flow itself
    return flow


def sample(
    array: np.ndarray,
    mapping: np.ndarray,
    *,
    method: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_REPLICATE,
) -> np.ndarray:
    """Samples an array where a map says.

    Args:
      array: (H, W) or (H, W, C).
      mapping: float32 (M, N, 2), x and y in pixels of the array.
      method: Interpolation of OpenCV.
      border: What OpenCV assumes beyond the edges.

    Returns:
      (M, N) or (M, N, C), with the dtype of the array.
    """
    # OpenCV's type hints do not know that a map of x and y needs no second map.
    return cv2.remap(array, mapping, None, method, borderMode=border)  # type: ignore[call-overload]


@functools.cache
def centres(size: int, count: int) -> np.ndarray:
    """Returns x and y of the centres of count x count cells that cover a picture.

    Args:
      size: Width and height of the picture in pixels.
      count: Number of rows and columns.

    Returns:
      float32 (count, count, 2), in pixels of the picture. It must not be modified.
    """
    along = (np.arange(count, dtype=np.float32) + 0.5) * (size / count) - 0.5
    result = np.stack(np.meshgrid(along, along), axis=-1).astype(np.float32)
    result.setflags(write=False)
    return result
