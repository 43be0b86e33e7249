"""Images for tests: smooth as photographs, with edges, made from a seed."""

from __future__ import annotations

import cv2
import numpy as np


def photograph(size: int = 64, seed: int = 0) -> np.ndarray:
    """Returns uint8 (size, size, 3): noise of three frequencies and sharp edges."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size, size, 3), np.float32)
    for sigma in (2, 5, 12):
        octave = rng.standard_normal((size, size, 3)).astype(np.float32)
        image += cv2.GaussianBlur(octave, (0, 0), sigma) * sigma
    image = 128 + 45 * image / image.std()
    x0, y0 = rng.integers(0, size // 2, 2)
    image[y0 : y0 + size // 3, x0 : x0 + size // 4] += 60
    cv2.line(image, (3, size - 9), (size - 5, 12), (20.0, 200.0, 120.0), 2)
    return np.clip(image, 0, 255).astype(np.uint8)


def batch(count: int = 4, size: int = 64, seed: int = 0) -> np.ndarray:
    """Returns uint8 (count, size, size, 3), different images."""
    return np.stack([photograph(size, seed * 1000 + i) for i in range(count)])
