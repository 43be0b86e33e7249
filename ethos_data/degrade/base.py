"""What all degradations share: drawing apart from applying, types and ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ethos_data.degrade import draws

NOMINAL_FACE: Final = 0.74
"""Face size in the network's window when nobody says otherwise, in sides of the window.
The mean of sqrt(w * h) / (1.3 x longer side) over 193 YouTube Faces videos is 0.743."""

Range = tuple[float, float]
Parameters = dict[str, Any]


class Degradation(keras.layers.Layer):
    """One way in which footage is bad.

    A subclass has `draw_parameters`, which makes (B,) tensors out of random numbers,
    and `degrade`, a deterministic function of images and parameters. Lengths are drawn
    in face sizes and handed on in sides of the image.

    Args:
      share: how many of the images are touched, 0-1; the others pass unchanged.
    """

    def __init__(self, *, share: float = 1.0, name: str | None = None, **kwargs: Any):
        if not 0 <= share <= 1:
            raise ValueError(f"share must be within 0 and 1. Received: share={share}")
        # 0..255 in float16 has steps of 1/8; images must not be cast on the way in.
        kwargs |= {"autocast": False, "trainable": False}
        super().__init__(name=name, **kwargs)
        self.share = float(share)
        self.built = True

    def draw(self, batch_size: Any, seed: Any, face_size: Any = None) -> Parameters:
        """Parameters for a batch.

        Args:
          batch_size: B, an int or, where it is not known yet, a tensor.
          seed: int or integer tensor.
          face_size: (B,) sqrt(w * h) of the face box in sides of the image, or None.

        Returns:
          A dictionary of tensors with B in front.
        """
        key = draws.keys(seed, batch_size)
        if face_size is None:
            face_size = NOMINAL_FACE + draws.uniform(key, 0, 0.0, 0.0)
        face_size = ops.cast(ops.convert_to_tensor(face_size), "float32")
        streams = iter(range(1, 1 << 16))

        def uniform(low: float = 0.0, high: float = 1.0) -> Any:
            return draws.uniform(key, next(streams), low, high)

        parameters = self.draw_parameters(uniform, face_size)
        touched = draws.uniform(key, 0) < np.float32(self.share)
        return parameters | {"touched": touched, "key": key}

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        """Parameters out of as many calls of uniform(low, high) -> (B,) as it takes."""
        raise NotImplementedError

    def apply(self, images: Any, parameters: Parameters) -> Any:
        """Degrades a batch with parameters out of `draw`.

        Args:
          images: (B, H, W, 3), 0..255, uint8 or float.
          parameters: for B images.

        Returns:
          Same shape, dtype and range.
        """
        images = ops.convert_to_tensor(images)
        dtype = keras.backend.standardize_dtype(images.dtype)
        worse = self.degrade(ops.cast(images, "float32"), parameters)
        worse = ops.clip(worse, 0.0, 255.0)
        if "int" in dtype:
            worse = ops.round(worse)
        touched = parameters["touched"][:, None, None, None]
        return ops.where(touched, ops.cast(worse, dtype), images)

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        """float32 (B, H, W, 3) to the same; may leave the range."""
        raise NotImplementedError

    def call(self, images: Any, face_size: Any = None, seed: Any = 0) -> Any:
        """Draws and applies; see `draw` and `apply`."""
        images = ops.convert_to_tensor(images)
        return self.apply(images, self.draw(ops.shape(images)[0], seed, face_size))

    def compute_output_shape(self, images_shape: Any, *_: Any, **__: Any) -> Any:
        return images_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"share": self.share}


def as_range(name: str, value: Any, least: float = 0.0) -> Range:
    """A number or a pair of numbers, checked, as a pair.

    Raises:
      ValueError: the pair is not in order or starts below `least`.
    """
    low, high = (value, value) if np.ndim(value) == 0 else value
    if not (least <= low <= high < np.inf):
        raise ValueError(
            f"{name} must be a number or (low, high) from {least:g}. "
            f"Received: {name}={value}"
        )
    return float(low), float(high)


def log_uniform(uniform: Callable[..., Any], bounds: Range) -> Any:
    """Evenly in the logarithm: a factor of two is as likely anywhere in the range."""
    low, high = bounds
    if low == high:
        return uniform(low, high)
    return ops.exp(uniform(np.log(low), np.log(high)))


def per_image(values: Any) -> Any:
    """(B,) to (B, 1, 1, 1)."""
    return values[:, None, None, None]
