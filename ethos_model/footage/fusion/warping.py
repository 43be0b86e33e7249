"""Dense maps between two pictures of one face, from landmarks and then from pixels.

A map is float32 (H, W, 2). For each pixel of the target picture it gives x and y of the
same point of the face in the source picture, as `cv2.remap` expects.
"""

from __future__ import annotations

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


def landmark_map(source: np.ndarray, target: np.ndarray, size: int) -> np.ndarray:
    """Computes a map from the landmarks of both pictures.

    The affine map between the landmarks gets a smooth correction: the kernel regression
    (Nadaraya and Watson, 1964) of what it leaves at the landmarks.

    Args:
      source: (68, 2) landmarks in pixels of the source picture.
      target: (68, 2) landmarks in pixels of the target picture.
      size: Width and height of the target picture, a multiple of `CELL`.
    """
    affine = fit_affine(source, target)
    left = source - _apply(affine, target)
    reach = REACH * float(topology.face_size(topology.face_box(target)))
    nodes = np.arange(size // CELL) * CELL + (CELL - 1) / 2
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    # |a - b|^2 = a.a - 2 a.b + b.b needs no (nodes, 68, 2) array.
    squares = (grid**2).sum(1)[:, None] - 2 * grid @ target.T + (target**2).sum(1)
    kernel = np.exp(squares / (-2 * reach**2))
    correction = kernel @ left / (kernel.sum(1, keepdims=True) + PULL)
    nodes_map = (_apply(affine, grid) + correction).astype(np.float32)
    return enlarge_map(nodes_map.reshape(len(nodes), len(nodes), 2), size)


def enlarge_map(coarse: np.ndarray, size: int) -> np.ndarray:
    """Interpolates a map between the centres of its cells, and beyond the outer ones.

    Args:
      coarse: float32 (N, N, 2), positions in the source picture.
      size: Width and height of the target picture, a multiple of N.
    """
    # cv2.resize repeats the outer nodes. Their positions must continue instead.
    padded = np.pad(
        coarse, ((1, 1), (1, 1), (0, 0)), mode="reflect", reflect_type="odd"
    )
    cell = size // len(coarse)
    large = cv2.resize(padded, (size + 2 * cell, size + 2 * cell))
    return np.ascontiguousarray(large[cell:-cell, cell:-cell])


def refine(
    flow_method: cv2.DISOpticalFlow,
    target: np.ndarray,
    source: np.ndarray,
    mapping: np.ndarray,
    face_size: float,
) -> np.ndarray:
    """Corrects a map with the optical flow between the pictures.

    Args:
      flow_method: See `make_flow`.
      target: uint8 (S / 2, S / 2), brightness of the target picture at half size.
      source: uint8 (S / 2, S / 2), brightness of the source picture at half size, which
        `mapping` has moved to the target's geometry.
      mapping: float32 (S, S, 2), the map to correct.
      face_size: Face size in pixels of the target picture.

    Returns:
      float32 (S, S, 2).
    """
    smooth = [cv2.GaussianBlur(image, (0, 0), 1.5) for image in (target, source)]
    no_flow = np.zeros((*target.shape, 2), np.float32)
    flow = flow_method.calc(smooth[0], smooth[1], no_flow)
    flow = cv2.GaussianBlur(flow, (0, 0), _FLOW_BLUR)
    limit = LIMIT * face_size / 2
    length = np.linalg.norm(flow, axis=-1, keepdims=True)
    flow = flow * np.minimum(1, limit / np.maximum(length, 1e-6))
    size = mapping.shape[0]
    large = 2 * cv2.resize(flow, (size, size))
    return sample(mapping, large + identity(size))


def make_flow() -> cv2.DISOpticalFlow:
    """Returns dense inverse search (Kroeger et al., 2016) at full resolution."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    flow.setGradientDescentIterations(10)
    flow.setVariationalRefinementIterations(0)  # `refine` smooths the flow itself
    return flow


def invert(mapping: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Inverts a map between pictures of equal size, by fixed-point iteration.

    Args:
      mapping: float32 (S, S, 2), positions in picture A of the pixels of B.
      affine: float64 (2, 3), the affine part of the map, from B to A.

    Returns:
      float32 (S, S, 2), positions in B of the pixels of A.
    """
    size = mapping.shape[0]
    step = CELL // 2
    nodes = np.arange(size // step, dtype=np.float32) * step + (step - 1) / 2
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1)
    # What the map does in addition to its affine part. It changes slowly.
    beyond = mapping - _apply(affine, identity(size)).astype(np.float32)
    back = cv2.invertAffineTransform(affine)
    result = _apply(back, grid).astype(np.float32)
    for _ in range(4):
        result = _apply(back, grid - sample(beyond, result)).astype(np.float32)
    return enlarge_map(result, size)


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


def identity(size: int) -> np.ndarray:
    """Returns the map of a picture to itself, float32 (size, size, 2)."""
    pixels = np.arange(size, dtype=np.float32)
    return np.stack(np.meshgrid(pixels, pixels), axis=-1)


def _apply(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ affine[:, :2].T + affine[:, 2]
