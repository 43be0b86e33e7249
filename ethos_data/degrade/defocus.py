"""Defocus: the lens is focused on another distance."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ethos_data.degrade import kernels
from ethos_data.degrade.base import Degradation, Parameters, as_range

_LARGEST_FACE: Final = 0.95
"""Largest face size for which kernels have room, as a fraction of the image's side."""


@keras.saving.register_keras_serializable("ethos")
class Defocus(Degradation):
    """Blurs with a disc, which is the image of a point that is out of focus.

    Args:
      radius: Radius of the disc, in face sizes: a number or (low, high), drawn
        uniformly.
    """

    def __init__(self, radius: Any = (0.01, 0.08), **kwargs: Any):
        super().__init__(**kwargs)
        self.radius = as_range("radius", radius)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        face_size = ops.minimum(face_size, _LARGEST_FACE)
        return {"radius": uniform(*self.radius) * face_size}

    def kernels(self, parameters: Parameters, size: int) -> Any:
        """Builds the blur kernels. See `MotionBlur.kernels`."""
        reach = math.ceil(self.radius[1] * _LARGEST_FACE * size) + 1
        return kernels.disc_kernels(parameters["radius"] * np.float32(size), reach)

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        size = max(images.shape[1:3])
        return kernels.convolve(images, self.kernels(parameters, size))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"radius": self.radius}
