"""Corruptions that are neither in the training mix nor in `ethos_data.degrade`.

They show whether robustness carries over to degradations that a model has never seen.
Impulse noise follows Hendrycks & Dietterich (2019); interlacing is specific to video.

Each corruption is applied to the stored crop in source pixels, before the face is cut
out. Lengths are given in face sizes, so that a severity means the same for small and
large faces. A corruption that is added to the training mix must be removed here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

Corruption = Callable[[np.ndarray, float, int, np.random.Generator], np.ndarray]
"""Function of image uint8 (H, W, 3), face size in pixels of the image, severity 1 to 5,
and random generator. It returns an image of the same shape and dtype."""


def impulse_noise(
    image: np.ndarray, face_size: float, severity: int, rng: np.random.Generator
) -> np.ndarray:
    """Dead and hot pixels: sets a share of all values to 0 or 255."""
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
    """Light from one side: darkens the other half of the face."""
    # Share of the light that is left in the shadow.
    shadow = (0.5, 0.35, 0.22, 0.13, 0.07)[severity - 1]
    height, width = image.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width]
    along = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle)
    # The transition from light to shadow is about a quarter of the face wide.
    lit = 1 / (1 + np.exp(-along / (face_size / 8)))
    return (image * (shadow + (1 - shadow) * lit)[..., None]).astype(np.uint8)


def interlacing(
    image: np.ndarray, face_size: float, severity: int, rng: np.random.Generator
) -> np.ndarray:
    """Interlaced video of a moving head: shifts the even and the odd rows apart."""
    shift = (0.01, 0.02, 0.035, 0.05, 0.07)[severity - 1] * face_size
    # Each field moves by half of the shift in opposite directions, so that their mean
    # stays in place and the landmarks remain valid.
    half = shift / 2 * rng.choice((-1, 1))
    woven = image.copy()
    for first_row, offset in ((0, half), (1, -half)):
        rows = np.ascontiguousarray(image[first_row::2])
        woven[first_row::2] = cv2.warpAffine(
            rows,
            np.array([[1, 0, offset], [0, 1, 0]]),
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
