"""Tests of the layers of the fusion network against numpy, OpenCV and Keras."""

import cv2
import numpy as np
from keras import layers

from ethos_model.fusion_training import network

SIZE = 32
TAPS = np.array([1, 4, 6, 4, 1]) / 16
WIDE_TAPS = np.array([1, 0, 4, 0, 6, 0, 4, 0, 1]) / 16


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=-1, keepdims=True)


def filtered(image, taps):
    return cv2.sepFilter2D(image, -1, taps, taps, borderType=cv2.BORDER_REFLECT_101)


def test_the_image_is_the_mix_of_the_candidates_and_the_correction():
    rng = np.random.default_rng(0)
    inputs = rng.random((2, SIZE, SIZE, 12), np.float32)
    count = network.CANDIDATES
    out = rng.normal(0, 2, (2, SIZE, SIZE, count + 4)).astype(np.float32)
    images, sigmas = network.Combine()([inputs, out])
    for k in range(2):
        frame, mean, sharp = np.split(inputs[k, ..., :9], 3, axis=-1)
        little = [filtered(image, TAPS) for image in (frame, mean)]
        much = [filtered(image, WIDE_TAPS) for image in little]
        mixed = [frame, mean, sharp, *little, *much]
        shares = softmax(out[k, ..., :count].astype(np.float64))
        expected = (shares[..., None] * np.stack(mixed, axis=2)).sum(axis=2)
        expected += out[k, ..., count:-1]
        np.testing.assert_allclose(images[k], expected, atol=1e-5)
        expected = np.exp(np.clip(out[k, ..., -1:] - 3.5, -10, 3))
        np.testing.assert_allclose(sigmas[k], expected, rtol=1e-5)


def test_sigma_is_finite():
    inputs = np.zeros((1, 8, 8, 12), np.float32)
    for value in (-1000, 1000):
        out = np.full((1, 8, 8, network.CANDIDATES + 4), value, np.float32)
        sigma = np.asarray(network.Combine()([inputs, out])[1])
        assert np.isfinite(np.log(sigma)).all()


def test_the_transposed_convolution_equals_that_of_keras():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (2, 6, 8, 5)).astype(np.float32)
    ours = network.Conv2DTranspose(7, 2, strides=2)
    theirs = layers.Conv2DTranspose(7, 2, strides=2)
    for layer in (ours, theirs):
        layer.build(x.shape)
    ours.set_weights([rng.normal(0, 1, w.shape) for w in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)
