"""Tracks of landmarks with known truth, for the tests of this directory."""

from __future__ import annotations

import numpy as np

from tests.gui import fakes

SIZE = 100.0
"""Face size, in pixels."""


def face() -> np.ndarray:
    """Landmarks of a face of 100 px, float64 (68, 3), with z = 0 at the eyes."""
    landmarks = SIZE * fakes.template()
    landmarks[:, 2] -= landmarks[36:48, 2].mean()
    return landmarks


def still(frames: int, noise: float, seed: int = 0) -> np.ndarray:
    """A face at rest with white noise, float64 (T, 68, 3)."""
    rng = np.random.default_rng(seed)
    return face() + rng.normal(0, noise, (frames, 68, 3))


def swaying(times: np.ndarray, seconds: float = 1.5) -> np.ndarray:
    """A face that sways by its own size, without noise, float64 (T, 68, 3)."""
    shift = np.zeros((len(times), 1, 3))
    shift[:, 0, 0] = SIZE / 2 * np.sin(2 * np.pi * times / seconds)
    return face() + shift


def jitter(landmarks: np.ndarray) -> float:
    """Mean length of the second difference of x and y, in % of the face size."""
    second = np.diff(landmarks[..., :2], 2, axis=0)
    return 100 * float(np.linalg.norm(second, axis=-1).mean()) / SIZE
