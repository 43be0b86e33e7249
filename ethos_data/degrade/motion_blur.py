"""Motion blur: the camera or the head moved while the shutter was open."""

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
"""Points of a path: at most one pixel apart for 48 pixels of motion."""

_LARGEST_FACE: Final = 0.95
"""Face size that a kernel still has room for, sides of the image."""


@keras.saving.register_keras_serializable("ethos")
class MotionBlur(Degradation):
    """Convolves with a path, straight or bent, whose mean stays where it was.

    Args:
      length: of the path, in face sizes: a number or (low, high), drawn evenly.
      angle: of its middle, degrees, from x towards y.
      bend: by how much the direction turns from end to end, degrees.
      straight: how often the path is a line, 0-1.
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
        """Point spread functions for images of a size: (B, K, K), K odd.

        Args:
          parameters: out of `draw`.
          size: longer side of the images, pixels.
        """
        length = parameters["length"][:, None] * np.float32(size)
        along = (np.arange(_POINTS, dtype=np.float32) + 0.5) / _POINTS - 0.5
        # An arc's point is its chord: s * sin(h) / h long, turned by half its bend h.
        half = parameters["bend"][:, None] * along / 2
        safe = ops.where(ops.abs(half) < 1e-3, 1.0, half)
        shrink = ops.where(ops.abs(half) < 1e-3, 1 - half**2 / 6, ops.sin(safe) / safe)
        chord = length * along * shrink
        direction = parameters["angle"][:, None] + half
        x, y = chord * ops.cos(direction), chord * ops.sin(direction)
        # The mean of the path stays where it was, and so do the landmarks.
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
