"""The network: what goes in and out, and where it begins."""

from __future__ import annotations

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


def test_variables_keep_their_order(model):
    """Checkpoints hold them by number: in another order those of before are lost. An
    operation more or less, anywhere, can change it."""
    paths = "\n".join(variable.path for variable in model.variables)
    assert hashlib.sha256(paths.encode()).hexdigest()[:16] == "06bfe49751182c0e"


@pytest.mark.parametrize("size", [64, 70, 76])
def test_outputs_have_the_contracts_shapes(model, size):
    if size != 64:  # 76 halves to 38, 19, 10, 5, 3: each crops an enlarged map
        model = network.build(image_size=size, alpha=ALPHA)
    assert model.input.dtype == "uint8"
    assert model.input.name == "image"
    outputs = model(rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8))
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    assert shapes == {
        "landmarks": (2, 68, 3),
        "uncertainty": (2, 68),
        "depth": (2, size, size, 1),
        "restored": (2, size, size, 1),
    }
    assert all(value.dtype == "float32" for value in outputs.values())
    assert tuple(model.output) == network.OUTPUTS


def test_landmarks_begin_near_the_mean_face(model, image):
    face = rng.uniform(0, 1, (68, 3)).astype(np.float32)
    network.set_mean_face(model, face)
    found = model(image)["landmarks"].numpy()
    np.testing.assert_allclose(found, np.stack([face] * 2), atol=0.02)


@pytest.fixture(scope="module")
def refine():
    """The second look alone, on 12 x 12 cells, and its evidence."""
    points, features = keras.Input((68, 3)), keras.Input((12, 12, 4))
    norm = {"momentum": 0.9, "synchronized": False}
    moved = network._refined(points, features, norm)
    whole = keras.Model([points, features], moved)
    layer = whole.get_layer("landmark_evidence")
    return whole, layer, keras.Model(features, layer.output)


def test_points_move_to_the_mean_of_evidence_and_prior(refine):
    whole, layer, evidence_of = refine
    kernel, bias = layer.get_weights()
    features = rng.normal(0, 1, (2, 12, 12, 4)).astype(np.float32)
    points = rng.uniform(-0.1, 1.1, (2, 68, 3)).astype(np.float32)
    # Without evidence nothing moves, wherever the point is.
    np.testing.assert_allclose(whole([points, features]), points, atol=1e-6)
    layer.set_weights([rng.normal(0, 1, kernel.shape), bias])
    moved = whole([points, features]).numpy()
    evidence = evidence_of(features).numpy().astype(np.float64)
    layer.set_weights([kernel, bias])
    places = (np.arange(12) + 0.5) / 12
    for n, k in ((0, 3), (1, 40), (1, 67)):
        x, y, z = points[n, k].astype(np.float64)
        # Densities on the grid, row by row.
        along_x = np.exp(-0.5 * ((places - x) * 12 / 0.8) ** 2)
        along_y = np.exp(-0.5 * ((places - y) * 12 / 0.8) ** 2)
        prior = along_y[:, None] * along_x
        posterior = prior * np.exp(evidence[n, :, :, k])
        means = [
            (
                (density.sum(axis=0) @ places) / density.sum(),
                (density.sum(axis=1) @ places) / density.sum(),
            )
            for density in (posterior, prior)
        ]
        wanted = np.array([x, y]) + np.subtract(*means)
        np.testing.assert_allclose(moved[n, k], [*wanted, z], atol=1e-5)


def test_uncertainty_begins_even_and_stays_within_its_bounds(model, image):
    sigma = model(image)["uncertainty"].numpy()
    np.testing.assert_allclose(sigma, np.exp(-3), rtol=0.3)
    layer = model.get_layer("landmark_sigma")
    before = layer.bias.numpy()
    for bias, bound in ((-1e4, np.exp(-6)), (1e4, 1.0)):
        layer.bias.assign(np.full_like(before, bias))
        np.testing.assert_allclose(model(image)["uncertainty"], bound, rtol=1e-3)
    layer.bias.assign(before)


def test_restored_begins_as_the_grey_image_that_came_in(model, image):
    grey = image.astype(np.float64) @ (0.299, 0.587, 0.114) / 255
    restored = model(image)["restored"].numpy()[..., 0]
    # Off by 1 % at most where the logit's argument is kept away from 0 and 1.
    np.testing.assert_allclose(restored, grey, atol=0.0101)


def test_depth_begins_flat(model, image):
    np.testing.assert_array_equal(model(image)["depth"], 0)


def test_pixels_of_the_maps_are_where_they_belong(image):
    """A bright spot in the input changes restored at the same place, not elsewhere."""
    model = network.build(image_size=64, alpha=ALPHA)
    spot = np.zeros((1, 64, 64, 3), np.uint8)
    spot[0, 21, 42] = 255
    restored = model(spot)["restored"].numpy()[0, ..., 0]
    assert np.unravel_index(restored.argmax(), restored.shape) == (21, 42)


def test_batch_statistics_move_as_fast_as_asked():
    model = network.build(image_size=32, alpha=ALPHA, batch_norm_momentum=0.9)
    found = [
        layer.momentum
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(found) > 50
    assert set(found) == {0.9}


def test_backbone_weights_come_from_a_file(tmp_path):
    source = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=ALPHA, include_top=False, weights=None
    )
    path = str(tmp_path / "backbone.weights.h5")
    source.save_weights(path)
    model = network.build(image_size=32, alpha=ALPHA, backbone_weights=path)
    backbone = model.get_layer("backbone")
    for name in ("Conv1", "block_6_depthwise", "block_16_project"):
        wanted = source.get_layer(name).get_weights()
        for mine, theirs in zip(
            backbone.get_layer(name).get_weights(), wanted, strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


def test_a_file_that_is_not_weights_is_named(tmp_path):
    path = tmp_path / "notes.h5"
    path.write_text("not weights")
    with pytest.raises(EthosError, match=r"notes\.h5"):
        network.build(image_size=32, alpha=ALPHA, backbone_weights=str(path))


def test_a_download_out_of_reach_says_what_to_do(monkeypatch):
    def unreachable(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.org: None -- timed out")

    monkeypatch.setattr(keras.applications, "MobileNetV2", unreachable)
    with pytest.raises(EthosError, match="--backbone_weights") as caught:
        network.build(image_size=32, backbone_weights="imagenet")
    assert "\n" not in str(caught.value)
