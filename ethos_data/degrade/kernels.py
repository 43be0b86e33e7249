"""Point spread functions: how they are drawn, and convolution with one per image."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


def path_kernels(x: Any, y: Any, radius: int) -> Any:
    """Rasters of paths of light: every point is shared among its four pixels.

    A pixel's share falls linearly with distance, so that the centroid of the kernel is
    exactly the mean of the points.

    Args:
      x: float32 (B, N) pixels from the middle, within +-(radius - 1).
      y: likewise.
      radius: kernels are 2 * radius + 1 wide.

    Returns:
      float32 (B, 2 * radius + 1, 2 * radius + 1), each of sum 1.
    """
    pixels = np.arange(-radius, radius + 1, dtype=np.float32)
    rows = ops.maximum(1 - ops.abs(pixels[:, None] - y[:, None, :]), 0)
    columns = ops.maximum(1 - ops.abs(x[:, :, None] - pixels), 0)
    return ops.matmul(rows, columns) / np.float32(x.shape[1])


def disc_kernels(disc_radius: Any, radius: int) -> Any:
    """Rasters of discs, the rim's pixels in part.

    Args:
      disc_radius: float32 (B,) pixels, at most radius - 1.
      radius: kernels are 2 * radius + 1 wide.

    Returns:
      float32 (B, 2 * radius + 1, 2 * radius + 1), each of sum 1.
    """
    across = np.arange(-radius, radius + 1, dtype=np.float32)
    distance = np.hypot(across[:, None], across)[None]
    disc = ops.clip(disc_radius[:, None, None] + 0.5 - distance, 0, 1)
    return disc / ops.sum(disc, axis=(1, 2), keepdims=True)


def convolve(images: Any, kernels: Any) -> Any:
    """Convolves every image with its own kernel; the border is reflected.

    By Fourier transform: 0.6 ms for a 112 x 112 RGB image on two cores whatever the
    kernel's size, where a depthwise convolution takes 0.6 ms at 15 x 15 and 2.0 ms at
    31 x 31, and gathering 16 points of a path 1.1 ms.

    Args:
      images: float32 (B, H, W, 3).
      kernels: float32 (B, 2 * R + 1, 2 * R + 1).

    Returns:
      float32 (B, H, W, 3).
    """
    height, width = images.shape[1:3]
    radius = kernels.shape[1] // 2
    rows, columns = (fast_length(n + 2 * radius) for n in (height, width))
    wide = _reflected(images, radius)
    wide = ops.transpose(wide, (0, 3, 1, 2))
    wide = _fill(wide, rows, columns)
    # A complex transform carries two real channels; a real kernel keeps them apart.
    real = ops.stack([wide[:, 0], wide[:, 2]], axis=1)
    imaginary = ops.stack([wide[:, 1], ops.zeros_like(wide[:, 1])], axis=1)
    real, imaginary = ops.fft2((real, imaginary))
    kernels = _fill(kernels[:, None], rows, columns)
    a, b = ops.fft2((kernels, ops.zeros_like(kernels)))
    real, imaginary = ops.ifft2((real * a - imaginary * b, real * b + imaginary * a))
    # The kernel's middle lies `radius` from its corner, the image in its border too.
    top = 2 * radius
    real = real[:, :, top : top + height, top : top + width]
    imaginary = imaginary[:, :1, top : top + height, top : top + width]
    blurred = ops.stack([real[:, 0], imaginary[:, 0], real[:, 1]], axis=-1)
    return ops.cast(blurred, "float32")


def _reflected(images: Any, radius: int) -> Any:
    """(B, H, W, C) to (B, H + 2 * radius, W + 2 * radius, C)."""
    if radius < min(images.shape[1:3]):
        around = ((0, 0), (radius, radius), (radius, radius), (0, 0))
        return ops.pad(images, around, mode="reflect")
    # To and fro more than once, which backends do not know.
    for axis in (1, 2):
        places = np.pad(np.arange(images.shape[axis]), radius, mode="reflect")
        images = ops.take(images, places, axis=axis)
    return images


def _fill(planes: Any, rows: int, columns: int) -> Any:
    """(B, C, h, w) to (B, C, rows, columns), zeros behind."""
    h, w = planes.shape[2:]
    return ops.pad(planes, ((0, 0), (0, 0), (0, rows - h), (0, columns - w)))


def fast_length(length: int) -> int:
    """The next number with no prime factor over 5, for which transforms are fast."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1
