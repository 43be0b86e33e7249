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

CANDIDATES: Final = 5
"""Images that are mixed: the frame, the mean, the sharp mean, and two blurred means,
which allow the network to remove the noise of a single frame."""

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
    out = layers.Conv2DTranspose(
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


def candidates(inputs: Any) -> list[Any]:
    """Returns the images that are mixed, each (N, S, S, 3).

    The blurred means have standard deviations of 1 and 2.2 pixels.

    Args:
      inputs: (N, S, S, 12), the input of the network.
    """
    mean = inputs[..., 3:6]
    little = _blurred(mean, 1)
    return [inputs[..., :3], mean, inputs[..., 6:9], little, _blurred(little, 2)]


def _blurred(image: Any, step: int) -> Any:
    """Applies a binomial filter whose taps are `step` pixels apart."""
    taps = np.array([1, 4, 6, 4, 1], np.float32) / 16
    kernel = np.repeat(np.outer(taps, taps)[..., None, None], 3, axis=2)
    margin = (2 * step, 2 * step)
    padded = keras.ops.pad(image, ((0, 0), margin, margin, (0, 0)), mode="reflect")
    return keras.ops.depthwise_conv(
        padded, keras.ops.convert_to_tensor(kernel), dilation_rate=step
    )


@keras.saving.register_keras_serializable("ethos")
class Combine(layers.Layer):
    """Mixes the candidates, adds the correction and separates sigma."""

    def call(self, values: list[Any]) -> tuple[Any, Any]:
        inputs, out = values
        shares = keras.ops.softmax(out[..., :CANDIDATES], axis=-1)
        image = out[..., CANDIDATES : CANDIDATES + 3]
        for k, candidate in enumerate(candidates(inputs)):
            image += shares[..., k : k + 1] * candidate
        # exp(-3.5) = 0.03 is a usual error.
        return image, keras.ops.exp(out[..., -1:] - 3.5)


def export(model: keras.Model, directory: str, size: int, card: dict[str, Any]) -> None:
    """Writes the trainable weights, a SavedModel, a LiteRT file and the card.

    Args:
      model: Network of `build`.
      directory: An existing, empty directory.
      size: Side of the images that the LiteRT file accepts.
      card: Content of the card in addition to its format.

    Raises:
      EthosError: LiteRT and the SavedModel compute different values.
    """
    model.save_weights(os.path.join(directory, WEIGHTS))
    spec = tf.TensorSpec((None, size, size, runtime.CHANNELS), tf.float32, "inputs")

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
