"""Size, sharpness, brightness and noise of a face in a frame.

All values except the size are measured on the luma (BT.601) inside the convex hull of
the landmarks.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_model.footage.noise import noise_of

MEASURED_SIZE: Final = 96
"""Face size in pixels above which the face is reduced before it is measured. It is
about the face size that the network sees."""

_NOISE_PIXELS: Final = 96
"""Maximum side of the part of the face in which the noise is measured, in pixels."""

_LEAST_SIDE: Final = 4
"""Minimum width and height of the visible part of a face, in source pixels."""

_SMOOTHING: Final = 1.0
"""Standard deviation in pixels of the smoothing before the Laplacian. It makes the
sharpness of noisy faces measurable."""

_LAPLACIAN_GAIN: Final = 0.112
"""Variance of the smoothed Laplacian of white noise with variance 1."""


@dataclasses.dataclass(frozen=True)
class PictureMeasures:
    """How a face is shown in a frame.

    Attributes:
      size: Face size sqrt(width * height) of the face box, in source pixels.
      sharpness: Variance of the Laplacian (Pech-Pacheco et al., 2000) divided by the
        variance of the luma, both without the contribution of the noise. Light and
        contrast do not change this ratio. It is about 0.05 for a sharp face of YouTube
        Faces and 0.01 after 15 pixels of motion blur. Faces above 96 pixels are reduced
        to 96 pixels first.
      brightness: Mean luma, from 0 to 255.
      noise: Standard deviation of the noise of the luma in source pixels, in grey
        levels. Median of the absolute response to Immerkaer's operator (1996), divided
        by 6 and by 0.6745. The median, in place of Immerkaer's mean, ignores the edges
        of the face. The grain of film and of skin counts as noise.

    If less than 4 pixels of the face are inside the frame, all values except `size` are
    NaN.
    """

    size: float
    sharpness: float
    brightness: float
    noise: float


def measure_picture(frame_rgb: np.ndarray, landmarks: np.ndarray) -> PictureMeasures:
    """Measures how a face is shown.

    Args:
      frame_rgb: uint8 (H, W, 3), RGB.
      landmarks: (68, 2) or (68, 3), x and y in source pixels. They may be outside the
        frame.
    """
    box = np.asarray(topology.face_box(landmarks), np.float64)
    size = float(topology.face_size(box))
    height, width = frame_rgb.shape[:2]
    left, top = np.maximum(np.floor(box[:2]), 0).astype(int)
    right, bottom = np.minimum(np.ceil(box[2:]) + 1, (width, height)).astype(int)
    if min(right - left, bottom - top) < _LEAST_SIDE:
        return PictureMeasures(size, *(float("nan"),) * 3)
    face = np.ascontiguousarray(frame_rgb[top:bottom, left:right])
    luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    noise = _noise(luma)
    reduction = max(size / MEASURED_SIZE, 1.0)
    luma = _reduced(luma, reduction)
    outline = (np.asarray(landmarks, np.float64)[:, :2] - (left, top)) / reduction
    inside = _inside(outline, luma.shape)
    if not inside.any():
        return PictureMeasures(size, *(float("nan"),) * 3)
    grey = luma.astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), _SMOOTHING)
    laplacian = cv2.Laplacian(smooth, cv2.CV_32F)[inside]
    values = grey[inside]
    # Averaging over n x n pixels divides the standard deviation of white noise by n.
    noise_variance = (noise / reduction) ** 2
    detail = float(laplacian.var()) - _LAPLACIAN_GAIN * noise_variance
    contrast = float(values.var()) - noise_variance
    return PictureMeasures(
        size=size,
        sharpness=max(detail, 0.0) / max(contrast, 1.0),
        brightness=float(values.mean()),
        noise=noise,
    )


def _inside(outline: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """bool (H, W), True inside the convex hull of points (68, 2)."""
    mask = np.zeros(shape, np.uint8)
    hull = cv2.convexHull(np.clip(outline, -1e6, 1e6).round().astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    return mask > 0


def _reduced(luma: np.ndarray, reduction: float) -> np.ndarray:
    """Reduces an image by area averaging, by at least 1."""
    step = min(int(reduction), *luma.shape)
    if step > 1:
        # OpenCV averages over whole pixels five times as fast.
        height, width = (side // step for side in luma.shape)
        whole = luma[: height * step, : width * step]
        luma = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    rest = reduction / step
    height, width = (max(round(side / rest), 1) for side in luma.shape)
    return cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)


def _noise(luma: np.ndarray) -> float:
    """Standard deviation of the noise in the middle of a face uint8 (H, W)."""
    # The middle two thirds of a face box are skin, without background.
    rows, columns = (
        slice((side - part) // 2, (side + part) // 2)
        for side in luma.shape
        for part in [int(np.clip(2 * side // 3, _LEAST_SIDE, _NOISE_PIXELS))]
    )
    skin = luma[rows, columns]
    inner = np.zeros(skin.shape, bool)
    inner[1:-1, 1:-1] = True  # where the filter does not need pixels beyond the edge
    return noise_of(skin, inner)
