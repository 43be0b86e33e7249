"""Folding and adapting leave the function of the network unchanged."""

from __future__ import annotations

import keras
import numpy as np

from ethos_model.training import batch_norm
from tests.ethos_model.conftest import changed


def norms(model):
    """All batch norm layers, each with the model that contains it."""
    return [
        (part, layer)
        for part in (model.get_layer("backbone"), model)
        for layer in part.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def test_folding_does_not_change_the_outputs(model, images):
    folded = changed(model, batch_norm.fold)
    expected = model(images, training=False)
    for name, value in folded(images, training=False).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-5)
    layers = norms(folded)
    assert len(layers) == 61
    # The four sums of the decoder have two or three kernels, so they keep a factor.
    assert sum((layer.gamma.numpy() == 1).all() for _, layer in layers) == 57


def test_adapting_keeps_the_function_and_gives_the_statistics_of_the_images(
    model, images
):
    batches = [image[None] for image in images]
    adapted = changed(model, lambda copy: batch_norm.adapt(copy, batches))
    expected = model(images, training=False)
    trained = adapted(images, training=True)  # normalised with the same statistics
    for name, value in adapted(images, training=False).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-5, err_msg=name)
        np.testing.assert_allclose(trained[name], value, atol=1e-4, err_msg=name)
    part, layer = norms(adapted)[0]
    features = keras.Model(part.input, layer.input)(adapted.get_layer("scale")(images))
    moments = np.mean(features, (0, 1, 2)), np.var(features, (0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, moments[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, moments[1], rtol=1e-3)
