"""Grading: changes of brightness, contrast and colour that are not degradations."""

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
    """Changes brightness, contrast, tone curve and colour of an image.

    Scenes and cameras differ in these, so there is nothing to restore. In training,
    grading is applied before the degradations and to the target of the restored image
    as well. The network then learns to keep an image dark if it has no noise of poor
    light.

    Each range is a number or (low, high).

    Args:
      white: Value that white becomes, where 1 is white. Above 1, bright parts are
        clipped.
      black: Value that black becomes, 0 to 1.
      gamma: Exponent of the tone curve. Its logarithm is drawn uniformly. Where `white`
        is above 1, the larger of gamma and 1 / gamma is used. This gives an image of
        high contrast and not an overexposed one, which would have to be restored.
      saturation: Factor of the distance from grey (BT.601). 0 gives a grey image, 1
        changes nothing.
      tint: Maximum factor by which a channel is amplified or attenuated; 1 changes
        nothing. The luma of white is kept. 3 covers lamps, shade and the green of night
        vision.
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
        # Round, because such an image would have been stored with 8 bits.
        return ops.round(255.0 * coloured * parameters["gains"][:, None, None, :])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "white": self.white,
            "black": self.black,
            "gamma": self.gamma,
            "saturation": self.saturation,
            "tint": self.tint,
        }
