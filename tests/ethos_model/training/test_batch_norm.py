"""Batch norm goes into the kernels and comes out again, and the function stays."""

from __future__ import annotations

import keras
import numpy as np

from ethos_model.training import batch_norm
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


def moments(model, images):
    """Of every batch norm: itself, mean and variance (C,) of what goes into it."""
    scaled = model.get_layer("scale")(images)
    for part, layer in norms(model):
        probe = keras.Model(part.input, layer.input)
        seen = np.asarray(probe(images if part is model else scaled))
        yield layer, seen.mean((0, 1, 2)), seen.var((0, 1, 2))


def test_kernels_get_the_size_that_makes_variances_one(model, images):
    folded = changed(model, batch_norm.fold)
    sized = changed(
        folded,
        lambda copy: batch_norm.normalize_kernels(copy, [one[None] for one in images]),
    )
    before, after = moments(folded, images), moments(sized, images)
    for (layer, _, old), (_, _, new) in zip(before, after, strict=True):
        wanted = old / (old + layer.epsilon)
        if "add_norm" in layer.name:  # these kernels are not theirs alone
            wanted = old
        np.testing.assert_allclose(new, wanted, rtol=1e-3, atol=1e-5)
    wanted = model(images, training=False)
    for name, value in sized(images, training=False).items():
        np.testing.assert_allclose(value, wanted[name], atol=1e-5, err_msg=name)


def test_unfolded_batch_norm_has_the_statistics_of_the_images(model, images):
    folded = changed(model, batch_norm.fold)
    whole = changed(
        folded, lambda copy: batch_norm.unfold(copy, [image[None] for image in images])
    )
    for layer, mean, variance in moments(whole, images):
        np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(
            layer.moving_variance, variance, rtol=1e-3, atol=1e-5
        )
    wanted = model(images, training=False)
    trained = whole(images, training=True)  # with the statistics of this very batch
    for name, value in whole(images, training=False).items():
        np.testing.assert_allclose(value, wanted[name], atol=1e-5, err_msg=name)
        np.testing.assert_allclose(trained[name], value, atol=1e-4, err_msg=name)
