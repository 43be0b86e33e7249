"""Samples for the fusion network: its input, and what it should return.

A clean clip is filmed by a random camera. `FaceFusion` merges the frames exactly as it
does for a user, with landmarks that have the errors of a tracker.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from ethos_data import crop, topology
from ethos_model.footage.fusion.face_fusion import (
    TYPICAL_LUMA,
    FaceFusion,
    face_mask,
)
from ethos_model.footage.fusion.merging import luma
from ethos_model.fusion_training.camera import random_camera
from ethos_model.fusion_training.clips import Clip, moving, resized_points
from ethos_model.predict import Face

FACE_SIZES: Final = (70.0, 190.0)
"""Range of the face size in clean frames, in pixels. The camera reduces it further."""

LANDMARK_ERRORS: Final = (0.003, 0.014)
"""Range of the standard deviation of landmarks, in face sizes, from frame to frame."""

OCCLUDED: Final = 0.15
"""Share of the clips in which something covers a part of the face in all frames."""

_NO_IMAGE: Final = np.zeros((0, 0), np.float32)


@dataclasses.dataclass(frozen=True)
class Sample:
    """One input of the network with its targets. S is the size of the result.

    Attributes:
      inputs: float32 (S, S, 12), see `FaceFusion.inputs`.
      image: float32 (S, S, 3), what a perfect camera would have recorded, RGB with
        typical brightness.
      truth: float32 (S, S), brightness of the face. It differs from `image` where
        something covers the face. No image can show it, so sigma must.
      mask: float32 (S, S), weight of the pixels: 1 in the face, less around it.
    """

    inputs: np.ndarray
    image: np.ndarray
    truth: np.ndarray
    mask: np.ndarray


def samples_of(
    clip: Clip, rng: np.random.Generator, *, size: int, moments: int
) -> Iterator[Sample]:
    """Films a clip and yields the network's input after some numbers of frames.

    Args:
      clip: A clean clip. A still image is moved.
      rng: Random numbers.
      size: Width and height of the result.
      moments: Number of samples: after one frame, after all, and between.
    """
    clip = _prepared(clip, rng)
    shown = _occluded(clip, rng) if rng.random() < OCCLUDED else clip.frames
    camera = random_camera(rng, clip.face_size)
    filmed = camera.film(shown, rng)
    scale = 1 / camera.shrink
    landmarks = _tracked(clip, scale, rng)
    count = len(filmed)
    # Few frames are as important as many: a face has just appeared.
    last = set(np.geomspace(1, count, moments).astype(int) - 1)
    fusion = FaceFusion(size)
    faces: list[Face] = []
    for index in range(count):
        faces.append(face_of(landmarks[index], rng.uniform(0.01, 0.03)))
        fusion.add(filmed[index], faces[-1])
        if index in last:
            # The last frame, or one with frames before and after it.
            chosen = index if rng.random() < 0.7 else int(rng.integers(index + 1))
            inputs = fusion.inputs(faces[chosen])
            yield _with_targets(inputs, faces[chosen], clip, shown, chosen, scale)


def face_of(landmarks: np.ndarray, sigma: float) -> Face:
    """Returns a face with given landmarks.

    Args:
      landmarks: float32 (68, 3) in source pixels.
      sigma: Standard deviation of the landmarks, in face sizes.
    """
    box = topology.face_box(landmarks)
    deviation = np.full(len(landmarks), sigma * topology.face_size(box), np.float32)
    window = crop.window_around(np.asarray(box), crop.NETWORK_CONTEXT)
    return Face(landmarks, deviation, _NO_IMAGE, _NO_IMAGE, window)


def _prepared(clip: Clip, rng: np.random.Generator) -> Clip:
    """Moves, mirrors, reverses and resizes a clip at random."""
    if len(clip.frames) == 1:
        clip = moving(clip, rng)
    frames, landmarks = clip.frames, clip.landmarks
    if rng.random() < 0.5:
        frames, landmarks = frames[::-1], landmarks[::-1]
    low, high = FACE_SIZES
    size = float(rng.uniform(low, min(max(clip.face_size, low + 1), high)))
    factor = size / clip.face_size
    if factor < 1:
        shape = (round(frames.shape[2] * factor), round(frames.shape[1] * factor))
        frames = np.stack(
            [cv2.resize(f, shape, interpolation=cv2.INTER_AREA) for f in frames]
        )
        landmarks = resized_points(landmarks, factor)
    if rng.random() < 0.5:
        frames = frames[:, :, ::-1]
        landmarks = landmarks[:, topology.MIRROR] * np.array([-1, 1, 1], np.float32)
        landmarks[..., 0] += frames.shape[2] - 1
    return Clip(clip.person, np.ascontiguousarray(frames), landmarks)


def _tracked(clip: Clip, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Returns the landmarks in camera pixels with the errors of a tracker."""
    low, high = np.log(LANDMARK_ERRORS)
    deviation = np.exp(rng.uniform(low, high)) * clip.face_size
    errors = rng.standard_normal((*clip.landmarks.shape[:2], 2)) * deviation
    # The errors of neighbours are alike: move the whole face as well.
    errors += 0.7 * deviation * rng.standard_normal((len(clip.landmarks), 1, 2))
    landmarks = clip.landmarks.copy()
    landmarks[..., :2] += errors.astype(np.float32)
    return resized_points(landmarks, scale)


def _occluded(clip: Clip, rng: np.random.Generator) -> np.ndarray:
    """Draws a plain or striped object over the same part of the face in all frames."""
    colour = rng.uniform(10, 245, 3)
    other = np.clip(colour + rng.normal(0, 40, 3), 0, 255)
    place = rng.integers(68)
    half = clip.face_size * rng.uniform(0.12, 0.35, 2)
    stripes = max(round(clip.face_size * rng.uniform(0.05, 0.3)), 2)
    frames = clip.frames.copy()
    for frame, points in zip(frames, clip.landmarks, strict=True):
        x, y = points[place, :2]
        left, top = (int(max(v, 0)) for v in (x - half[0], y - half[1]))
        right, bottom = (int(max(v, 0)) for v in (x + half[0], y + half[1]))
        region = frame[top:bottom, left:right]
        rows = np.arange(region.shape[0]) // stripes % 2
        region[:] = np.where(rows[:, None, None] > 0, colour, other)
    return frames


def _with_targets(
    inputs: np.ndarray,
    face: Face,
    clip: Clip,
    shown: np.ndarray,
    index: int,
    scale: float,
) -> Sample:
    size = len(inputs)
    window = face.window
    image = in_window(shown[index], window, scale, size)
    truth = in_window(clip.frames[index], window, scale, size)
    points = (window.to_normalized(face.landmarks[:, :2]) * size) - 0.5
    inside = face_mask(points, size)
    # Equal brightness of target and input; the camera decides how bright that is.
    gain = TYPICAL_LUMA / max(float(luma(image)[inside > 0].mean()), 0.02)
    mask = 0.15 + 0.85 * cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 4)
    return Sample(inputs, gain * image, gain * luma(truth), mask.astype(np.float32))


def in_window(
    frame: np.ndarray, window: crop.Window, scale: float, size: int
) -> np.ndarray:
    """Samples a clean frame in a window of the camera's frame, float32 0 to 1."""
    step = window.size / size / scale  # clean pixels per pixel of the result
    left = (window.left + 0.5) / scale - 0.5 + 0.5 * step
    top = (window.top + 0.5) / scale - 0.5 + 0.5 * step
    # The left edge of pixel 0 is at -0.5 in every frame of reference.
    matrix = np.array([[step, 0, left], [0, step, top]])
    blurred = frame
    if step > 1:  # the result has fewer pixels than the clean frame
        blurred = cv2.GaussianBlur(frame, (0, 0), 0.5 * float(np.sqrt(step**2 - 1)))
    image = cv2.warpAffine(
        blurred,
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return image.astype(np.float32) / 255
