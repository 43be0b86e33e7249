"""Grading: a sound picture of another brightness and contrast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ethos_data.degrade.base import (
    Degradation,
    Parameters,
    as_range,
    log_uniform,
    per_image,
)


@keras.saving.register_keras_serializable("ethos")
class Grading(Degradation):
    """Darkens, fades and bends the tones, as scenes and their makers differ.

    No degradation: there is nothing to restore. In training it comes before them and
    changes what a restored image is compared with. A dark picture without the noise of
    too little light is then one that was meant to be dark.

    Args:
      white: what white becomes, 1 = white: a number or (low, high), drawn evenly.
        Above 1, what is bright is lost.
      black: what black becomes, 0-1.
      gamma: exponent of the values in between; drawn evenly in its logarithm.
    """

    def __init__(
        self,
        white: Any = (0.4, 1.2),
        *,
        black: Any = (0.0, 0.1),
        gamma: Any = (0.5, 2.0),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.white = as_range("white", white)
        self.black = as_range("black", black)
        self.gamma = as_range("gamma", gamma, 0.01)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        return {
            "white": uniform(*self.white),
            "black": uniform(*self.black),
            "gamma": log_uniform(uniform, self.gamma),
        }

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        white, black = per_image(parameters["white"]), per_image(parameters["black"])
        tones = ops.power(
            ops.maximum(images, 0.0) / np.float32(255), per_image(parameters["gamma"])
        )
        # Whole values, as such a picture would have been stored.
        return ops.round(255.0 * (black + (white - black) * tones))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "white": self.white,
            "black": self.black,
            "gamma": self.gamma,
        }
