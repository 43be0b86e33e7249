"""Batch norm as part of the kernels before it, and taken out of them again.

Folded, it costs nothing when a model is used. Training needs it whole: `unfold`
measures it on images, and the function stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import layers, ops


def norms(model: keras.Model) -> list[Any]:
    """Every batch norm layer, those of networks within it too."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += norms(layer)
        elif isinstance(layer, layers.BatchNormalization):
            found.append(layer)
    return found


def fold(model: keras.Model) -> None:
    """Multiplies what batch norm multiplies by into the convolution before it.

    The function stays the same. What is left of batch norm is a factor, 1 wherever a
    convolution could take it, and a summand.

    Args:
      model: of `network.build`.
    """
    for layer in norms(model):
        deviation = np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
        scale = layer.gamma.numpy() / deviation
        layer.beta.assign(layer.beta.numpy() - layer.moving_mean.numpy() * scale)
        layer.moving_mean.assign(np.zeros_like(scale))
        layer.moving_variance.assign(np.full_like(scale, 1 - layer.epsilon))
        kernel = _kernel(layer)
        if kernel is None:
            layer.gamma.assign(scale)
        else:
            _multiply(kernel, scale)
            layer.gamma.assign(np.ones_like(scale))


def normalize_kernels(model: keras.Model, images: Iterable[Any]) -> None:
    """Gives kernels the size that makes variances one; the function stays.

    A step of an optimizer then moves all of them alike. Runs whose kernels were sized
    on the same images can be averaged.

    Args:
      model: of `network.build`, folded.
      images: batches (N, S, S, 3), uint8 or float32 in 0 to 255.
    """
    for layer, _, variance in _moments(model, images):
        kernel = _kernel(layer)
        if kernel is not None:
            size = np.sqrt(variance + layer.epsilon)
            _multiply(kernel, 1 / size)
            layer.moving_mean.assign(layer.moving_mean.numpy() / size)
            layer.gamma.assign(layer.gamma.numpy() * size)


def unfold(model: keras.Model, images: Iterable[Any]) -> None:
    """Gives batch norm the statistics of what goes into it; the function stays.

    Args:
      model: of `network.build`.
      images: batches (N, S, S, 3), uint8 or float32 in 0 to 255.
    """
    for layer, mean, variance in _moments(model, images):
        old = np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
        gain = layer.gamma.numpy() / old
        summand = layer.beta.numpy() - gain * layer.moving_mean.numpy()
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)
        layer.gamma.assign(gain * np.sqrt(variance + layer.epsilon))
        layer.beta.assign(summand + gain * mean)


def _moments(
    model: keras.Model, images: Iterable[Any]
) -> list[tuple[Any, np.ndarray, np.ndarray]]:
    """Every batch norm with mean and variance (C,) of what goes into it."""
    backbone = model.get_layer("backbone")
    inner = norms(backbone)
    outer = [layer for layer in norms(model) if layer not in inner]
    # What goes into the backbone's layers is a tensor of its own graph.
    probe = keras.Model(backbone.input, [layer.input for layer in inner])
    scaled = model.get_layer("scale").output
    tensors = [*probe(scaled), *(layer.input for layer in outer)]
    moments = [ops.moments(ops.cast(t, "float32"), axes=(0, 1, 2)) for t in tensors]
    measure = keras.Model(model.input, moments)
    batches = [measure(batch, training=False) for batch in images]
    found = []
    for index, layer in enumerate((*inner, *outer)):
        means, variances = (
            np.stack([ops.convert_to_numpy(batch[index][k]) for batch in batches])
            for k in (0, 1)
        )
        variance = variances.mean(axis=0) + means.var(axis=0)
        found.append((layer, means.mean(axis=0), variance))
    return found


def _kernel(norm: Any) -> Any:
    """That of the convolution before batch norm, the channels last: (K, K, I, C), or
    (K, K, C, 1) of a depthwise one. None if a sum of several is what goes in."""
    before = norm.input._keras_history.operation
    if isinstance(before, layers.Conv2D | layers.DepthwiseConv2D):
        return before.kernel
    return None


def _multiply(kernel: Any, factor: np.ndarray) -> None:
    """Multiplies each channel of a kernel, factor (C,)."""
    values = kernel.numpy()
    scaled = values.reshape(-1, len(factor)) * factor
    kernel.assign(scaled.reshape(values.shape))
