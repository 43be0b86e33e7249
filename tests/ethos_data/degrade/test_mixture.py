"""Combinations of degradations, and the conditions for source frames."""

from __future__ import annotations

import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from ethos_data import degrade
from ethos_data.degrade import source
from tests.ethos_data import pictures


def test_compose_applies_the_layers_in_order():
    layers = [degrade.ContrastLoss(0.5), degrade.Jpeg(20)]
    images = pictures.batch()
    both = degrade.Compose(layers)
    drawn = both.draw(4, seed=3)
    expected = images
    for layer, parameters in zip(layers, drawn["layers"], strict=True):
        expected = layer.apply(expected, parameters)
    np.testing.assert_array_equal(both.apply(images, drawn), expected)
    np.testing.assert_array_equal(both(images, seed=3), expected)


def test_random_order_gives_all_orders_also_in_graphs():
    layers = [degrade.ContrastLoss(0.5), degrade.Jpeg(20), degrade.Defocus(0.05)]
    shuffled = degrade.Compose(layers, random_order=True)
    orders = {tuple(np.asarray(shuffled.draw(1, seed=s)["order"])) for s in range(25)}
    assert len(orders) == 6
    images = tf.constant(pictures.batch(2))
    drawn = shuffled.draw(2, seed=5)
    expected = images
    for place in np.asarray(drawn["order"]):
        expected = layers[place].apply(expected, drawn["layers"][place])
    np.testing.assert_array_equal(shuffled(images, seed=5), expected)
    compiled = tf.function(lambda s: shuffled(images, seed=s))
    np.testing.assert_array_equal(compiled(tf.constant(5)), expected)


@pytest.mark.parametrize(
    "layer",
    [
        degrade.Compose([degrade.Jpeg(9), degrade.LowLight()], random_order=True),
        degrade.Mixture([degrade.Jpeg(9, share=0.5)], jit_compile=False),
    ],
)
def test_config_round_trip(layer):
    twin = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    images = pictures.batch()
    np.testing.assert_array_equal(twin(images, seed=3), layer(images, seed=3))


def training_mix(jit_compile: bool):
    config = degrade.training_mix().get_config()
    return degrade.Mixture.from_config(config | {"jit_compile": jit_compile})


def without_coder(jit_compile: bool):
    return degrade.Mixture(training_mix(False).layers[:-1], jit_compile=jit_compile)


def test_training_mix_leaves_about_one_image_in_eight_clean():
    mix, batch = training_mix(False), 16
    degraded = np.zeros((30, batch, len(mix.layers)), bool)
    for seed in range(30):
        for number, drawn in enumerate(mix.draw(batch, seed)):
            positions = np.asarray(drawn["positions"])
            assert len(set(positions)) == len(positions)
            chosen = positions[np.asarray(drawn["degraded"])]
            degraded[seed, chosen, number] = True
    shares = [layer.share for layer in mix.layers]
    # 480 images: a share of 0.3 has a standard error of at most 0.02.
    np.testing.assert_allclose(degraded.mean(axis=(0, 1)), shares, atol=0.06)
    assert 0.08 < (~degraded.any(axis=2)).mean() < 0.18
    # All positions of the batch are degraded about equally often.
    assert degraded.any(axis=2).mean(axis=0).min() > 0.5


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_shares_hold_for_small_batches(batch):
    mix = degrade.Mixture([degrade.ContrastLoss(share=0.3)], jit_compile=False)
    count = sum(
        np.asarray(mix.draw(batch, seed)[0]["degraded"]).sum() for seed in range(60)
    )
    assert count / (60 * batch) == pytest.approx(0.3, abs=0.15)


def test_training_mix_changes_the_drawn_images_only():
    images = pictures.batch(8)
    face_size = np.linspace(0.5, 0.8, 8).astype(np.float32)
    plain = training_mix(False)
    drawn = plain.draw(8, 3, face_size)
    degraded = plain.apply(images, drawn).numpy()
    chosen = set()
    for parameters in drawn:
        positions = np.asarray(parameters["positions"])
        chosen |= set(positions[np.asarray(parameters["degraded"])])
    different = {i for i in range(8) if (degraded[i] != images[i]).any()}
    assert different == chosen

    def both(mix, seed):
        eager = mix(False).apply(images, mix(False).draw(8, seed, face_size))
        graph = tf.function(lambda s: mix(True)(images, face_size, s))
        return np.abs(graph(tf.constant(seed)).numpy().astype(int) - eager.numpy())

    # A value on the edge of two numbers may round the other way.
    assert both(without_coder, 3).max() <= 1
    # JPEG's quantiser then changes whole blocks: with seeds 3 to 6, not with 7.
    assert (both(training_mix, 7) > 1).mean() < 2e-3


def test_mixture_rejects_a_batch_of_unknown_size():
    @tf.function(input_signature=[tf.TensorSpec((None, 64, 64, 3), tf.uint8)])
    def call(images):
        return degrade.training_mix()(images)

    with pytest.raises(ValueError, match="drop_remainder"):
        call.get_concrete_function()


# --- whole source frames ---


@pytest.mark.parametrize("name", sorted(source.CONDITIONS))
@pytest.mark.parametrize("shape", [(97, 130, 3), (3, 2, 3)])
def test_source_conditions_keep_shape_and_are_repeatable(name, shape):
    frame = cv2.resize(pictures.photograph(), shape[1::-1])
    degraded = source.CONDITIONS[name](frame, 5)
    assert degraded.shape == shape
    assert degraded.dtype == np.uint8
    again = source.CONDITIONS[name](frame, np.random.default_rng(5))
    np.testing.assert_array_equal(degraded, again)


def test_source_conditions_equal_an_independent_computation():
    frame = pictures.photograph(96)
    blocks = frame.reshape(24, 4, 24, 4, 3).mean(axis=(1, 3))
    down = source.downsample4(frame)
    expected = cv2.resize(blocks, (96, 96), interpolation=cv2.INTER_LINEAR)
    assert np.abs(down - expected).max() <= 1.5
    dark = source.dark5(frame, 1)
    assert dark.mean() == pytest.approx(frame.mean() / 5, rel=0.02)
    assert (dark - frame * 0.2).std() > 1.5


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 2, 2.5])
def test_source_blur_is_15_pixels_long_and_centred(angle):
    kernel = source.line_kernel(15, angle).astype(np.float64)
    at = np.arange(len(kernel)) - len(kernel) // 2
    x, y = kernel.sum(axis=0), kernel.sum(axis=1)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert x @ at == pytest.approx(0, abs=1e-6)
    assert y @ at == pytest.approx(0, abs=1e-6)
    # A line of length L has the variance L^2 / 12; sharing among pixels adds under 1/4.
    variance = x @ at**2 + y @ at**2
    assert 15**2 / 12 <= variance + 0.1 <= 15**2 / 12 + 0.6


def test_source_conditions_do_not_import_keras():
    code = (
        "import sys; import ethos_data.degrade.source;"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
