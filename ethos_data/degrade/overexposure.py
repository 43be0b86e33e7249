"""Overexposure: the sensor receives too much light."""

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
    """Multiplies the image by a gain. Bright parts are clipped to white.

    Args:
      gain: Factor of the light, at least 1: a number or (low, high). Its logarithm is
        drawn uniformly.
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
