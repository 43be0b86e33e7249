"""The network: its inputs and outputs, and its state before training."""

from __future__ import annotations

import functools
import hashlib

import keras
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import network

ALPHA = 0.35  # the narrowest that Keras knows
rng = np.random.default_rng(5)


@pytest.fixture(scope="module")
def model():
    return network.build(image_size=64, alpha=ALPHA)


@pytest.fixture(scope="module")
def image():
    return rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


def test_variables_keep_their_names(model):
    """Checkpoints store variables by name, so a new name loses its value."""
    names = sorted(variable.path for variable in model.variables)
    assert len(set(names)) == len(names)
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    assert digest[:16] == "bd3fbae56ea0c333"


@pytest.mark.parametrize("size", [64, 70, 76])
def test_outputs_have_the_shapes_of_the_contract(model, size):
    if size != 64:  # 76 is halved to 38, 19, 10, 5 and 3, so that maps are cropped
        model = network.build(image_size=size, alpha=ALPHA)
    assert model.input.dtype == "uint8"
    assert model.input.name == "image"
    outputs = model(rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8))
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    assert shapes == {
        "landmarks": (2, 68, 3),
        "uncertainty": (2, 68),
        "visible": (2, 68),
        "depth": (2, size, size, 1),
        "restored": (2, size, size, 1),
    }
    assert all(value.dtype == "float32" for value in outputs.values())
    assert tuple(model.output) == network.OUTPUTS


def test_the_first_landmarks_are_the_mean_face(model, image):
    face = rng.uniform(0, 1, (68, 3)).astype(np.float32)
    network.set_mean_face(model, face)
    landmarks = model(image)["landmarks"].numpy()
    np.testing.assert_allclose(landmarks, np.stack([face] * 2), atol=0.02)


@pytest.fixture(scope="module")
def refine():
    """The second stage of the landmark head on 12 x 12 cells.

    Returns:
      The model, the layer of the evidence, and a model that returns the evidence.
    """
    points, features = keras.Input((68, 3)), keras.Input((12, 12, 4))
    norm = {"momentum": 0.9, "synchronized": False}
    moved = network._refined(points, features, norm)
    model = keras.Model([points, features], moved)
    layer = model.get_layer("landmark_evidence")
    return model, layer, keras.Model(features, layer.output)


def test_landmarks_move_to_the_mean_of_evidence_and_prior(refine):
    model, layer, evidence_of = refine
    kernel, bias = layer.get_weights()
    features = rng.normal(0, 1, (2, 12, 12, 4)).astype(np.float32)
    points = rng.uniform(-0.1, 1.1, (2, 68, 3)).astype(np.float32)
    # Without evidence no landmark moves, at any position.
    np.testing.assert_allclose(model([points, features]), points, atol=1e-6)
    layer.set_weights([rng.normal(0, 1, kernel.shape), bias])
    moved = model([points, features]).numpy()
    evidence = evidence_of(features).numpy().astype(np.float64)
    layer.set_weights([kernel, bias])
    centres = (np.arange(12) + 0.5) / 12
    for n, k in ((0, 3), (1, 40), (1, 67)):
        x, y, z = points[n, k].astype(np.float64)
        # Densities on the grid, one row for each y.
        along_x = np.exp(-0.5 * ((centres - x) * 12 / 0.8) ** 2)
        along_y = np.exp(-0.5 * ((centres - y) * 12 / 0.8) ** 2)
        prior = along_y[:, None] * along_x
        posterior = prior * np.exp(evidence[n, :, :, k])
        means = [
            (
                (density.sum(axis=0) @ centres) / density.sum(),
                (density.sum(axis=1) @ centres) / density.sum(),
            )
            for density in (posterior, prior)
        ]
        expected = np.array([x, y]) + np.subtract(*means)
        np.testing.assert_allclose(moved[n, k], [*expected, z], atol=1e-5)


def test_the_first_uncertainty_is_even_and_stays_within_its_limits(model, image):
    sigma = model(image)["uncertainty"].numpy()
    np.testing.assert_allclose(sigma, np.exp(-3), rtol=0.3)
    layer = model.get_layer("landmark_sigma")
    before = layer.bias.numpy()
    for bias, bound in ((-1e4, np.exp(-6)), (1e4, 1.0)):
        layer.bias.assign(np.full_like(before, bias))
        np.testing.assert_allclose(model(image)["uncertainty"], bound, rtol=1e-3)
    layer.bias.assign(before)


def test_the_first_restored_image_is_the_grey_input(model, image):
    grey = image.astype(np.float64) @ (0.299, 0.587, 0.114) / 255
    restored = model(image)["restored"].numpy()[..., 0]
    # The argument of the logit is kept away from 0 and 1, which changes it by 1 %.
    np.testing.assert_allclose(restored, grey, atol=0.0101)


def test_the_first_depth_is_flat(model, image):
    np.testing.assert_array_equal(model(image)["depth"], 0)


def test_pixels_of_the_maps_have_the_positions_of_the_input(image):
    """A bright spot in the input is at the same position in the restored image."""
    model = network.build(image_size=64, alpha=ALPHA)
    spot = np.zeros((1, 64, 64, 3), np.uint8)
    spot[0, 21, 42] = 255
    restored = model(spot)["restored"].numpy()[0, ..., 0]
    assert np.unravel_index(restored.argmax(), restored.shape) == (21, 42)


def test_all_batch_norms_have_the_given_momentum():
    model = network.build(image_size=32, alpha=ALPHA, batch_norm_momentum=0.9)
    momenta = [
        layer.momentum
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(momenta) > 50
    assert set(momenta) == {0.9}


def test_backbone_weights_come_from_a_file(tmp_path):
    source = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=ALPHA, include_top=False, weights=None
    )
    path = str(tmp_path / "backbone.weights.h5")
    source.save_weights(path)
    model = network.build(image_size=32, alpha=ALPHA, backbone_weights=path)
    backbone = model.get_layer("backbone")
    for name in ("Conv1", "block_6_depthwise", "block_16_project"):
        expected = source.get_layer(name).get_weights()
        actual = backbone.get_layer(name).get_weights()
        for value, expected_value in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(value, expected_value)


def test_names_a_weights_file_that_is_missing_or_not_readable(tmp_path):
    path = tmp_path / "notes.h5"
    build = functools.partial(network.build, image_size=32, alpha=ALPHA)
    with pytest.raises(EthosError, match=r"notes\.h5: no such file"):
        build(backbone_weights=str(path))
    path.write_text("not weights")
    with pytest.raises(EthosError, match=r"notes\.h5: not weights of MobileNetV2"):
        build(backbone_weights=str(path))


def test_a_failed_download_says_what_to_do(monkeypatch):
    def unreachable(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.org: None -- timed out")

    monkeypatch.setattr(keras.applications, "MobileNetV2", unreachable)
    with pytest.raises(EthosError, match="--backbone_weights") as caught:
        network.build(image_size=32, backbone_weights="imagenet")
    assert "\n" not in str(caught.value)
