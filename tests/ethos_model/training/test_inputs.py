"""The batches of training and of validation."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil

import numpy as np
import pytest

from ethos_data import dataset, dataset_files
from ethos_data.batches import augment
from ethos_data.errors import EthosError
from ethos_model.training import inputs
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny
from tests.ethos_model.runs import run

pytestmark = pytest.mark.usefixtures("tiny_network")


def test_a_share_of_every_batch_comes_from_the_extra_data(data_dir, tmp_path):
    """Each part has the images that its own data set would give, also when resumed."""
    extra = tiny.write_data(str(tmp_path / "extra"), train=20)
    config = TrainConfig(
        data_dir=data_dir,
        extra_data_dir=extra,
        extra_share=0.25,
        label_shift=4.0,
        workdir=str(tmp_path),
        **tiny.FLAGS,
    )
    count = round(config.batch_size * 0.25)
    assert 0 < count < config.batch_size
    options = {"image_size": config.image_size, "training": True, "seed": config.seed}
    parts = [
        dataset.load(
            directory,
            "train",
            batch_size=size,
            augmentation=augment.Augmentation(
                turned=0.1, label_shift=own, wanted_shift=4.0
            ),
            **options,
        )
        for directory, size, own in (
            (data_dir, config.batch_size - count, 4.0),
            (extra, count, 0.0),
        )
    ]
    mixed = inputs.training_batches(config, inputs.strategy())
    resumed = inputs.training_batches(config, inputs.strategy(), start_step=2)
    for step, (first, second) in enumerate(
        zip(*(part.take(4) for part in parts), strict=True)
    ):
        batch = next(mixed)
        for key, values in batch.items():
            expected = np.concatenate([first[key], second[key]])
            np.testing.assert_array_equal(values, expected)
        if step >= 2:
            again = next(resumed)
            np.testing.assert_array_equal(again["image"], batch["image"])


def test_names_a_damaged_shard(data_dir, tmp_path):
    copy = shutil.copytree(data_dir, tmp_path / "copy")
    path = dataset_files.shard_paths(copy, "train")[0]
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 100)
    with pytest.raises(EthosError, match=rf"{re.escape(path)}: damaged: "):
        run(str(copy), tmp_path / "run")


def test_validation_uses_exactly_the_given_number_of_images(
    data_dir, monkeypatch, tmp_path
):
    monkeypatch.setattr(inputs, "_EVALUATION_BATCH", 4)
    config = TrainConfig(data_dir=data_dir, workdir=str(tmp_path), **tiny.FLAGS)
    six = inputs.validation_batches(config)
    five = inputs.validation_batches(dataclasses.replace(config, validation_images=5))
    assert [len(batch["image"]) for batch in six] == [4, 2]
    assert [len(batch["image"]) for batch in five] == [4, 1]
    np.testing.assert_array_equal(five[1]["image"], six[1]["image"][:1])
