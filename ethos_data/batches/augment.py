"""Geometry: moves a face's image, landmarks and depth together, in one sampling.

A `Placement` says where the network's window lies in the stored crop: its centre, side,
angle and whether it is mirrored. Everything else follows from it. Landmarks go through
its inverse, image and depth are sampled once through it, so that nothing is blurred by
a second resampling and no target can drift from the picture. No TensorFlow here: the
input pipeline calls these functions on its batches and images.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import crop, topology


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far training moves a face away from the middle of its window.

    Attributes:
      rotation: largest angle to either side, degrees.
      scale: smallest and largest side of the window over `crop.NETWORK_CONTEXT` x the
        longer side of the face box; drawn evenly in the logarithm.
      shift: largest move of the window along each axis, parts of its side. A tracker's
        box from the last frame is off by a few percent.
      mirror: how often the picture is mirrored, 0-1.
      label_shift: how far the labels lie to the right of what mirror symmetry allows,
        % of the face size. Those of YouTube Faces lie 1.5 % there.
      wanted_shift: how far they are to lie there, whoever made them and whether or not
        the picture is mirrored: a network can only learn one convention.
    """

    rotation: float = 30.0
    scale: tuple[float, float] = (0.85, 1.2)
    shift: float = 0.06
    mirror: float = 0.5
    label_shift: float = 0.0
    wanted_shift: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale
        if not (0 < low <= high and 0 <= self.mirror <= 1):
            raise ValueError(f"scale and mirror are out of range. Received: {self}")


NONE: Final = Augmentation(rotation=0, scale=(1, 1), shift=0, mirror=0)
"""Leaves every face as the predictor would see it."""


@dataclasses.dataclass(frozen=True)
class Placement:
    """Windows of a batch of faces in the normalised frames of their stored crops.

    Attributes:
      center: float64 (B, 2), x and y.
      side: float64 (B,), in sides of the stored crop.
      angle: float64 (B,), radians; the window is turned from x towards y.
      mirrored: bool (B,).
      shift: float64 (B,), by how much labels are moved to the left in the stored crop,
        in its sides, before all else.
    """

    center: np.ndarray
    side: np.ndarray
    angle: np.ndarray
    mirrored: np.ndarray
    shift: np.ndarray

    def matrix(self) -> np.ndarray:
        """The map from the window's frame to the crop's: (B, 2, 3), both normalised."""
        cos, sin = np.cos(self.angle) * self.side, np.sin(self.angle) * self.side
        flip = np.where(self.mirrored, -1.0, 1.0)
        linear = np.stack([cos * flip, -sin, sin * flip, cos], -1).reshape(-1, 2, 2)
        # (0.5, 0.5), the middle of the window, falls on the centre.
        offset = self.center - linear.sum(axis=-1) / 2
        return np.concatenate([linear, offset[..., None]], axis=-1)

    def label_matrix(self) -> np.ndarray:
        """As `matrix`, for what moves with the labels: the depth map."""
        matrix = self.matrix()
        matrix[:, 0, 2] += self.shift
        return matrix

    def move(self, points: np.ndarray) -> np.ndarray:
        """Landmarks (B, 68, 3) from the crop's frame to the window's; z in its unit."""
        matrix = self.label_matrix()
        xy = points[..., :2] - matrix[:, None, :, 2]
        xy = xy @ np.linalg.inv(matrix[:, :, :2]).transpose(0, 2, 1)
        moved = np.concatenate([xy, points[..., 2:] / self.side[:, None, None]], -1)
        return np.where(
            self.mirrored[:, None, None], moved[:, topology.MIRROR], moved
        ).astype(np.float32)


def uniform(seed: int, index: np.ndarray, count: int) -> np.ndarray:
    """Numbers in [0, 1) that depend on (seed, index) alone: float64 (B, count).

    SplitMix64 (Steele et al., 2014) as a counter-based generator: a numpy Generator per
    image would cost more than sampling the image.
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
    """The network's window of every face, moved as training wants it.

    Args:
      landmarks: (B, 68, 3), normalised in the stored crop.
      windows: (B, 3) left, top, size of the stored crop, source pixels.
      augmentation: how far to move; by default the predictor's window exactly.
      seed: of the run.
      index: (B,) number of each example in the run; its draw depends on nothing else.
    """
    size = windows[:, 2].astype(np.float64)
    origin = windows[:, :2].astype(np.float64)
    boxes = topology.face_box(landmarks.astype(np.float64)) * size[:, None]
    boxes += np.concatenate([origin, origin], axis=-1)
    seen = crop.windows_around(boxes, crop.NETWORK_CONTEXT)
    side = seen[:, 2] / size
    center = (seen[:, :2] - origin) / size[:, None] + side[:, None] / 2
    batch = len(size)
    draws = uniform(seed, np.arange(batch) if index is None else index, 5)
    signed = draws * 2 - 1
    low, high = np.log(augmentation.scale)
    mirrored = draws[:, 4] < augmentation.mirror
    # A mirrored label that lay too far right lies too far left.
    own, wanted = augmentation.label_shift / 100, augmentation.wanted_shift / 100
    face_size = topology.face_size(boxes) / size
    shift = face_size * np.where(mirrored, own + wanted, own - wanted)
    center[:, 0] -= shift
    return Placement(
        center=center + signed[:, 0:2] * augmentation.shift * side[:, None],
        side=side * np.exp(low + draws[:, 2] * (high - low)),
        angle=np.radians(augmentation.rotation) * signed[:, 3],
        mirrored=mirrored,
        shift=shift,
    )


def to_pixels(matrix: np.ndarray, size: int, side: np.ndarray | float) -> np.ndarray:
    """Normalised maps as maps between pixel centres, as `cv2.warpAffine` wants them.

    Args:
      matrix: (..., 2, 3), window to crop, normalised.
      size: side of the window's picture, pixels.
      side: (...) or one side of the crop's picture, pixels.

    Returns:
      float64 (..., 2, 3): pixel x, y of the window to pixel x, y of the crop.
    """
    pixels = matrix * np.asarray(side, np.float64)[..., None, None]
    pixels[..., :2] /= size
    # A pixel's centre is half a pixel from its edge, in both pictures.
    pixels[..., 2] += pixels[..., :2].sum(axis=-1) / 2 - 0.5
    return pixels
