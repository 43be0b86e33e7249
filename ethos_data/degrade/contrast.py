"""Loss of contrast: haze, a dirty lens or a faded recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ethos_data.degrade.base import Degradation, Parameters, as_range, per_image


@keras.saving.register_keras_serializable("ethos")
class ContrastLoss(Degradation):
    """Blends the image with a uniform grey.

    Each range is a number or (low, high) and is drawn uniformly.

    Args:
      contrast: Remaining fraction of the contrast, 0 to 1.
      veil: Grey level of the veil, 0 to 255.
    """

    def __init__(
        self, contrast: Any = (0.15, 0.8), *, veil: Any = (60, 200), **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.contrast = as_range("contrast", contrast)
        self.veil = as_range("veil", veil)

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        return {"contrast": uniform(*self.contrast), "veil": uniform(*self.veil)}

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        veil = per_image(parameters["veil"])
        return veil + (images - veil) * per_image(parameters["contrast"])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"contrast": self.contrast, "veil": self.veil}
