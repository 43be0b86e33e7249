"""The noise of an image."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

_KERNEL: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Difference of two Laplacians (Immerkaer, "Fast Noise Variance Estimation", 1996). It
is 0 on every quadratic surface and multiplies the noise by 6."""

_NORMAL_MEDIAN: Final = 0.6745
"""Median of the absolute value of a standard normal variable."""


def noise_of(image: np.ndarray, where: np.ndarray | None = None) -> float:
    """Returns the standard deviation of the noise of an image.

    The median ignores edges as long as they cover less than half of the pixels.

    Args:
      image: uint8 or float32 (H, W) or (H, W, C).
      where: bool (H, W), the pixels to use; None for all.

    Returns:
      The noise in the unit of the image, 0 if there are no pixels.
    """
    response = np.abs(cv2.filter2D(image, cv2.CV_32F, _KERNEL))
    response = response if where is None else response[where]
    if not response.size:
        return 0.0
    return float(np.median(response)) / (6 * _NORMAL_MEDIAN)
