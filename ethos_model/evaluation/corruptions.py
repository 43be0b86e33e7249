"""Corruptions that neither training nor `ethos_data.degrade` knows.

How far does robustness carry? After Hendrycks & Dietterich (2019), with one that only
video knows (interlacing). Every one is applied to the stored crop in source pixels,
before the face is cut out. Lengths are parts of the face size, so that a severity means
the same for a small and a large face. What joins the training mix must leave here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

Corruption = Callable[[np.ndarray, float, int, np.random.Generator], np.ndarray]
"""(image uint8 (H, W, 3), face size in its pixels, severity 1-5, generator) -> the same
shape and type."""


def impulse_noise(
    image: np.ndarray, face_size: float, severity: int, rng: np.random.Generator
) -> np.ndarray:
    """Dead and hot pixels: a share of all values becomes 0 or 255."""
    del face_size
    share = (0.01, 0.02, 0.04, 0.08, 0.14)[severity - 1]
    draw = rng.random(image.shape)
    noisy = image.copy()
    noisy[draw < share / 2] = 0
    noisy[draw > 1 - share / 2] = 255
    return noisy


def side_light(
    image: np.ndarray, face_size: float, severity: int, rng: np.random.Generator
) -> np.ndarray:
    """A lamp on one side: the other half of the face sinks into shadow."""
    shadow = (0.5, 0.35, 0.22, 0.13, 0.07)[severity - 1]  # light left in the shadow
    height, width = image.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width]
    along = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)
    # The border of the shadow crosses the face within a quarter of its size.
    lit = 1 / (1 + np.exp(-along / (face_size / 8)))
    return (image * (shadow + (1 - shadow) * lit)[..., None]).astype(np.uint8)


def interlacing(
    image: np.ndarray, face_size: float, severity: int, rng: np.random.Generator
) -> np.ndarray:
    """Two half pictures of a moving head: every second row is displaced."""
    part = (0.01, 0.02, 0.035, 0.05, 0.07)[severity - 1]
    # Half the way to each side: the mean of both half pictures stays in its place.
    half = part * face_size / 2 * rng.choice((-1, 1))
    woven = image.copy()
    for first, shift in ((0, half), (1, -half)):
        rows = np.ascontiguousarray(image[first::2])
        woven[first::2] = cv2.warpAffine(
            rows,
            np.array([[1, 0, shift], [0, 1, 0]]),
            (rows.shape[1], rows.shape[0]),
            borderMode=cv2.BORDER_REPLICATE,
        )
    return woven


CORRUPTIONS: Final[dict[str, Corruption]] = {
    function.__name__: function
    for function in (
        impulse_noise,
        side_light,
        interlacing,
    )
}
