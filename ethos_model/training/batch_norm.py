"""Batch norm of the network: folded into the kernels, or adapted to other images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import layers, ops


def batch_norm_layers(model: keras.Model) -> list[Any]:
    """All batch normalisation layers of a model and of the models inside it."""
    norms = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            norms += batch_norm_layers(layer)
        elif isinstance(layer, layers.BatchNormalization):
            norms.append(layer)
    return norms


def fold(model: keras.Model) -> None:
    """Multiplies the factor of each batch norm into the convolution before it.

    The function of the model stays the same. Afterwards a batch norm only adds a bias.
    It also multiplies by a factor if its input is a sum of several convolutions.

    Args:
      model: Network from `network.build`. It is changed in place.
    """
    for norm in batch_norm_layers(model):
        deviation = np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
        scale = norm.gamma.numpy() / deviation
        norm.beta.assign(norm.beta.numpy() - norm.moving_mean.numpy() * scale)
        norm.moving_mean.assign(np.zeros_like(scale))
        norm.moving_variance.assign(np.full_like(scale, 1 - norm.epsilon))
        kernel = _kernel_before(norm)
        if kernel is None:
            norm.gamma.assign(scale)
        else:
            _multiply_channels(kernel, scale)
            norm.gamma.assign(np.ones_like(scale))


def adapt(model: keras.Model, images: Iterable[Any]) -> None:
    """Replaces the moving statistics by those of some images; the function stays.

    Training normalises with the statistics of each batch. If the images differ from
    those of the previous training, this would change the function of the model before
    the first step. Therefore the scale and the offset of each layer change as well.

    Args:
      model: Network from `network.build`. It is changed in place.
      images: Batches (N, S, S, 3), uint8 or float32 in [0, 255].
    """
    for norm, mean, variance in _input_moments(model, images):
        before = np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
        scale = norm.gamma.numpy() / before
        offset = norm.beta.numpy() - scale * norm.moving_mean.numpy()
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign(variance)
        norm.gamma.assign(scale * np.sqrt(variance + norm.epsilon))
        norm.beta.assign(offset + scale * mean)


def _input_moments(
    model: keras.Model, images: Iterable[Any]
) -> list[tuple[Any, np.ndarray, np.ndarray]]:
    """Mean and variance (C,) of the input of each batch norm, without training."""
    norms = batch_norm_layers(model)
    moments: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {
        norm.name: [] for norm in norms
    }

    def recording(norm: Any) -> Any:
        call = norm.call

        def record(inputs: Any, **kwargs: Any) -> Any:
            mean, variance = ops.moments(ops.cast(inputs, "float32"), axes=(0, 1, 2))
            moments[norm.name].append((np.asarray(mean), np.asarray(variance)))
            return call(inputs, **kwargs)

        return record

    for norm in norms:
        norm.call = recording(norm)
    try:
        for batch in images:
            model(batch, training=False)
    finally:
        for norm in norms:
            del norm.call  # the method of the class
    measured = []
    for norm in norms:
        means, variances = map(np.stack, zip(*moments[norm.name], strict=True))
        variance = variances.mean(axis=0) + means.var(axis=0)
        measured.append((norm, means.mean(axis=0), variance))
    return measured


def _kernel_before(norm: Any) -> Any:
    """Kernel of the convolution whose output a batch norm receives.

    Returns:
      A variable with the output channels last: (K, K, I, C), or (K, K, C, 1) of a
      depthwise convolution. None if the input is a sum of several convolutions.
    """
    before = norm.input._keras_history.operation
    if isinstance(before, layers.Conv2D | layers.DepthwiseConv2D):
        return before.kernel
    return None


def _multiply_channels(kernel: Any, factor: np.ndarray) -> None:
    """Multiplies each output channel of a kernel by its factor (C,)."""
    values = kernel.numpy()
    scaled = values.reshape(-1, len(factor)) * factor
    kernel.assign(scaled.reshape(values.shape))
