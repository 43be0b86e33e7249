"""The conditions of the published comparison, applied to whole source frames.

They are applied before a face is cut out, so that all tools of a comparison receive the
same pixels, independent of the size of the faces. This module uses OpenCV only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

Seed = int | np.random.Generator


def downsample4(frame: np.ndarray, seed: Seed = 0) -> np.ndarray:
    """Reduces the resolution four times: area averaging, then bilinear enlargement.

    Args:
      frame: uint8 (H, W, 3).
      seed: Not used. All conditions have the same signature.

    Returns:
      uint8 (H, W, 3).
    """
    del seed
    height, width = frame.shape[:2]
    small = (max(1, round(width / 4)), max(1, round(height / 4)))
    small_frame = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(small_frame, (width, height), interpolation=cv2.INTER_LINEAR)


def dark5(frame: np.ndarray, seed: Seed = 0) -> np.ndarray:
    """Reduces the light to a fifth and adds sensor noise.

    The noise is that of `LowLight` at severity 3: 1,000 electrons at white before the
    loss of light, and 1.2 grey levels of read noise.

    Args:
      frame: uint8 (H, W, 3).
      seed: Seed of the noise.

    Returns:
      uint8 (H, W, 3).
    """
    rng = np.random.default_rng(seed)
    signal = frame.astype(np.float32) * np.float32(0.2)
    sigma = np.sqrt(signal * np.float32(255 / 1000) + np.float32(1.2**2))
    noise = rng.standard_normal(frame.shape, np.float32)
    return np.clip(np.rint(signal + sigma * noise), 0, 255).astype(np.uint8)


def blur15(frame: np.ndarray, seed: Seed = 0) -> np.ndarray:
    """Adds 15 source pixels of straight motion blur.

    Args:
      frame: uint8 (H, W, 3).
      seed: Seed of the direction.

    Returns:
      uint8 (H, W, 3).
    """
    angle = np.random.default_rng(seed).uniform(0, np.pi)
    kernel = line_kernel(15, angle)
    return cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def line_kernel(length: float, angle: float) -> np.ndarray:
    """Builds the kernel of a straight motion blur. Its centroid is the centre.

    Args:
      length: Length of the motion, in pixels.
      angle: Direction in radians, from x towards y.

    Returns:
      float32 (K, K), K odd. The kernel sums to 1.
    """
    points = 8 * int(np.ceil(length)) + 1
    along = ((np.arange(points) + 0.5) / points - 0.5) * length
    radius = int(np.ceil(length / 2)) + 1
    pixels = np.arange(-radius, radius + 1)
    # Distribute each point over its four nearest pixels with bilinear weights.
    x = np.maximum(1 - np.abs(pixels - (along * np.cos(angle))[:, None]), 0)
    y = np.maximum(1 - np.abs(pixels - (along * np.sin(angle))[:, None]), 0)
    return (y.T @ x / points).astype(np.float32)


CONDITIONS: Final[dict[str, Callable[[np.ndarray, Seed], np.ndarray]]] = {
    "downsample4": downsample4,
    "dark5": dark5,
    "blur15": blur15,
}
"""Functions `(frame, seed) -> frame` by name. Frames are uint8 (H, W, 3) RGB."""
