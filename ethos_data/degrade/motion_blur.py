"""Motion blur: the camera or the head moves while the shutter is open."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ethos_data.degrade import kernels
from ethos_data.degrade.base import Degradation, Parameters, as_range

_POINTS: Final = 48
"""Number of points of a path: at most one pixel apart for 48 pixels of motion."""

_LARGEST_FACE: Final = 0.95
"""Largest face size for which kernels have room, as a fraction of the image's side."""


@keras.saving.register_keras_serializable("ethos")
class MotionBlur(Degradation):
    """Blurs along a straight or curved path.

    The mean of the path stays at the centre, so that landmarks stay valid. Each range
    is a number or (low, high) and is drawn uniformly.

    Example:
      degraded = MotionBlur(length=(0.05, 0.3))(images, seed=7)

    Args:
      length: Length of the path, in face sizes.
      angle: Direction in the middle of the path, in degrees from x towards y.
      bend: Change of direction from the start to the end of the path, in degrees.
      straight: Fraction of the paths that are straight lines, 0 to 1.
    """

    def __init__(
        self,
        length: Any = (0.03, 0.45),
        *,
        angle: Any = (0, 180),
        bend: Any = (30, 150),
        straight: float = 0.5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.length = as_range("length", length)
        self.angle = as_range("angle", angle, -360.0)
        self.bend = as_range("bend", bend)
        self.straight = float(straight)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        bend = uniform(*self.bend) * ops.where(uniform() < 0.5, -1.0, 1.0)
        bend = ops.where(uniform() < np.float32(self.straight), 0.0, bend)
        face_size = ops.minimum(face_size, _LARGEST_FACE)
        return {
            "length": uniform(*self.length) * face_size,
            "angle": uniform(*self.angle) * np.float32(math.pi / 180),
            "bend": bend * np.float32(math.pi / 180),
        }

    def kernels(self, parameters: Parameters, size: int) -> Any:
        """Builds the blur kernels.

        Args:
          parameters: Result of `draw` for B images.
          size: Longer side of the images, in pixels.

        Returns:
          float32 (B, K, K), K odd. Each kernel sums to 1.
        """
        length = parameters["length"][:, None] * np.float32(size)
        along = (np.arange(_POINTS, dtype=np.float32) + 0.5) / _POINTS - 0.5
        # The point at arc length s is reached by a chord of length s * sin(h) / h in
        # the direction angle + h, where h is half of the change of direction up to s.
        half = parameters["bend"][:, None] * along / 2
        safe = ops.where(ops.abs(half) < 1e-3, 1.0, half)
        shrink = ops.where(ops.abs(half) < 1e-3, 1 - half**2 / 6, ops.sin(safe) / safe)
        chord = length * along * shrink
        direction = parameters["angle"][:, None] + half
        x, y = chord * ops.cos(direction), chord * ops.sin(direction)
        # Centre the path, so that the blur does not move the landmarks.
        x, y = (v - ops.mean(v, axis=1, keepdims=True) for v in (x, y))
        reach = self.length[1] * _LARGEST_FACE * size / 2
        return kernels.path_kernels(x, y, math.ceil(reach) + 1)

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        size = max(images.shape[1:3])
        return kernels.convolve(images, self.kernels(parameters, size))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "length": self.length,
            "angle": self.angle,
            "bend": self.bend,
            "straight": self.straight,
        }
