"""Overexposure: too long a shutter, or a lamp too close."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ethos_data.degrade.base import (
    Degradation,
    Parameters,
    as_range,
    log_uniform,
    per_image,
)


@keras.saving.register_keras_serializable("ethos")
class Overexposure(Degradation):
    """More light than the sensor can count: bright parts clip to white.

    Args:
      gain: the light over the right amount, from 1; drawn evenly in the logarithm.
    """

    def __init__(self, gain: Any = (1.2, 4.0), **kwargs: Any):
        super().__init__(**kwargs)
        self.gain = as_range("gain", gain, 1.0)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        return {"gain": log_uniform(uniform, self.gain)}

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        return images * per_image(parameters["gain"])  # `apply` clips

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"gain": self.gain}
