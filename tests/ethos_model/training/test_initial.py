"""A run that begins at an exported model begins at the function that was exported."""

from __future__ import annotations

import dataclasses
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from ethos_data.errors import EthosError
from ethos_model import average, network, predict
from ethos_model.training import checkpoint, initial, inputs, loop
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny
from tests.ethos_model.conftest import EXPORTED_ALPHA, EXPORTED_SIZE


def build(folder):
    """The network with the weights of an exported model."""
    copy = network.build(image_size=EXPORTED_SIZE, alpha=EXPORTED_ALPHA)
    weights = initial.exported_weights(folder, copy)
    checkpoint.assign(copy.variables, weights, folder)
    return copy


def assert_computes(model, folder, images, atol):
    """Asserts that a network computes what the exported one does."""
    _, exported = predict.load_network(folder, "tensorflow")
    outputs = model(images, training=False)
    for name, wanted in exported(images).items():
        np.testing.assert_allclose(outputs[name], wanted, atol=atol, err_msg=name)


def test_the_weights_of_an_exported_model_are_read_back(exported, images):
    assert_computes(build(exported), exported, images, 2e-6)


def test_the_model_that_ships_can_be_read():
    model = network.build()
    folder = predict.find(None)
    weights = initial.exported_weights(folder, model)
    checkpoint.assign(model.variables, weights, folder)
    faces = np.random.default_rng(3).integers(0, 256, (1, 112, 112, 3), dtype=np.uint8)
    _, shipped = predict.load_network(folder, "tensorflow")
    outputs = model(faces, training=False)
    for name, wanted in shipped(faces).items():
        # Half precision moves a landmark by 2e-4, and uncertainty has its factor.
        atol = 1e-2 if name == "uncertainty" else 5e-4
        np.testing.assert_allclose(outputs[name], wanted, atol=atol, err_msg=name)


@pytest.mark.parametrize("word", ["folder", "pretrained"])
def test_a_run_starts_from_an_exported_model(
    word, exported, images, tmp_path, monkeypatch
):
    found = predict.find
    monkeypatch.setattr(predict, "find", lambda path: found(path or exported))
    config = TrainConfig(
        data_dir=tiny.write_data(str(tmp_path / "data")),
        workdir=str(tmp_path / "run"),
        image_size=EXPORTED_SIZE,
        alpha=EXPORTED_ALPHA,
        initial_weights=exported if word == "folder" else word,
    )
    trainer = loop.Trainer(config, inputs.strategy(), tiny.darken())
    initial.start(trainer, config)
    assert_computes(trainer.average, exported, images, 1e-5)
    # Measured on training faces: no statistic is the exported one any longer.
    for layer in trainer.average.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert np.abs(layer.moving_mean.numpy()).max() > 0


def test_the_first_steps_compute_what_was_exported(exported, tmp_path, monkeypatch):
    """Their batch norm sees all that a step shows, a second data set's images too."""
    monkeypatch.setattr(initial, "_MEASURED_IMAGES", 16)
    data_dir = tiny.write_data(str(tmp_path / "data"))
    config = TrainConfig(
        data_dir=data_dir,
        extra_data_dir=data_dir,
        extra_share=0.5,
        workdir=str(tmp_path / "run"),
        image_size=EXPORTED_SIZE,
        alpha=EXPORTED_ALPHA,
        initial_weights=exported,
        graded_share=0.5,
    )
    trainer = loop.Trainer(config, inputs.strategy(), tiny.darken())
    initial.start(trainer, config)
    batch = next(inputs.training_batches(config, trainer.strategy))
    graded, shown = trainer.shown(batch, tf.constant(0))
    assert (graded["image"].numpy() != batch["image"].numpy()).any()
    wanted = trainer.average(shown, training=False)
    # One batch is all that was measured, so its own statistics are those measured.
    for name, values in trainer.model(shown, training=True).items():
        np.testing.assert_allclose(values, wanted[name], atol=1e-4, err_msg=name)


def test_runs_begin_at_the_same_kernels_whatever_their_seed_and_degradations(
    exported, tmp_path
):
    data_dir = tiny.write_data(str(tmp_path / "data"))
    begun = []
    for seed, degradation in ((0, None), (1, tiny.darken())):
        config = TrainConfig(
            data_dir=data_dir,
            workdir=str(tmp_path / "run"),
            image_size=EXPORTED_SIZE,
            alpha=EXPORTED_ALPHA,
            initial_weights=exported,
            seed=seed,
        )
        trainer = loop.Trainer(config, inputs.strategy(), degradation)
        initial.start(trainer, config)
        begun.append({v.path: v.numpy() for v in trainer.average.variables})
    one, other = begun
    for path, value in one.items():
        if path.endswith("kernel"):
            np.testing.assert_array_equal(value, other[path], err_msg=path)
    # Their statistics are those of what each will see.
    assert any(
        (value != other[path]).any()
        for path, value in one.items()
        if path.endswith("moving_mean")
    )


def test_a_run_is_averaged_with_the_model_that_it_started_from(exported, tmp_path):
    config = TrainConfig(
        data_dir=tiny.write_data(str(tmp_path / "data")),
        workdir=str(tmp_path / "run"),
        image_size=EXPORTED_SIZE,
        alpha=EXPORTED_ALPHA,
        initial_weights=exported,
        degrade=False,
    )
    trainer = loop.Trainer(config, inputs.strategy(), None)
    initial.start(trainer, config)
    begun = [variable.numpy() for variable in trainer.average.variables]
    path = str(tmp_path / "run" / "last.npz")
    meta = {"config": dataclasses.asdict(config), "step": 3}
    checkpoint.write(path, {"average": [value + 0.5 for value in begun]}, meta)
    average.average([path, exported], str(tmp_path / "mean"), weights=(1, 4))
    groups, _ = checkpoint.read(str(tmp_path / "mean" / "best.npz"))
    for got, value in zip(groups["average"], begun, strict=True):
        np.testing.assert_allclose(got, value + 0.1, atol=1e-5)
    with pytest.raises(EthosError, match="the first of --checkpoints must be a run's"):
        average.average([exported, path], str(tmp_path / "other"))


def test_what_is_no_exported_model_is_named(exported, tmp_path):
    model = network.build(image_size=EXPORTED_SIZE, alpha=EXPORTED_ALPHA)
    with pytest.raises(EthosError, match="no exported model here"):
        initial.exported_weights(str(tmp_path), model)
    shutil.copy(os.path.join(exported, predict.CARD), tmp_path)
    with pytest.raises(EthosError, match=r"saved_model\.pb: No such file"):
        initial.exported_weights(str(tmp_path), model)
    (tmp_path / "saved_model.pb").write_bytes(b"half of one")
    with pytest.raises(EthosError, match=r"saved_model\.pb: not a SavedModel"):
        initial.exported_weights(str(tmp_path), model)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(EthosError, match=r"holds no Conv1/kernel of this network"):
        initial.exported_weights(str(tmp_path), model)


def test_a_network_of_another_size_is_refused(exported):
    model = network.build(image_size=EXPORTED_SIZE + 32, alpha=EXPORTED_ALPHA)
    weights = initial.exported_weights(exported, model)
    with pytest.raises(EthosError, match="landmark_points/kernel has shape"):
        checkpoint.assign(model.variables, weights, exported)
