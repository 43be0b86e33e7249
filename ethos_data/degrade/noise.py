"""Sensor noise: noise of an amplified image whose brightness is correct."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from ethos_data.degrade import draws
from ethos_data.degrade.base import (
    Degradation,
    Parameters,
    as_range,
    log_uniform,
    per_image,
)


@keras.saving.register_keras_serializable("ethos")
class SensorNoise(Degradation):
    """Adds noise that is partly proportional to the signal and partly grey.

    Each range is a number or (low, high).

    Args:
      sigma: Standard deviation at the value 128, in grey levels. Its logarithm is drawn
        uniformly.
      shot: Fraction of the variance at 128 that is proportional to the value, 0 to 1.
      grey: Fraction of the variance that is common to the three channels, 0 to 1.
    """

    def __init__(
        self,
        sigma: Any = (2, 30),
        *,
        shot: Any = (0, 1),
        grey: Any = (0, 1),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.sigma = as_range("sigma", sigma, 1e-3)
        self.shot = as_range("shot", shot)
        self.grey = as_range("grey", grey)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        return {
            "sigma": log_uniform(uniform, self.sigma),
            "shot": uniform(*self.shot),
            "grey": uniform(*self.grey),
        }

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        sigma, shot, grey = (
            per_image(parameters[name]) for name in ("sigma", "shot", "grey")
        )
        height, width = images.shape[1:3]
        noise = draws.normal(parameters["key"], (height, width, 4))
        noise = ops.sqrt(1 - grey) * noise[..., :3] + ops.sqrt(grey) * noise[..., 3:]
        variance = (1 - shot) + shot * (images / 128.0)
        return images + sigma * ops.sqrt(variance) * noise

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "sigma": self.sigma,
            "shot": self.shot,
            "grey": self.grey,
        }
