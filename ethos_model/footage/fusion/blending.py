"""Puts a reconstructed face back into its frame."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_model.footage.fusion.face_fusion import FusedFace, face_mask
from ethos_model.footage.noise import noise_of
from ethos_model.predict import Face

_FOREHEAD: Final = 0.35
"""Height that the landmarks do not cover above the eyebrows, in face sizes."""

_SOFT_EDGE: Final = 0.06
"""Standard deviation of the edge of the mask, in face sizes."""

_COLOUR_BLUR: Final = 0.12
"""Coarser differences of colour and light are taken from the frame, in face sizes."""


def blend(
    frame_rgb: np.ndarray, fused: FusedFace, face: Face, *, grain_seed: int = 0
) -> np.ndarray:
    """Replaces a face in a frame by its reconstruction, with soft edges.

    The reconstruction gets the coarse colours and the light of the frame, and grain as
    strong as that around the face.

    Args:
      frame_rgb: uint8 (H, W, 3).
      fused: The reconstructed face.
      face: The face in this frame, the argument of `FaceFusion.result`.
      grain_seed: Seed of the grain, for example the number of the frame.

    Returns:
      uint8 (H, W, 3), a new array.
    """
    result = frame_rgb.copy()
    window = fused.window
    left, top, size = (
        round(window.left + 0.5),
        round(window.top + 0.5),
        round(window.size),
    )
    height, width = frame_rgb.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + size, width), min(top + size, height)
    if x0 >= x1 or y0 >= y1:
        return result
    inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    points = window.to_normalized(face.landmarks[:, :2]) * size - 0.5
    face_size = float(topology.face_size(topology.face_box(points)))
    mask = _soft_mask(points, size, face_size)[inside]
    method = cv2.INTER_AREA if size < len(fused.image) else cv2.INTER_CUBIC
    image = cv2.resize(fused.image, (size, size), interpolation=method)[inside]
    image = image.astype(np.float32) / np.float32(fused.gain)
    before = frame_rgb[y0:y1, x0:x1].astype(np.float32)
    blur = max(_COLOUR_BLUR * face_size, 1.0)
    image += cv2.GaussianBlur(before - image, (0, 0), blur)
    grain = np.random.default_rng(grain_seed).standard_normal(image.shape, np.float32)
    image += noise_of(before, mask < 0.1) * grain
    mixed = before + mask[..., None] * (image - before)
    result[y0:y1, x0:x1] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return result


def _soft_mask(points: np.ndarray, size: int, face_size: float) -> np.ndarray:
    """The face with its forehead, float32 (size, size), 0 to 1, with soft edges."""
    brows, chin = points[17:27], points[8]
    up = points[27] - chin
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    forehead = brows + _FOREHEAD * face_size * up
    hull = face_mask(np.concatenate([points, forehead]), size).astype(np.float32)
    radius = max(round(1.5 * _SOFT_EDGE * face_size), 1)
    smaller = cv2.erode(hull, np.ones((2 * radius + 1, 2 * radius + 1)))
    return cv2.GaussianBlur(smaller, (0, 0), max(_SOFT_EDGE * face_size, 0.5))
