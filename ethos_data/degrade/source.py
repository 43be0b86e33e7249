"""The published comparison's conditions, applied to whole source frames.

Plain OpenCV on the frame as it comes, before any face is cut out: every tool in a
comparison gets the same pixels, whatever the size of the faces in them. No TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

Seed = int | np.random.Generator


def downsample4(frame: np.ndarray, seed: Seed = 0) -> np.ndarray:
    """A quarter of the resolution: area-averaged down, bilinear back up.

    Args:
      frame: uint8 (H, W, 3).
      seed: not used; the same for all conditions.

    Returns:
      uint8 (H, W, 3).
    """
    del seed
    height, width = frame.shape[:2]
    small = (max(1, round(width / 4)), max(1, round(height / 4)))
    small_frame = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(small_frame, (width, height), interpolation=cv2.INTER_LINEAR)


def dark5(frame: np.ndarray, seed: Seed = 0) -> np.ndarray:
    """A fifth of the light: a fifth of every value, with a sensor's noise, in 8 bits.

    1,000 electrons at white before the loss, 1.2 values of read noise: severity 3 of
    `LowLight`.
    """
    rng = np.random.default_rng(seed)
    signal = frame.astype(np.float32) * np.float32(0.2)
    sigma = np.sqrt(signal * np.float32(255 / 1000) + np.float32(1.2**2))
    noise = rng.standard_normal(frame.shape, np.float32)
    return np.clip(np.rint(signal + sigma * noise), 0, 255).astype(np.uint8)


def blur15(frame: np.ndarray, seed: Seed = 0) -> np.ndarray:
    """15 source pixels of straight motion in a direction drawn from the seed."""
    angle = np.random.default_rng(seed).uniform(0, np.pi)
    kernel = line_kernel(15, angle)
    return cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def line_kernel(length: float, angle: float) -> np.ndarray:
    """The point spread function of a straight motion, its centroid in the middle.

    Args:
      length: pixels.
      angle: radians, from x towards y.

    Returns:
      float32 (K, K), K odd, of sum 1.
    """
    points = 8 * int(np.ceil(length)) + 1
    along = ((np.arange(points) + 0.5) / points - 0.5) * length
    radius = int(np.ceil(length / 2)) + 1
    pixels = np.arange(-radius, radius + 1)
    # Every point is shared among its four pixels, linearly.
    x = np.maximum(1 - np.abs(pixels - (along * np.cos(angle))[:, None]), 0)
    y = np.maximum(1 - np.abs(pixels - (along * np.sin(angle))[:, None]), 0)
    return (y.T @ x / points).astype(np.float32)


CONDITIONS: Final[dict[str, Callable[[np.ndarray, Seed], np.ndarray]]] = {
    "downsample4": downsample4,
    "dark5": dark5,
    "blur15": blur15,
}
"""(frame uint8 (H, W, 3) RGB, seed) -> the same shape and type."""
