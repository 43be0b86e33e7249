"""The files of an exported model are read with TensorFlow, LiteRT and Keras alone."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import network, predict
from ethos_model.exported import saved_model, tflite, weights
from ethos_model.training import batch_norm
from tests.ethos_model.conftest import EXPORTED_ALPHA, EXPORTED_SIZE, changed


def test_the_signature_is_that_of_the_contract(exported, model, images):
    import tensorflow as tf

    loaded = tf.saved_model.load(exported)
    signature = loaded.signatures["serving_default"]
    spec = signature.structured_input_signature[1]["image"]
    assert spec.dtype == tf.uint8
    assert spec.shape.as_list() == [None, EXPORTED_SIZE, EXPORTED_SIZE, 3]
    outputs = signature(image=tf.constant(images))
    half = changed(model, batch_norm.fold, saved_model.round_weights)
    rounded, expected = half(images, training=False), model(images, training=False)
    assert set(outputs) == set(network.OUTPUTS)
    for name, value in outputs.items():
        np.testing.assert_allclose(value, rounded[name], atol=5e-6)
        # float16 has 11 significant bits.
        np.testing.assert_allclose(value, expected[name], atol=3e-4)


@pytest.mark.parametrize("name", ["saved_model.pb", "model.tflite", weights.FILE])
def test_each_file_stores_two_bytes_for_a_weight(exported, model, name):
    size = os.path.getsize(os.path.join(exported, name))
    assert size < 3 * model.count_params()  # the graph needs space as well


def test_keras_reads_the_trainable_weights(exported, model, images):
    copy = network.build(image_size=EXPORTED_SIZE, alpha=EXPORTED_ALPHA)
    weights.load(copy, os.path.join(exported, weights.FILE))
    for loaded, original in zip(copy.variables, model.variables, strict=True):
        np.testing.assert_allclose(loaded, original, rtol=2**-11, atol=1e-7)
    _, saved = predict.load_network(exported, "tensorflow")
    outputs = copy(images, training=False)
    for name, expected in saved(images).items():
        np.testing.assert_allclose(outputs[name], expected, atol=1e-3)


def test_both_models_compute_with_the_same_values(exported, images):
    _, saved = predict.load_network(exported, "tensorflow")
    _, lite = predict.load_network(exported, "litert")
    # The difference is 5e-5 if each file has its own rounding.
    expected, actual = saved(images)["depth"], lite(images)["depth"]
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    # It is at least 2e-4 if the mean face or the grid is rounded in one file only.
    expected, actual = saved(images)["landmarks"], lite(images)["landmarks"]
    np.testing.assert_allclose(actual, expected, atol=5e-5)


def test_litert_agrees_with_the_network(exported, model, images):
    backend, lite = predict.load_network(exported, "litert")
    assert backend == "litert"
    expected = model(images, training=False)
    for name, value in lite(images).items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, expected[name], atol=5e-3)


def test_detects_a_litert_file_with_other_outputs(exported, monkeypatch):
    tflite.check_agreement(exported)
    monkeypatch.setitem(tflite.TOLERANCE, "landmarks", 0.0)
    with pytest.raises(EthosError, match="landmarks differs from the SavedModel"):
        tflite.check_agreement(exported)
