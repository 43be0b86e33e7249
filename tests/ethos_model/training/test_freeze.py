"""The last stage, which trains depth and restored image and leaves the landmarks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.training import inputs, loop
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny


@pytest.fixture
def config(data_dir, tmp_path):
    return TrainConfig(
        data_dir=data_dir,
        workdir=str(tmp_path),
        **tiny.FLAGS,
        alpha=0.35,
        freeze_landmarks=True,
        initial_weights="of another run",
    )


def test_frozen_landmarks_stay_while_the_pictures_are_trained(config):
    strategy = inputs.strategy()
    trainer = loop.Trainer(config, strategy, tiny.darken())
    free = loop.Trainer(
        dataclasses.replace(config, freeze_landmarks=False), strategy, None
    )
    paths = [variable.path for variable in free.model.variables]
    assert [variable.path for variable in trainer.model.variables] == paths
    # Evidence for the points in the finest features that they see.
    kernel = trainer.model.get_layer("landmark_evidence").kernel
    kernel.assign(np.random.default_rng(1).normal(0, 1, kernel.shape))
    trainer.start()
    image = inputs.validation_batches(config)[0]["image"]
    before = {k: np.asarray(v) for k, v in trainer.average(image).items()}
    batches = inputs.training_batches(config, strategy)
    for _ in range(3):
        trainer.train(next(batches))
    for network in (trainer.model, trainer.average):
        outputs = network(image, training=network is trainer.model)
        for name in ("landmarks", "uncertainty"):
            np.testing.assert_array_equal(outputs[name], before[name])
        for name in ("depth", "restored"):
            assert np.abs(outputs[name] - before[name]).max() > 1e-4


def test_without_landmarks_to_keep_it_is_refused(config):
    config.validate()
    with pytest.raises(EthosError, match="--freeze_landmarks wants --initial_weights"):
        dataclasses.replace(config, initial_weights="").validate()
