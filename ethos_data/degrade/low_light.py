"""Poor light: less signal and more sensor noise."""

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
class LowLight(Degradation):
    """Reduces the light, changes the gamma, adds shot and read noise, rounds to 8 bits.

    Pixel values are treated as linear light: a fifth of the light gives a fifth of the
    value. This is harder than a fifth of the photons in front of a camera's gamma
    curve. The published comparison does the same.

    Each range is a number or (low, high).

    Args:
      light: Remaining fraction of the light, above 0 and at most 1. Its logarithm is
        drawn uniformly.
      gamma: Exponent of the tone curve that is applied before the loss of light. Above
        1, the middle tones become darker. Its logarithm is drawn uniformly.
      electrons: Number of electrons at white before the loss of light. The shot noise
        has a standard deviation of 255 * sqrt(value / 255 / electrons) grey levels.
      read_noise: Standard deviation of the read noise, in grey levels.
    """

    def __init__(
        self,
        light: Any = (0.07, 0.6),
        *,
        gamma: Any = (0.8, 1.4),
        electrons: Any = (500, 5000),
        read_noise: Any = (0.3, 2.0),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.light = as_range("light", light, 1e-3)
        self.gamma = as_range("gamma", gamma, 0.1)
        self.electrons = as_range("electrons", electrons, 1.0)
        self.read_noise = as_range("read_noise", read_noise)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        return {
            "light": log_uniform(uniform, self.light),
            "gamma": log_uniform(uniform, self.gamma),
            "electrons": log_uniform(uniform, self.electrons),
            "read_noise": uniform(*self.read_noise),
        }

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        light, gamma, electrons, read_noise = (
            per_image(parameters[name])
            for name in ("light", "gamma", "electrons", "read_noise")
        )
        # exp(log(x) * gamma) is faster than ops.power, which would be the slowest step.
        signal = ops.exp(ops.log(ops.maximum(images, 1e-3) / 255.0) * gamma)
        signal = signal * (light * 255.0)
        noise = draws.normal(parameters["key"], tuple(images.shape[1:]))
        variance = signal * (255.0 / electrons) + read_noise**2
        return ops.round(ops.clip(signal + ops.sqrt(variance) * noise, 0, 255))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "light": self.light,
            "gamma": self.gamma,
            "electrons": self.electrons,
            "read_noise": self.read_noise,
        }
