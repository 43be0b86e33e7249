"""The base class of all degradations, and functions for their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from ethos_data.degrade import draws

NOMINAL_FACE: Final = 0.74
"""Default face size, as a fraction of the side of the network's window.

Over 193 YouTube Faces videos, the mean of sqrt(width * height) / (1.3 * longer side) of
the face box is 0.743."""

Range = tuple[float, float]
Parameters = dict[str, Any]


class Degradation(keras.layers.Layer):
    """A Keras layer that degrades images in one way.

    A subclass implements `draw_parameters`, which turns random numbers into tensors of
    shape (B,), and `degrade`, a deterministic function of images and parameters.
    Lengths are drawn relative to the face size and stored relative to the side of the
    image.

    Args:
      share: Fraction of the images that are degraded, 0 to 1. The others pass
        unchanged.
    """

    def __init__(self, *, share: float = 1.0, name: str | None = None, **kwargs: Any):
        if not 0 <= share <= 1:
            raise ValueError(f"share must be within 0 and 1. Received: share={share}")
        # float16 has steps of 1/8 near 255, so Keras must not cast the images.
        kwargs |= {"autocast": False, "trainable": False}
        super().__init__(name=name, **kwargs)
        self.share = float(share)
        self.built = True

    def draw(self, batch_size: Any, seed: Any, face_size: Any = None) -> Parameters:
        """Draws the parameters of a batch.

        Args:
          batch_size: Number of images B, as an int or a scalar tensor.
          seed: Int or integer tensor.
          face_size: float32 (B,), sqrt(width * height) of each face box as a fraction
            of the side of the image. None uses `NOMINAL_FACE`.

        Returns:
          A dictionary of tensors whose first axis is B.
        """
        key = draws.keys(seed, batch_size)
        if face_size is None:
            face_size = NOMINAL_FACE + draws.uniform(key, 0, 0.0, 0.0)
        face_size = ops.cast(ops.convert_to_tensor(face_size), "float32")
        streams = iter(range(1, 1 << 16))

        def uniform(low: float = 0.0, high: float = 1.0) -> Any:
            return draws.uniform(key, next(streams), low, high)

        parameters = self.draw_parameters(uniform, face_size)
        degraded = draws.uniform(key, 0) < np.float32(self.share)
        return parameters | {"degraded": degraded, "key": key}

    def draw_parameters(
        self, uniform: Callable[..., Any], face_size: Any
    ) -> Parameters:
        """Draws the parameters of the subclass.

        Args:
          uniform: Function `uniform(low, high)` that returns float32 (B,), new random
            numbers in [low, high) at each call.
          face_size: float32 (B,), as in `draw`.

        Returns:
          A dictionary of tensors whose first axis is B.
        """
        raise NotImplementedError

    def apply(self, images: Any, parameters: Parameters) -> Any:
        """Degrades a batch with the parameters that `draw` returned.

        Args:
          images: (B, H, W, 3), 0 to 255, uint8 or float.
          parameters: Result of `draw` for B images.

        Returns:
          Degraded images of the same shape, dtype and range.
        """
        images = ops.convert_to_tensor(images)
        dtype = keras.backend.standardize_dtype(images.dtype)
        degraded = self.degrade(ops.cast(images, "float32"), parameters)
        degraded = ops.clip(degraded, 0.0, 255.0)
        if "int" in dtype:
            degraded = ops.round(degraded)
        chosen = per_image(parameters["degraded"])
        return ops.where(chosen, ops.cast(degraded, dtype), images)

    def degrade(self, images: Any, parameters: Parameters) -> Any:
        """Degrades all images.

        Args:
          images: float32 (B, H, W, 3), 0 to 255.
          parameters: Result of `draw`.

        Returns:
          float32 (B, H, W, 3). Values outside 0 to 255 are clipped by `apply`.
        """
        raise NotImplementedError

    def call(self, images: Any, face_size: Any = None, seed: Any = 0) -> Any:
        """Draws parameters and applies them. See `draw` and `apply`."""
        images = ops.convert_to_tensor(images)
        return self.apply(images, self.draw(ops.shape(images)[0], seed, face_size))

    def compute_output_shape(self, images_shape: Any, *_: Any, **__: Any) -> Any:
        return images_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"share": self.share}


def as_range(name: str, value: Any, least: float = 0.0) -> Range:
    """Converts a number or a pair of numbers to a checked pair.

    Args:
      name: Name of the argument, for the error message.
      value: A number, or (low, high).
      least: Smallest allowed value.

    Raises:
      ValueError: The pair is not in order, or starts below `least`.
    """
    low, high = (value, value) if np.ndim(value) == 0 else value
    if not (least <= low <= high < np.inf):
        raise ValueError(
            f"{name} must be a number or (low, high) from {least:g}. "
            f"Received: {name}={value}"
        )
    return float(low), float(high)


def log_uniform(uniform: Callable[..., Any], bounds: Range) -> Any:
    """Draws numbers whose logarithm is uniform.

    Args:
      uniform: Function `uniform(low, high)` that returns float32 (B,).
      bounds: Smallest and largest number, both positive.

    Returns:
      float32 (B,).
    """
    low, high = bounds
    if low == high:
        return uniform(low, high)
    return ops.exp(uniform(np.log(low), np.log(high)))


def per_image(values: Any) -> Any:
    """Reshapes (B,) to (B, 1, 1, 1), so that it broadcasts over images."""
    return values[:, None, None, None]
