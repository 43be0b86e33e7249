"""Geometric augmentation: image, landmarks and depth move together.

A `Placement` describes the network's window in the stored crop: its centre, side, angle
and whether it is mirrored. Landmarks are transformed with its inverse. Image and depth
are sampled with it once, so no second resampling blurs the image, and image and targets
always fit together. This module does not use TensorFlow: the input pipeline calls these
functions on its batches.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import crop, topology


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Limits of the random movement of the network's window in training.

    Attributes:
      rotation: Largest angle to either side, in degrees.
      turned: Share of the images with an angle of up to 180 degrees to either side, 0
        to 1: faces of people who lie down, and video on its side.
      scale: Smallest and largest side of the window, relative to its side without
        augmentation. The logarithm of the scale is uniformly distributed.
      shift: Largest shift of the window along each axis, in sides of the window. The
        face box of a tracker is off by a few percent.
      mirror: Probability that the image is mirrored, 0 to 1.
      label_shift: Systematic error of the labels in the data set: the distance by which
        they are too far to the right, in % of the face size. It breaks the symmetry of
        mirrored images. Its value is 1.5 % in YouTube Faces.
      wanted_shift: Systematic error of the labels that are returned, in % of the face
        size. It is the same for all data sets and for mirrored images, because a
        network can learn only one convention.
    """

    rotation: float = 30.0
    turned: float = 0.0
    scale: tuple[float, float] = (0.85, 1.2)
    shift: float = 0.06
    mirror: float = 0.5
    label_shift: float = 0.0
    wanted_shift: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale
        shares = (self.mirror, self.turned)
        if not (0 < low <= high and min(shares) >= 0 and max(shares) <= 1):
            raise ValueError(
                "scale must be positive and ascending, mirror and turned from 0 to 1. "
                f"Received: {self}"
            )


NONE: Final = Augmentation(rotation=0, scale=(1, 1), shift=0, mirror=0)
"""No augmentation: the window of each face is the window that the predictor uses."""


@dataclasses.dataclass(frozen=True)
class Placement:
    """The network's windows of a batch, in the normalised frames of the stored crops.

    Attributes:
      center: float64 (B, 2), x and y of the centre.
      side: float64 (B,), width and height, in sides of the stored crop.
      angle: float64 (B,), in radians; a positive angle rotates from x towards y.
      mirrored: bool (B,), whether the window is mirrored.
      shift: float64 (B,), distance by which labels are moved to the left before all
        other steps, in sides of the stored crop.
    """

    center: np.ndarray
    side: np.ndarray
    angle: np.ndarray
    mirrored: np.ndarray
    shift: np.ndarray

    def matrix(self) -> np.ndarray:
        """Returns the normalised maps from windows to crops: float64 (B, 2, 3)."""
        cos, sin = np.cos(self.angle) * self.side, np.sin(self.angle) * self.side
        flip = np.where(self.mirrored, -1.0, 1.0)
        linear = np.stack([cos * flip, -sin, sin * flip, cos], -1).reshape(-1, 2, 2)
        # The centre of the window, (0.5, 0.5), is mapped to `center`.
        offset = self.center - linear.sum(axis=-1) / 2
        return np.concatenate([linear, offset[..., None]], axis=-1)

    def label_matrix(self) -> np.ndarray:
        """Returns `matrix` for the depth map, which is shifted like the landmarks."""
        matrix = self.matrix()
        matrix[:, 0, 2] += self.shift
        return matrix

    def move(self, landmarks: np.ndarray) -> np.ndarray:
        """Converts landmarks from the frame of the crop to the frame of the window.

        Args:
          landmarks: (B, 68, 3), in the normalised frame of the crop.

        Returns:
          float32 (B, 68, 3), in the normalised frame of the window.
        """
        matrix = self.label_matrix()
        xy = landmarks[..., :2] - matrix[:, None, :, 2]
        xy = xy @ np.linalg.inv(matrix[:, :, :2]).transpose(0, 2, 1)
        z = landmarks[..., 2:] / self.side[:, None, None]
        moved = np.concatenate([xy, z], -1)
        return self.permute(moved).astype(np.float32)

    def permute(self, values: np.ndarray) -> np.ndarray:
        """Gives the landmarks of mirrored faces the values of the other side.

        Args:
          values: (B, 68, ...), values of the landmarks in the stored crop.

        Returns:
          (B, 68, ...), values of the landmarks in the window.
        """
        mirrored = self.mirrored.reshape(-1, *[1] * (values.ndim - 1))
        return np.where(mirrored, values[:, topology.MIRROR], values)


def uniform(seed: int, index: np.ndarray, count: int) -> np.ndarray:
    """Returns random numbers that depend only on `seed` and `index`.

    The generator is SplitMix64 (Steele et al., 2014) with a counter as its state. A
    numpy Generator for each image would take longer than sampling the image.

    Args:
      seed: Random seed.
      index: int (B,), number of each example in the run.
      count: Numbers per example.

    Returns:
      float64 (B, count), uniformly distributed in [0, 1).
    """
    with np.errstate(over="ignore"):
        state: np.ndarray = np.asarray(index, np.uint64)[:, None] * np.uint64(count)
        state = state + np.arange(1, count + 1, dtype=np.uint64)
        state = state * np.uint64(0x9E3779B97F4A7C15)
        for salt in (np.uint64(seed & 0xFFFFFFFFFFFFFFFF), np.uint64(0)):
            state = state ^ salt
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)) * 2.0**-53


def place(
    landmarks: np.ndarray,
    windows: np.ndarray,
    *,
    augmentation: Augmentation = NONE,
    seed: int = 0,
    index: np.ndarray | None = None,
) -> Placement:
    """Returns the network's window of each face, moved at random.

    Args:
      landmarks: (B, 68, 3), in the normalised frame of the stored crop.
      windows: (B, 3), left, top, size of the stored crop, in source pixels.
      augmentation: Limits of the random movement. The default leaves the window where
        the predictor would cut it.
      seed: Random seed of the run.
      index: int (B,), number of each example in the run; None for 0 to B - 1. The
        movement depends only on `seed` and `index`.
    """
    size = windows[:, 2].astype(np.float64)
    origin = windows[:, :2].astype(np.float64)
    boxes = topology.face_box(landmarks.astype(np.float64)) * size[:, None]
    boxes += np.concatenate([origin, origin], axis=-1)
    unmoved = crop.windows_around(boxes, crop.NETWORK_CONTEXT)
    side = unmoved[:, 2] / size
    center = (unmoved[:, :2] - origin) / size[:, None] + side[:, None] / 2
    batch = len(size)
    draws = uniform(seed, np.arange(batch) if index is None else index, 6)
    signed = draws * 2 - 1
    largest = np.where(draws[:, 5] < augmentation.turned, 180, augmentation.rotation)
    angle = np.radians(largest) * signed[:, 3]
    if angle.any():
        center, side = _around_turned(landmarks, angle)
    low, high = np.log(augmentation.scale)
    mirrored = draws[:, 4] < augmentation.mirror
    # A label that is too far to the right is too far to the left after mirroring.
    own, wanted = augmentation.label_shift / 100, augmentation.wanted_shift / 100
    face_size = topology.face_size(boxes) / size
    shift = face_size * np.where(mirrored, own + wanted, own - wanted)
    center[:, 0] -= shift
    return Placement(
        center=center + signed[:, 0:2] * augmentation.shift * side[:, None],
        side=side * np.exp(low + draws[:, 2] * (high - low)),
        angle=angle,
        mirrored=mirrored,
        shift=shift,
    )


def _around_turned(
    landmarks: np.ndarray, angle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the windows of faces in turned images.

    The tight box of a turned face differs from that of the upright face: for a face on
    its side, width and height are exchanged.

    Args:
      landmarks: (B, 68, 3), in the normalised frame of the stored crop.
      angle: (B,), angle of the window; see `Placement`.

    Returns:
      Centres (B, 2) and sides (B,) in the normalised frame of the stored crop.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    # Columns are the axes of the window in the crop.
    axes = np.stack([cos, -sin, sin, cos], -1).reshape(-1, 2, 2)
    boxes = topology.face_box(landmarks[..., :2].astype(np.float64) @ axes)
    low, high = boxes[:, :2], boxes[:, 2:]
    center = np.einsum("bij,bj->bi", axes, (low + high) / 2)
    return center, crop.NETWORK_CONTEXT * (high - low).max(axis=1)


def to_pixels(matrix: np.ndarray, size: int, side: np.ndarray | float) -> np.ndarray:
    """Converts normalised maps to maps between pixel centres, as in `cv2.warpAffine`.

    Args:
      matrix: (..., 2, 3), maps from windows to crops, both normalised.
      size: Width and height of the window's image, in pixels.
      side: (...) or a number, width and height of the crop's image, in pixels.

    Returns:
      float64 (..., 2, 3), maps from pixels x, y of the windows to pixels of the crops.
    """
    pixels = matrix * np.asarray(side, np.float64)[..., None, None]
    pixels[..., :2] /= size
    # In both images the centre of a pixel is half a pixel from its edge.
    pixels[..., 2] += pixels[..., :2].sum(axis=-1) / 2 - 0.5
    return pixels
