"""The loss of the fusion network, and its measures during training."""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import ops

from ethos_data.grey import LUMA

QUANTILE: Final = 0.6827
"""Share of the errors that must be smaller than sigma, as in a normal distribution."""

SIGMA_WEIGHT: Final = 0.2
"""Weight of the loss of sigma relative to the loss of the image in decades."""

_SMALLEST_SQUARE: Final = 1e-4
"""Mean squared error (40 dB) below which an image hardly has to improve. With a smaller
value, clean images determine the gradient, and the network learns to change nothing."""

_SMALLEST_ERROR: Final = 1e-3
"""Error of the brightness that counts as none: a quarter of a grey level."""


def total(outputs: dict[str, Any], batch: dict[str, Any]) -> Any:
    """Returns the mean loss of a batch.

    The loss of an image is the logarithm of its mean squared error, which is its PSNR
    apart from a factor, so that good and bad input count alike. The loss of sigma is
    the pinball loss (Koenker and Bassett, 1978) of the logarithm of the error, whose
    minimum is the quantile `QUANTILE` of the error at each pixel.

    Args:
      outputs: Result of the network.
      batch: See `rounds.stacked`.
    """
    mask = batch["mask"]
    square = mean_square(outputs["image"], batch["image"], mask)
    image_loss = ops.log10(square + _SMALLEST_SQUARE)
    error = ops.stop_gradient(ops.abs(luma(outputs["image"]) - batch["truth"]))
    sigma = outputs["sigma"] + _SMALLEST_ERROR
    left = ops.log(error + _SMALLEST_ERROR) - ops.log(sigma)
    pinball = ops.maximum(QUANTILE * left, (QUANTILE - 1) * left)
    sigma_loss = ops.sum(mask * pinball, (1, 2, 3)) / ops.sum(mask, (1, 2, 3))
    return ops.mean(image_loss + SIGMA_WEIGHT * sigma_loss)


def luma(image: Any) -> Any:
    """Returns the brightness (N, S, S, 1) of RGB images (N, S, S, 3)."""
    return ops.sum(image * ops.convert_to_tensor(LUMA, "float32"), -1, keepdims=True)


def mean_square(image: Any, other: Any, mask: Any) -> Any:
    """Returns the weighted mean squared difference of each pair of images, (N,)."""
    square = ops.mean((image - other) ** 2, -1, keepdims=True)
    return ops.sum(mask * square, (1, 2, 3)) / ops.sum(mask, (1, 2, 3))


def gain(outputs: dict[str, Any], batch: dict[str, Any]) -> Any:
    """Returns by how many dB each image is nearer to the target than the frame."""
    before = mean_square(batch["inputs"][..., :3], batch["image"], batch["mask"])
    after = mean_square(outputs["image"], batch["image"], batch["mask"])
    visible = 3e-5  # 45 dB; nobody sees smaller differences
    return 10 * (ops.log10(before + visible) - ops.log10(after + visible))


def coverage(outputs: dict[str, Any], batch: dict[str, Any]) -> Any:
    """Returns the share of the face's pixels whose error is below sigma, (N,)."""
    error = ops.abs(luma(outputs["image"]) - batch["truth"])
    inside = keras.ops.cast(batch["mask"] > 0.9, "float32")
    below = keras.ops.cast(error <= outputs["sigma"], "float32")
    return ops.sum(inside * below, (1, 2, 3)) / (ops.sum(inside, (1, 2, 3)) + 1e-6)
