"""A run that starts from a model starts from the function of this model."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import network, predict
from ethos_model.exported import weights
from ethos_model.training import checkpoint, initial, inputs, loop
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny
from tests.ethos_model.conftest import EXPORTED_ALPHA, EXPORTED_SIZE


def assert_same_outputs(model, directory, images, atol):
    """Asserts that a network computes the outputs of an exported model."""
    _, exported = predict.load_network(directory, "tensorflow")
    factor = predict.read_card(directory)["uncertainty_factor"]
    outputs = dict(model(images, training=False))
    outputs["uncertainty"] *= factor
    for name, expected in exported(images).items():
        np.testing.assert_allclose(outputs[name], expected, atol=atol, err_msg=name)


def test_the_trainable_weights_of_the_shipped_model_compute_its_outputs():
    directory = predict.find(None)
    model = network.build()
    weights.load(model, os.path.join(directory, weights.FILE))
    faces = np.random.default_rng(3).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    # Noise amplifies the rounding of the weights, mostly in the restored image.
    assert_same_outputs(model, directory, faces, 1e-2)
    # Valid batch statistics, not those of folded layers.
    norm = model.get_layer("landmark_features_norm")
    assert np.abs(norm.moving_mean.numpy()).max() > 0.1
    assert os.path.getsize(os.path.join(directory, weights.FILE)) < 6e6


@pytest.mark.parametrize("kind", ["directory", "pretrained", "checkpoint"])
def test_a_run_starts_from_the_function_of_a_model(
    kind, exported, workdir, images, tmp_path, monkeypatch
):
    find = predict.find
    monkeypatch.setattr(predict, "find", lambda path: find(path or exported))
    start = {"directory": exported, "checkpoint": str(workdir / "best.npz")}
    config = TrainConfig(
        data_dir=tiny.write_data(str(tmp_path / "data")),
        workdir=str(tmp_path / "run"),
        image_size=EXPORTED_SIZE,
        alpha=EXPORTED_ALPHA,
        initial_weights=start.get(kind, kind),
    )
    trainer = loop.Trainer(config, inputs.strategy(), None)
    initial.start(trainer, config)
    assert_same_outputs(trainer.average, exported, images, 1e-3)


def test_names_weights_that_are_missing_damaged_or_of_another_network(
    exported, tmp_path
):
    model = network.build(image_size=EXPORTED_SIZE, alpha=EXPORTED_ALPHA)
    path = str(tmp_path / weights.FILE)
    with pytest.raises(EthosError, match=r"model\.weights\.h5: no such file"):
        weights.load(model, path)
    shutil.copy(os.path.join(exported, weights.FILE), path)
    with open(path, "r+b") as file:
        file.truncate(1000)
    with pytest.raises(EthosError, match=r"model\.weights\.h5: not weights") as error:
        weights.load(model, path)
    assert "\n" not in str(error.value)
    larger = network.build(image_size=EXPORTED_SIZE + 32, alpha=EXPORTED_ALPHA)
    with pytest.raises(EthosError, match=r"not weights of this network") as error:
        weights.load(larger, os.path.join(exported, weights.FILE))
    assert "\n" not in str(error.value)


def test_names_a_checkpoint_of_another_network(workdir):
    larger = network.build(image_size=EXPORTED_SIZE + 32, alpha=EXPORTED_ALPHA)
    path = str(workdir / "best.npz")
    groups, _ = checkpoint.read(path)
    with pytest.raises(EthosError, match="the shape of landmark_points/kernel is"):
        checkpoint.assign(larger.variables, groups["average"], path)
