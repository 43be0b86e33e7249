"""The picture that the frames of one face have in common, updated frame by frame.

Two means are kept. The plain mean removes noise. The sharp mean is computed in the
levels of a Laplacian pyramid (Burt and Adelson, 1983), in which a frame counts more the
more detail it has there. It keeps what a moving camera has left sharp (Fourier burst
accumulation, Delbracio and Sapiro, 2015, with levels instead of single frequencies).
"""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

from ethos_data.grey import LUMA
from ethos_model.footage.fusion.warping import sample

MEMORY: Final = 40.0
"""Number of frames after which the weight of a frame has fallen to 1/e."""

LEVELS: Final = 3
"""Number of levels of the pyramid, without the rest. The rest is that of the mean."""

SHARPNESS_POWER: Final = 3.0
"""Power of a level's amplitude with which a frame counts in the sharp mean."""

_AGREEMENT_BLUR: Final = 4.0
"""Size of the region in which a frame must agree with the mean, in pixels (sigma)."""

_SMALLEST_SPREAD: Final = 0.02**2
"""Variance that is expected of frames without noise, because alignment is not exact."""

_FIRST_SPREAD: Final = 0.04**2
"""Variance that is expected before several frames have shown it."""

_TOLERANCE: Final = 1.5
"""Squared difference, relative to the usual one, at which a frame counts half."""

_EPSILON: Final = 1e-9


def luma(image: np.ndarray) -> np.ndarray:
    """Returns the brightness of float32 (H, W, 3) RGB as float32 (H, W)."""
    return cv2.transform(image, np.array([LUMA], np.float32))


@dataclasses.dataclass
class Merged:
    """Means of the frames, in the geometry of one of them.

    All arrays are float32. Images are RGB with typical brightness; white is about 1.

    Attributes:
      mean: (S, S, 3), mean of the frames.
      weight: (S, S), sum of the weights of the frames at each pixel.
      levels: Weighted mean of the frames in each level k, (S / 2^k, S / 2^k, 3).
      level_weights: Sum of the weights in each level k, (S / 2^k, S / 2^k).
      spread: (S, S), mean squared difference of the frames' brightness from `mean`.
    """

    mean: np.ndarray
    weight: np.ndarray
    levels: list[np.ndarray]
    level_weights: list[np.ndarray]
    spread: np.ndarray

    @classmethod
    def empty(cls, size: int) -> Merged:
        """Returns the state before the first frame."""
        sizes = [size >> level for level in range(LEVELS)]
        return cls(
            np.zeros((size, size, 3), np.float32),
            np.zeros((size, size), np.float32),
            [np.zeros((n, n, 3), np.float32) for n in sizes],
            [np.zeros((n, n), np.float32) for n in sizes],
            np.full((size, size), _FIRST_SPREAD, np.float32),
        )

    def expect(self, noise: float) -> None:
        """States the noise of the frames before the first one is added.

        Args:
          noise: Standard deviation of the noise of a frame with typical brightness,
            where white is 1.
        """
        # The difference of two frames has twice the variance.
        self.spread[:] = max(_FIRST_SPREAD, 2 * noise**2)

    def agreement(self, image: np.ndarray) -> np.ndarray:
        """Returns how well a frame agrees with the mean, float32 (S, S), 0 to 1.

        The squared difference in the surroundings of a pixel is compared with the
        difference that frames usually have there, which is their noise.

        Args:
          image: float32 (S, S, 3), the frame in the geometry of the mean.
        """
        squared = (luma(image) - luma(self.mean)) ** 2
        found = _blurred(squared)
        usual = _blurred(self.spread) + np.float32(_SMALLEST_SPREAD)
        # Nothing can be said where no frame has been seen.
        known = self.weight / (self.weight + 1)
        ratio = known * found / (_TOLERANCE * usual)
        return 1 / (1 + ratio**2)

    def add(self, image: np.ndarray, weight: np.ndarray) -> None:
        """Adds a frame.

        Args:
          image: float32 (S, S, 3), the frame in the geometry of the mean.
          weight: float32 (S, S), its weight.
        """
        decay = np.float32(1 - 1 / MEMORY)
        squared = (luma(image) - luma(self.mean)) ** 2
        # One imaginary frame has the spread that is expected at first.
        share = weight / (decay * self.weight + weight + 1)
        known = self.weight / (self.weight + 1)
        self.spread += share * known * (squared - self.spread)
        self.weight = decay * self.weight + weight
        share = weight / (self.weight + np.float32(_EPSILON))
        self.mean = self.mean + _rgb(share) * (image - self.mean)
        for index, level in enumerate(split(image)[:-1]):
            energy = _blurred(luma(level) ** 2, 1 << index)
            shape = level.shape[1::-1]
            area = cv2.resize(weight, shape, interpolation=cv2.INTER_AREA)
            strength = area * cv2.pow(energy + np.float32(1e-7), SHARPNESS_POWER / 2)
            total = decay * self.level_weights[index] + strength
            share = strength / (total + np.float32(1e-20))
            self.levels[index] += _rgb(share) * (level - self.levels[index])
            self.level_weights[index] = total

    def sharp(self) -> np.ndarray:
        """Returns the sharp mean, float32 (S, S, 3)."""
        image = self.mean
        for _ in self.levels:
            image = cv2.pyrDown(image)
        for level in reversed(self.levels):
            image = cv2.pyrUp(image) + level
        return image

    def moved(self, mapping: np.ndarray) -> Merged:
        """Returns the state in another geometry.

        Args:
          mapping: float32 (S, S, 2), positions in the state of the new pixels.
        """
        return Merged(
            moved(self.mean, mapping),
            moved(self.weight, mapping),
            [moved(level, mapping) for level in self.levels],
            [moved(weight, mapping) for weight in self.level_weights],
            moved(self.spread, mapping),
        )


def split(image: np.ndarray) -> list[np.ndarray]:
    """Splits float32 (S, S, 3) into `LEVELS` levels, from fine to coarse, and the rest.

    Level k has S / 2^k rows and columns.
    """
    result = []
    for _ in range(LEVELS):
        below = cv2.pyrDown(image)
        result.append(image - cv2.pyrUp(below))
        image = below
    return [*result, image]


def moved(array: np.ndarray, mapping: np.ndarray) -> np.ndarray:
    """Samples an array where a map says.

    Args:
      array: float32 (N, N, 3), an image, or (N, N), weights, which stay positive.
      mapping: float32 (S, S, 2), positions in a picture of S x S pixels that the array
        covers.

    Returns:
      float32, the shape of `array`.
    """
    size, scale = len(array), len(array) / len(mapping)
    if scale != 1:
        mapping = cv2.resize(mapping, (size, size), interpolation=cv2.INTER_AREA)
        mapping = (mapping + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
    method = cv2.INTER_CUBIC if array.ndim == 3 else cv2.INTER_LINEAR
    return sample(array, mapping, method=method)


def _rgb(plane: np.ndarray) -> np.ndarray:
    """Repeats (H, W) in three channels; NumPy would multiply by (H, W, 1) slowly."""
    return cv2.merge([plane, plane, plane])


def _blurred(plane: np.ndarray, pixel: int = 1) -> np.ndarray:
    """Averages (N, N) over `_AGREEMENT_BLUR`; a pixel has a size of `pixel` pixels."""
    factor = 4 // pixel
    small = plane
    if factor > 1:
        shape = (plane.shape[1] // factor, plane.shape[0] // factor)
        small = cv2.resize(plane, shape, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _AGREEMENT_BLUR / 4)
    return small if factor == 1 else cv2.resize(small, plane.shape[::-1])
