"""Pictures for tests: smooth as a photograph, with edges, made from a seed."""

from __future__ import annotations

import cv2
import numpy as np


def photograph(size: int = 64, seed: int = 0) -> np.ndarray:
    """uint8 (size, size, 3): noise in several octaves and a few hard edges."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((size, size, 3), np.float32)
    for sigma in (2, 5, 12):
        octave = rng.standard_normal((size, size, 3)).astype(np.float32)
        picture += cv2.GaussianBlur(octave, (0, 0), sigma) * sigma
    picture = 128 + 45 * picture / picture.std()
    x0, y0 = rng.integers(0, size // 2, 2)
    picture[y0 : y0 + size // 3, x0 : x0 + size // 4] += 60
    cv2.line(picture, (3, size - 9), (size - 5, 12), (20.0, 200.0, 120.0), 2)
    return np.clip(picture, 0, 255).astype(np.uint8)


def batch(count: int = 4, size: int = 64, seed: int = 0) -> np.ndarray:
    """uint8 (count, size, size, 3), each its own picture."""
    return np.stack([photograph(size, seed * 1000 + i) for i in range(count)])
