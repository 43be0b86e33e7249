"""Prepares a part of a frame for the detector: scale, contrast and noise."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from ethos_model.footage.regions import Region

_BLOCK: Final = 8
"""Side, in pixels, of the blocks whose mean grey levels define the range of an image.
The means ignore noise, but a face of 12 pixels still counts."""

_MIN_SPAN: Final = 6.0
"""Smallest range, in grey levels. It limits how much the noise of an image without
content is amplified."""

_LOW, _HIGH = 5.0, 220.0  # grey levels of the darkest and the brightest block

_MIN_MEDIAN: Final = 0.2
"""Lowest place of the median in the range of grey levels, 0 to 1. A gamma correction
brightens darker images: those with a lamp, which prevents a larger gain."""

_MIN_GAMMA: Final = 0.35

_BRIGHTNESS_BLUR: Final = 1.0
"""Standard deviation of the blur of the brightness, in pixels of the frame."""

_COLOUR_BLUR: Final = 2.0
"""The same for the colour."""


def searched_image(frame_rgb: np.ndarray, region: Region) -> np.ndarray:
    """Cuts out a region, scales it, stretches its contrast and removes noise.

    Args:
      frame_rgb: uint8 (H, W, 3) RGB.
      region: Part of the frame.

    Returns:
      uint8 (H', W', 3) RGB.
    """
    image = frame_rgb[
        region.top : region.top + region.height,
        region.left : region.left + region.width,
    ]
    size = [max(1, round(side * region.scale)) for side in image.shape[1::-1]]
    if region.scale < 0.5:  # the mean of many pixels has little noise
        return stretched(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    # The contrast is stretched first: in a dark frame, the means of pixels would be
    # rounded to a few grey levels.
    image = stretched(image)
    if region.scale < 1:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return smoothed(image, region.scale)


def smoothed(image: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Removes noise and block edges, which hide faces.

    The colour is smoothed more than the brightness: faces differ little from hair and
    background in colour, but noise has as much of it. With smoothing after the stretch,
    97 instead of 81 % of the faces of 20 to 30 pixels are found at 0.05 of the light
    (`python -m benchmarks.finding`).

    Args:
      image: uint8 (H, W, 3) RGB.
      scale: Pixels of the image for each pixel of the frame.

    Returns:
      uint8 (H, W, 3) RGB.
    """
    brightness, *colours = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    height, width = brightness.shape
    # Colour is smoothed at half the size, in a quarter of the time.
    half = ((width + 1) // 2, (height + 1) // 2)
    smooth = [
        cv2.resize(
            _blurred(
                cv2.resize(colour, half, interpolation=cv2.INTER_AREA),
                scale * _COLOUR_BLUR / 2,
            ),
            (width, height),
        )
        for colour in colours
    ]
    merged = cv2.merge([_blurred(brightness, scale * _BRIGHTNESS_BLUR), *smooth])
    return cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB)


def _blurred(plane: np.ndarray, sigma: float) -> np.ndarray:
    taps = 2 * math.ceil(2 * sigma) + 1
    return cv2.GaussianBlur(plane, (taps, taps), sigma)


def stretched(image: np.ndarray) -> np.ndarray:
    """Stretches the contrast of an image and brightens it if it is dark.

    The range is that of the means of small blocks. A percentile of the pixels would
    saturate a small face in front of a flat background, which is all that most pixels
    show. At 0.05 of the light, detectors find 1 to 11 % of the faces in the image as it
    is, and over 95 % of them in the stretched image (`python -m benchmarks.finding`).

    Args:
      image: uint8 (H, W, 3).

    Returns:
      uint8 (H, W, 3). All three channels are changed alike.
    """
    rows, columns = (max(1, side // _BLOCK) for side in image.shape[:2])
    complete = image[: rows * _BLOCK, : columns * _BLOCK]
    blocks = cv2.resize(complete, (columns, rows), interpolation=cv2.INTER_AREA)
    low, median, high = np.percentile(blocks, (0, 50, 100))
    span = max(high - low, _MIN_SPAN)
    place = max((median - low) / span, 1e-3)
    gamma = 1.0
    if place < _MIN_MEDIAN:
        gamma = max(np.log(_MIN_MEDIAN) / np.log(place), _MIN_GAMMA)
    levels = np.maximum((np.arange(256) - low) / span, 0) ** gamma
    levels = np.clip(_LOW + (_HIGH - _LOW) * levels, 0, 255)
    return cv2.LUT(image, levels.astype(np.uint8))
