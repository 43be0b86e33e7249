"""Partial occlusion: a hand, a microphone or a subtitle covers part of the face."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ethos_data.degrade import draws
from ethos_data.degrade.base import Degradation, Parameters, as_range, per_image


@keras.saving.register_keras_serializable("ethos")
class Occlusion(Degradation):
    """Covers a rotated rectangle or ellipse with a noisy colour.

    Args:
      area: Covered area, in squared face sizes: a number or (low, high), drawn
        uniformly.
      shift: Maximum distance of its centre from the centre of the image along each
        axis, in face sizes.
      texture: Standard deviation of the noise on the cover, in grey levels: a number or
        (low, high), drawn uniformly.
    """

    def __init__(
        self,
        area: Any = (0.02, 0.25),
        *,
        shift: float = 0.4,
        texture: Any = (0, 25),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.area = as_range("area", area)
        self.shift = float(shift)
        self.texture = as_range("texture", texture)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        size = ops.sqrt(uniform(*self.area)) * face_size
        aspect = ops.exp(uniform(-0.7, 0.7))
        return {
            "width": size * aspect,
            "height": size / aspect,
            "x": 0.5 + uniform(-self.shift, self.shift) * face_size,
            "y": 0.5 + uniform(-self.shift, self.shift) * face_size,
            "angle": uniform(0, math.pi),
            "round": uniform() < 0.5,
            "texture": uniform(*self.texture),
            "grey": uniform(30, 220),
            "red": uniform(-30, 30),
            "green": uniform(-30, 30),
            "blue": uniform(-30, 30),
        }

    def covers(self, points: Any, parameters: Parameters) -> Any:
        """Returns which points of the images are covered.

        Args:
          points: x and y, float32 (B, P, 2), as fractions of the longer side of the
            image.
          parameters: Result of `draw` for B images.

        Returns:
          bool (B, P).
        """
        covered = _covered(points[..., 0], points[..., 1], parameters)
        return ops.logical_and(covered, parameters["degraded"][:, None])

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        height, width = images.shape[1:3]
        longer = max(height, width)
        # Pixel centres, as fractions of the longer side of the image.
        x = (np.arange(width, dtype=np.float32) + 0.5) / longer
        y = (np.arange(height, dtype=np.float32) + 0.5) / longer
        covered = _covered(x[None, None, :], y[None, :, None], parameters)[..., None]
        colour = ops.stack([parameters[c] for c in ("red", "green", "blue")], axis=-1)
        colour = colour + parameters["grey"][:, None]
        noise = draws.normal(parameters["key"], (height, width, 1))
        cover = colour[:, None, None, :] + per_image(parameters["texture"]) * noise
        return ops.where(covered, cover, images)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "area": self.area,
            "shift": self.shift,
            "texture": self.texture,
        }


def _covered(x: Any, y: Any, parameters: Parameters) -> Any:
    """Which positions are covered; x and y have the axis B first, or the length 1."""
    p = {
        name: ops.reshape(parameters[name], (-1, *[1] * (len(x.shape) - 1)))
        for name in ("x", "y", "angle", "width", "height", "round")
    }
    x, y = x - p["x"], y - p["y"]
    cos, sin = ops.cos(p["angle"]), ops.sin(p["angle"])
    across = ops.abs(x * cos + y * sin) / p["width"]
    along = ops.abs(y * cos - x * sin) / p["height"]
    # Both shapes have the area width * height.
    box = ops.maximum(across, along) < 0.5
    ellipse = (across**2 + along**2) < np.float32(1 / math.pi)
    return ops.where(p["round"], ellipse, box)
