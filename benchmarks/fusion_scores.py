"""Scores of a restored face, and the baseline of aligned frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from ethos_data import topology
from ethos_model.footage.fusion import warping
from ethos_model.footage.fusion.face_fusion import FusedFace, face_mask
from ethos_model.footage.fusion.merging import luma
from ethos_model.metrics import ssim
from ethos_model.predict import Face, FacePredictor


@dataclasses.dataclass(frozen=True)
class Score:
    """How near a restored face is to the clean one.

    Attributes:
      psnr: dB, brightness inside the convex hull of the landmarks.
      ssim: The same for structural similarity.
      nme: Distance of the landmarks found in both images, in % of the face size.
      within: Share of the errors below sigma, in %; NaN without sigma.
    """

    psnr: float
    ssim: float
    nme: float
    within: float


def matched(image: np.ndarray, clean: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Returns an image with the gain and offset that bring it nearest to the clean one.

    Args:
      image: float32 (S, S).
      clean: float32 (S, S).
      inside: bool (S, S), where the images are compared.
    """
    design = np.stack([image[inside], np.ones(inside.sum())], axis=1)
    gain, offset = np.linalg.lstsq(design, clean[inside], rcond=None)[0]
    return gain * image + offset


def face_pixels(face: Face, size: int) -> np.ndarray:
    """Returns the pixels of a face in its window, bool (size, size)."""
    points = face.window.to_normalized(face.landmarks[:, :2]) * size - 0.5
    return face_mask(points, size) > 0


def score(
    image: np.ndarray,
    clean: np.ndarray,
    face: Face,
    predictor: FacePredictor,
    fused: FusedFace | None,
) -> Score:
    """Scores a restored face.

    Args:
      image: float32 (S, S, 3), 0 to 1, the restored face in the window of `face`.
      clean: float32 (S, S, 3), 0 to 1, the clean frame in the same window.
      face: The face.
      predictor: Finds landmarks in both images.
      fused: The result with its sigma, if there is one.
    """
    size = len(image)
    points = face.window.to_normalized(face.landmarks[:, :2]) * size - 0.5
    inside = face_pixels(face, size)
    grey, truth = luma(image.astype(np.float32)), luma(clean)
    fitted = matched(grey, truth, inside)
    error = np.abs(fitted - truth)[inside]
    within = float("nan")
    if fused is not None:
        # sigma is in grey levels of the restored image.
        slope = np.polyfit(grey[inside], fitted[inside], 1)[0]
        within = 100 * float((error <= slope * fused.sigma[inside] / 255).mean())
    x, y, w, h = cv2.boundingRect(inside.astype(np.uint8))
    part = (slice(y, y + h), slice(x, x + w))
    found = [
        predictor.predict(_levels(picture), [topology.face_box(points)])[0].landmarks
        for picture in (image, clean)
    ]
    distance = np.linalg.norm((found[0] - found[1])[:, :2], axis=1).mean()
    face_size = float(topology.face_size(topology.face_box(points)))
    return Score(
        float(-10 * np.log10(max(float((error**2).mean()), 1e-10))),
        float(ssim(np.where(inside, fitted, truth)[part], truth[part])),
        100 * float(distance) / face_size,
        within,
    )


def _levels(image: np.ndarray) -> np.ndarray:
    bright = image * (0.45 / max(float(image.mean()), 1e-6))
    return np.clip(np.rint(255 * bright), 0, 255).astype(np.uint8)


def aligned_images(
    frames: np.ndarray, faces: Sequence[Face], shown: int, size: int
) -> np.ndarray:
    """Moves frames to the geometry of one of them with the landmarks alone.

    Args:
      frames: uint8 (T, H, W, 3).
      faces: The face in each frame.
      shown: Index of the frame whose geometry is used.
      size: Width and height of the result.

    Returns:
      float32 (T, size, size, 3), 0 to 1.
    """
    window = faces[shown].window
    target = window.to_normalized(faces[shown].landmarks[:, :2]) * size - 0.5
    result = []
    for frame, face in zip(frames, faces, strict=True):
        mapping = warping.landmark_map(face.landmarks[:, :2], target, size)
        moved = warping.sample(frame, mapping.positions(), method=cv2.INTER_CUBIC)
        result.append(moved.astype(np.float32) / 255)
    return np.stack(result)
