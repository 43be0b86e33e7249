"""Batch norm goes into the kernels and comes out again, and the function stays."""

from __future__ import annotations

import keras
import numpy as np

from ethos_model import batch_norm
from tests.ethos_model.conftest import changed


def norms(model):
    """Every batch norm with the network that it is in."""
    return [
        (part, layer)
        for part in (model.get_layer("backbone"), model)
        for layer in part.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def test_batch_norm_is_folded_into_the_convolutions_before_it(model, images):
    folded = changed(model, batch_norm.fold)
    wanted = model(images, training=False)
    for name, value in folded(images, training=False).items():
        np.testing.assert_allclose(value, wanted[name], atol=1e-5)
    found = norms(folded)
    assert len(found) == 61
    # Those of the decoder's four sums stay: two or three kernels share them.
    assert sum((layer.gamma.numpy() == 1).all() for _, layer in found) == 57


def inputs(model, images):
    """float (N, H, W, C) for every batch norm: what goes into it."""
    scaled = model.get_layer("scale")(images)
    return [
        np.asarray(
            keras.Model(part.input, layer.input)(images if part is model else scaled)
        )
        for part, layer in norms(model)
    ]


def test_unfolded_batch_norm_has_the_statistics_of_the_images(model, images):
    folded = changed(model, batch_norm.fold)
    before = inputs(folded, images)
    whole = changed(
        folded, lambda copy: batch_norm.unfold(copy, [image[None] for image in images])
    )
    for (_, layer), old, new in zip(
        norms(whole), before, inputs(whole, images), strict=True
    ):
        mean, variance = new.mean((0, 1, 2)), new.var((0, 1, 2))
        np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            layer.moving_variance, variance, rtol=1e-3, atol=1e-5
        )
        wanted = old.var((0, 1, 2))
        if "add_norm" not in layer.name:  # these kernels are not theirs alone
            wanted = wanted / (wanted + layer.epsilon)
        np.testing.assert_allclose(variance, wanted, rtol=1e-3, atol=1e-5)
    wanted = model(images, training=False)
    trained = whole(images, training=True)  # with the statistics of this very batch
    for name, value in whole(images, training=False).items():
        np.testing.assert_allclose(value, wanted[name], atol=1e-5, err_msg=name)
        np.testing.assert_allclose(trained[name], value, atol=1e-4, err_msg=name)
