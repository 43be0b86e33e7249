"""Grading: a sound picture of another brightness, contrast and colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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
from ethos_data.grey import LUMA

_LUMA: Final = np.asarray(LUMA, np.float32)


@keras.saving.register_keras_serializable("ethos")
class Grading(Degradation):
    """Darkens, fades, bends tones and colours, as scenes, cameras and makers differ.

    No degradation: there is nothing to restore. In training it comes before them and
    changes what a restored image is compared with. A dark picture without the noise of
    too little light is then one that was meant to be dark.

    Args:
      white: what white becomes, 1 = white: a number or (low, high), drawn evenly.
        Above 1, what is bright is lost.
      black: what black becomes, 0-1.
      gamma: exponent of the values in between; drawn evenly in its logarithm. Where
        white is above 1, its inverse if that is larger: a picture of hard contrast,
        not one with too much light, which would be there to be restored.
      saturation: distance from grey (BT.601), 0 = black and white, 1 = as it was.
      tint: how many times a channel may be strengthened or weakened, 1 = not; white
        keeps its grey value. 3 holds lamps, shade and the green of night vision.
    """

    def __init__(
        self,
        white: Any = (0.4, 1.6),
        *,
        black: Any = (0.0, 0.1),
        gamma: Any = (0.5, 2.0),
        saturation: Any = (0.0, 1.5),
        tint: Any = (1.0, 3.0),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.white = as_range("white", white)
        self.black = as_range("black", black)
        self.gamma = as_range("gamma", gamma, 0.01)
        self.saturation = as_range("saturation", saturation)
        self.tint = as_range("tint", tint, 1.0)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        white, gamma = uniform(*self.white), log_uniform(uniform, self.gamma)
        parameters = {
            "white": white,
            "black": uniform(*self.black),
            "gamma": ops.where(white > 1, ops.maximum(gamma, 1 / gamma), gamma),
            "saturation": uniform(*self.saturation),
        }
        strength = ops.log(log_uniform(uniform, self.tint))
        gains = ops.stack([ops.exp(strength * uniform(-1.0, 1.0)) for _ in "rgb"], -1)
        weight = ops.sum(gains * _LUMA, axis=-1, keepdims=True)
        return parameters | {"gains": gains / weight}

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        white, black = per_image(parameters["white"]), per_image(parameters["black"])
        tones = ops.power(
            ops.maximum(images, 0.0) / np.float32(255), per_image(parameters["gamma"])
        )
        toned = black + (white - black) * tones
        grey = ops.sum(toned * _LUMA, axis=-1, keepdims=True)
        coloured = grey + per_image(parameters["saturation"]) * (toned - grey)
        # Whole values, as such a picture would have been stored.
        return ops.round(255.0 * coloured * parameters["gains"][:, None, None, :])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "white": self.white,
            "black": self.black,
            "gamma": self.gamma,
            "saturation": self.saturation,
            "tint": self.tint,
        }
