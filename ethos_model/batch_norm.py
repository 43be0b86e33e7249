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


def fold(model: keras.Model) -> None:
    """Multiplies what batch norm multiplies by into the convolution before it.

    The function stays the same. What is left of batch norm is a factor, 1 wherever a
    convolution could take it, and a summand.

    Args:
      model: of `network.build`.
    """
    for layer in (*_norms(model.get_layer("backbone")), *_norms(model)):
        deviation = np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
        scale = layer.gamma.numpy() / deviation
        layer.beta.assign(layer.beta.numpy() - layer.moving_mean.numpy() * scale)
        layer.moving_mean.assign(np.zeros_like(scale))
        layer.moving_variance.assign(np.full_like(scale, 1 - layer.epsilon))
        taken = _multiply_kernel(layer, scale)
        layer.gamma.assign(np.ones_like(scale) if taken else scale)


def unfold(model: keras.Model, images: Iterable[Any]) -> None:
    """Gives batch norm the statistics of what goes into it; the function stays.

    Kernels get the size that makes these statistics one, so that a step of an optimizer
    moves all of them alike.

    Args:
      model: of `network.build`, folded.
      images: batches (N, S, S, 3), uint8 or float32 in 0 to 255.
    """
    backbone = model.get_layer("backbone")
    inner, outer = _norms(backbone), _norms(model)
    # What goes into the backbone's layers is a tensor of its own graph.
    probe = keras.Model(backbone.input, [layer.input for layer in inner])
    scaled = model.get_layer("scale").output
    tensors = [*probe(scaled), *(layer.input for layer in outer)]
    moments = [ops.moments(ops.cast(t, "float32"), axes=(0, 1, 2)) for t in tensors]
    measure = keras.Model(model.input, moments)
    batches = [measure(batch, training=False) for batch in images]
    for index, layer in enumerate((*inner, *outer)):
        means, variances = (
            np.stack([ops.convert_to_numpy(batch[index][k]) for batch in batches])
            for k in (0, 1)
        )
        mean = means.mean(axis=0)
        variance = variances.mean(axis=0) + means.var(axis=0)
        old = np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
        gain = layer.gamma.numpy() / old
        summand = layer.beta.numpy() - gain * layer.moving_mean.numpy()
        factor = 1 / np.sqrt(variance + layer.epsilon)
        if not _multiply_kernel(layer, factor):
            factor = np.ones_like(factor)
        layer.moving_mean.assign(factor * mean)
        layer.moving_variance.assign(factor**2 * variance)
        deviation = np.sqrt(factor**2 * variance + layer.epsilon)
        layer.gamma.assign(gain * deviation / factor)
        layer.beta.assign(summand + gain * mean)


def _norms(model: keras.Model) -> list[Any]:
    return [one for one in model.layers if isinstance(one, layers.BatchNormalization)]


def _multiply_kernel(norm: Any, factor: np.ndarray) -> bool:
    """Multiplies channels (C,) of the convolution before batch norm.

    Returns:
      False if there is none: a sum of several is what goes in.
    """
    before = norm.input._keras_history.operation
    if isinstance(before, layers.DepthwiseConv2D):  # kernel (K, K, C, 1)
        before.kernel.assign(before.kernel.numpy() * factor[:, None])
    elif isinstance(before, layers.Conv2D):
        before.kernel.assign(before.kernel.numpy() * factor)
    else:
        return False
    return True
