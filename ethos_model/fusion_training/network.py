"""The fusion network, and how it is exported."""

from __future__ import annotations

import json
import os
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from ethos_data.errors import EthosError
from ethos_data.quiet import quiet_libraries
from ethos_model.footage.fusion import network as runtime

WIDTHS: Final = (16, 32, 48, 64)
"""Channels at a half, a quarter, an eighth and a sixteenth of the resolution."""

CANDIDATES: Final = 7
"""Images that are mixed: the frame, the mean, the sharp mean, and frame and mean, each
with two strengths of blur. The blurred ones have less noise where frames differ from
each other, as in a mouth that speaks, and when there is only one frame."""

WEIGHTS: Final = "fusion.weights.h5"

_TOLERANCE: Final = 5e-3
"""Largest difference of the outputs of LiteRT and the SavedModel."""


def build() -> keras.Model:
    """Returns a U-Net (Ronneberger et al., 2015) for images of any size.

    It chooses at each pixel between the candidates, adds a correction, and estimates
    the error. Width and height of the input must be multiples of 16.

    Returns:
      A model from float32 (N, S, S, 12), see `FaceFusion.inputs`, to a dict of `image`
      float32 (N, S, S, 3) and `sigma` float32 (N, S, S, 1).
    """
    inputs = keras.Input((None, None, runtime.CHANNELS), name="inputs")
    skips, x = [], inputs
    for level, width in enumerate(WIDTHS):
        x = _convolved(x, width, f"down{level}", size=2 if level == 0 else 3, stride=2)
        x = _convolved(x, width, f"at{level}")
        skips.append(x)
    for level in reversed(range(len(WIDTHS) - 1)):
        x = layers.Conv2D(WIDTHS[level], 1, name=f"narrow{level}")(x)
        x = layers.UpSampling2D(interpolation="bilinear", name=f"larger{level}")(x)
        x = layers.Add(name=f"skip{level}")([x, skips[level]])
        x = _convolved(x, WIDTHS[level], f"up{level}")
    out = Conv2DTranspose(
        CANDIDATES + 4, 2, strides=2, kernel_initializer="zeros", name="out"
    )(x)
    image, sigma = Combine(name="combine")([inputs, out])
    return keras.Model(inputs, {"image": image, "sigma": sigma}, name="fusion")


def _convolved(x: Any, width: int, name: str, *, size: int = 3, stride: int = 1) -> Any:
    x = layers.Conv2D(
        width,
        size,
        strides=stride,
        padding="same",
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return layers.LeakyReLU(0.1, name=f"{name}_relu")(x)


@keras.saving.register_keras_serializable("ethos")
class Conv2DTranspose(layers.Conv2DTranspose):
    """The layer of Keras for a kernel and a stride of 2 x 2, where no pixels overlap.

    Each pixel becomes four, so it is a product of matrices, which LiteRT computes in a
    quarter of the time. The name is that of the Keras layer because files of weights
    contain it.
    """

    def call(self, inputs: Any) -> Any:
        kernel = keras.ops.transpose(self.kernel, (3, 0, 1, 2))
        kernel = keras.ops.reshape(kernel, (1, 1, -1, 4 * self.filters))
        return tf.nn.depth_to_space(keras.ops.conv(inputs, kernel), 2) + self.bias


def candidates(planes: Any) -> list[Any]:
    """Returns the images that are mixed, each (N, 3, S, S).

    The blur has standard deviations of 1 and 2.2 pixels.

    Args:
      planes: (N, 12, S, S), the channels of the input of the network.
    """
    frame, mean, sharp = (planes[:, k : k + 3] for k in (0, 3, 6))
    little = _blurred(planes[:, :6], 1)
    more = _blurred(little, 2)
    blurred = [blur[:, k : k + 3] for blur in (little, more) for k in (0, 3)]
    return [frame, mean, sharp, *blurred]


def _blurred(planes: Any, step: int) -> Any:
    """Applies a binomial filter whose taps are `step` pixels apart."""
    for _ in range(2):
        planes = keras.ops.transpose(_blurred_rows(planes, step), (0, 1, 3, 2))
    return planes


def _blurred_rows(planes: Any, step: int) -> Any:
    """Filters (N, C, H, W) along H, with W as channels, which is fast."""
    shape = keras.ops.shape(planes)
    taps = np.zeros((4 * step + 1, 1, 1, 1), np.float32)
    taps[::step, 0, 0, 0] = np.array([1, 4, 6, 4, 1]) / 16
    rows = keras.ops.reshape(planes, (-1, shape[2], 1, shape[3]))
    kernel = keras.ops.repeat(keras.ops.convert_to_tensor(taps), shape[3], axis=2)
    rows = keras.ops.depthwise_conv(_mirrored(rows, 2 * step), kernel)
    return keras.ops.reshape(rows, shape)


def _mirrored(rows: Any, margin: int) -> Any:
    """Continues (N, H, ...) along H without repeating the edge."""
    last = keras.ops.shape(rows)[1] - 1
    index = keras.ops.abs(keras.ops.arange(-margin, last + margin + 1))
    return keras.ops.take(rows, last - keras.ops.abs(last - index), axis=1)


@keras.saving.register_keras_serializable("ethos")
class Combine(layers.Layer):
    """Mixes the candidates, adds the correction and separates sigma.

    The channels become planes, because operations on three channels are slow.
    """

    def call(self, values: list[Any]) -> tuple[Any, Any]:
        planes, out = (keras.ops.transpose(value, (0, 3, 1, 2)) for value in values)
        # The gradient of a split is one concatenation, that of a slice a full array.
        logits, image, sigma = keras.ops.split(out, [CANDIDATES, CANDIDATES + 3], 1)
        highest = keras.ops.stop_gradient(keras.ops.max(logits, axis=1, keepdims=True))
        shares = keras.ops.exp(logits - highest)
        shares = shares / keras.ops.sum(shares, axis=1, keepdims=True)
        shares = keras.ops.split(shares, CANDIDATES, 1)
        for share, candidate in zip(shares, candidates(planes), strict=True):
            image += share * candidate
        # exp(-3.5) = 0.03 is a usual error. The limits keep a step that is too large
        # from making the loss infinite.
        sigma = keras.ops.exp(keras.ops.clip(sigma - 3.5, -10.0, 3.0))
        image, sigma = (keras.ops.transpose(x, (0, 2, 3, 1)) for x in (image, sigma))
        return image, sigma


def export(model: keras.Model, directory: str, size: int, card: dict[str, Any]) -> None:
    """Writes the trainable weights, a SavedModel, a LiteRT file and the card.

    Args:
      model: Network of `build`.
      directory: An existing, empty directory.
      size: Side of the images that the SavedModel and the LiteRT file accept.
      card: Content of the card in addition to its format.

    Raises:
      EthosError: LiteRT and the SavedModel compute different values.
    """
    model.save_weights(os.path.join(directory, WEIGHTS))
    # With any number of images, LiteRT would run the last operations without XNNPACK.
    spec = tf.TensorSpec((1, size, size, runtime.CHANNELS), tf.float32, "inputs")

    @tf.function(input_signature=[spec])
    def serve(inputs: Any) -> dict[str, Any]:
        return model(inputs, training=False)

    # Constants instead of variables: the file needs nothing of Keras, and loads faster.
    frozen = convert_variables_to_constants_v2(serve.get_concrete_function())

    @tf.function(input_signature=[spec])
    def constant(inputs: Any) -> dict[str, Any]:
        # The outputs of a flattened dict are in the order of their names.
        return dict(zip(("image", "sigma"), frozen(inputs), strict=True))

    saved = os.path.join(directory, runtime.SAVED)
    module = tf.Module()
    module.serve = constant
    tf.saved_model.save(
        module, saved, signatures={runtime.SIGNATURE: constant.get_concrete_function()}
    )
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    with quiet_libraries():
        content = converter.convert()
    with open(os.path.join(directory, runtime.LITE), "wb") as file:
        file.write(content)
    fixed = {"format_version": runtime.FORMAT_VERSION, "channels": runtime.CHANNELS}
    with open(os.path.join(directory, runtime.CARD), "w", encoding="utf-8") as text:
        text.write(json.dumps(fixed | {"size": size} | card, indent=2) + "\n")
    _check(directory, serve, size)


def _check(directory: str, serve: Any, size: int) -> None:
    inputs = np.random.default_rng(0).random((size, size, runtime.CHANNELS), np.float32)
    image, sigma = runtime.FusionNetwork(directory)(inputs)
    expected = serve(tf.constant(inputs[None]))
    for name, value in (("image", image), ("sigma", sigma[..., None])):
        difference = float(np.abs(expected[name].numpy()[0] - value).max())
        if not difference <= _TOLERANCE:
            raise EthosError(
                f"{runtime.LITE}: {name} differs from the SavedModel by "
                f"{difference:.2g} (limit {_TOLERANCE:g})"
            )
