"""A rendered head and its face, for the tests of the fusion."""

from __future__ import annotations

import functools

import numpy as np

from ethos_data.heads.render import render_sample
from ethos_model.fusion_training.samples import face_of
from ethos_model.predict import Face


@functools.cache
def head(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Returns a frame, uint8 (H, W, 3), and its landmarks, float32 (68, 3)."""
    sample = render_sample(seed, 240)
    return sample.image, np.asarray(sample.landmarks, np.float32)


def face_at(landmarks: np.ndarray, shift: tuple[float, float] = (0, 0)) -> Face:
    """Returns the face of landmarks that are moved by some pixels."""
    return face_of(landmarks + np.array([*shift, 0], np.float32), 0.02)


def noisy(image: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Returns an image with noise, uint8."""
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
