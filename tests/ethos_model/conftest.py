"""Fixtures for the tests of training and export."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from ethos_model import export, network
from ethos_model.training import checkpoint, inputs
from ethos_model.training.config import TrainConfig
from tests.ethos_model import runs, tiny

EXPORTED_SIZE = 48
EXPORTED_ALPHA = 0.35


def changed(model, *changes):
    """A copy of a network to which functions were applied that change it."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for change in changes:
        change(copy)
    return copy


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Directory of a converted data set with a few faces; see `tiny`."""
    return tiny.write_data(str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def tiny_network():
    """Replaces the network and the degradations by those of `tiny`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "build", tiny.build)
        patch.setattr(inputs, "training_mix", tiny.darken)
        yield


@pytest.fixture(scope="session")
def model():
    """A network whose weights and batch statistics differ from the initial ones."""
    rng = np.random.default_rng(11)
    model = network.build(image_size=EXPORTED_SIZE, alpha=EXPORTED_ALPHA)
    for variable in model.variables:
        value = variable.numpy()
        if "variance" in variable.path:
            value = value * rng.uniform(0.8, 1.2, value.shape)
        else:
            value = value + rng.normal(0, 0.02, value.shape)
        variable.assign(value)
    network.set_mean_face(model, rng.uniform(0.2, 0.8, (68, 3)))
    return model


@pytest.fixture(scope="session")
def workdir(model, tmp_path_factory):
    """Directory of a run whose best checkpoint contains this network."""
    workdir = tmp_path_factory.mktemp("run")
    config = TrainConfig(
        image_size=EXPORTED_SIZE, alpha=EXPORTED_ALPHA, data_dir="d", workdir="w"
    )
    checkpoint.write(
        str(workdir / "best.npz"),
        {"average": checkpoint.values(model.variables)},
        {
            "config": dataclasses.asdict(config),
            "history": [
                {"epoch": 1, "val_nme": 3.0, "val_degraded_nme": 4.0},
                {"epoch": 2, "val_nme": 2.0, "val_degraded_nme": 3.0},
            ],
            "step": 200,
            "data": {"fingerprint": "sha256:abc", "examples": {"train": 9}},
        },
    )
    return workdir


@pytest.fixture(scope="session")
def exported(workdir):
    """Directory of the exported model of this run."""
    return export.export(str(workdir), str(workdir / "model"))


@pytest.fixture(scope="session")
def images():
    shape = (3, EXPORTED_SIZE, EXPORTED_SIZE, 3)
    return np.random.default_rng(12).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def undisturbed(data_dir, tiny_network, tmp_path_factory):
    """Result and directory of a run that nothing interrupted."""
    workdir = tmp_path_factory.mktemp("undisturbed")
    return runs.run(data_dir, workdir), workdir
