"""The training step and the evaluation, compared with the same in numpy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from ethos_data import degrade
from ethos_data.visibility import HIDDEN, UNSTATED, VISIBLE
from ethos_model.training import inputs, loop
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny

pytestmark = pytest.mark.usefixtures("tiny_network")


def test_sigma_ratio_sigmas_contain_two_thirds_of_the_errors(data_dir, tmp_path):
    config = TrainConfig(data_dir=data_dir, workdir=str(tmp_path), **tiny.FLAGS)
    trainer = loop.Trainer(config, inputs.strategy(), None)
    batches = inputs.validation_batches(config)
    ratio = trainer.evaluate(batches, degraded=False)["sigma_ratio"]
    within = []
    for batch in batches:
        outputs = {k: np.asarray(v) for k, v in trainer.average(batch["image"]).items()}
        for axis in (0, 1):
            error = outputs["landmarks"][..., axis] - batch["landmarks"][..., axis]
            within.append(np.abs(error) <= ratio * outputs["uncertainty"])
    assert np.mean(within) == pytest.approx(0.6827, abs=0.002)


def test_restored_is_compared_with_the_image_in_its_changed_light(data_dir, tmp_path):
    config = TrainConfig(data_dir=data_dir, workdir=str(tmp_path), **tiny.FLAGS)
    trainer = loop.Trainer(config, inputs.strategy(), tiny.darken())
    batch = inputs.validation_batches(config)[0]
    batch = {key: np.repeat(value[:1], 64, axis=0) for key, value in batch.items()}
    graded = trainer._graded(batch, 5)
    changed = (np.asarray(graded["image"]) != batch["image"]).any(axis=(1, 2, 3))
    assert 18 < changed.sum() < 46  # of 64, with a share of 0.5
    again = np.asarray(trainer._graded(batch, 5)["image"])
    np.testing.assert_array_equal(again, graded["image"])
    assert (again != np.asarray(trainer._graded(batch, 6)["image"])).any()

    grey = np.asarray(graded["image"]) @ (0.299, 0.587, 0.114) / 255
    outputs = dict(trainer.model(batch["image"]))
    outputs["restored"] = grey[..., None].astype(np.float32)
    loss = trainer._per_image(graded, outputs, graded["image"])["restored_loss"]
    np.testing.assert_allclose(loss, 0, atol=1e-4)
    other = trainer._per_image(batch, outputs, graded["image"])["restored_loss"]
    assert (other.numpy()[changed] > 0.1).all()


def test_covered_landmarks_are_hidden(data_dir, tmp_path):
    """Landmarks whose pixels an occlusion changes, unless nothing is stated."""
    config = TrainConfig(data_dir=data_dir, workdir=str(tmp_path), **tiny.FLAGS)
    cover = degrade.Mixture(
        [degrade.Occlusion(0.2, texture=0, share=1.0)], jit_compile=False
    )
    trainer = loop.Trainer(config, inputs.strategy(), cover)
    batch = dict(inputs.validation_batches(config)[0])
    count = len(batch["image"])
    codes = np.tile(np.uint8([VISIBLE, HIDDEN, UNSTATED, VISIBLE]), 17)
    batch |= {"visible": tf.constant(np.tile(codes, (count, 1)))}
    batch |= {"image": tf.zeros_like(batch["image"])}
    shown, images = trainer.shown(batch, 3)
    # Grading leaves black black, so that only the cover is bright.
    places = np.asarray(batch["landmarks"])[..., :2] * config.image_size
    pixels = np.clip(places.astype(int), 0, config.image_size - 1)
    rows = np.arange(count)[:, None]
    covered = np.asarray(images)[rows, pixels[..., 1], pixels[..., 0]].sum(axis=-1) > 60
    expected = np.where(covered & (codes == VISIBLE), HIDDEN, codes)
    differs = (np.asarray(shown["visible"]) != expected).mean()
    assert 0.05 < covered.mean() < 0.6
    assert differs < 0.05  # landmarks at the edge of the cover


def test_protection_of_good_images_rises_once(data_dir, tmp_path):
    config = TrainConfig(
        data_dir=data_dir,
        workdir=str(tmp_path),
        **{**tiny.FLAGS, "epochs": 10, "steps_per_epoch": 10},
    )
    trainer = loop.Trainer(config, inputs.strategy(), None)
    rise = [
        float(trainer._protection(tf.constant(step))) for step in (0, 40, 50, 60, 99)
    ]
    np.testing.assert_allclose(rise, [0, 0, 0.5, 1, 1], atol=1e-6)
    trained = dataclasses.replace(config, initial_weights="pretrained")
    trainer = loop.Trainer(trained, inputs.strategy(), None)
    assert float(trainer._protection(tf.constant(0))) == 1


def test_average_follows_weights_and_debiased_statistics(data_dir, tmp_path):
    """Compared with the same recursion in numpy over the weights after each step."""
    config = TrainConfig(
        data_dir=data_dir,
        workdir=str(tmp_path),
        **{**tiny.FLAGS, "ema_decay": 0.4, "degrade": False},
    )
    strategy = inputs.strategy()
    trainer = loop.Trainer(config, strategy, None)
    expected = [v.numpy().astype(np.float64) for v in trainer.average.variables]
    trainable = {v.path for v in trainer.model.trainable_variables}
    batches = inputs.training_batches(config, strategy)
    for step in range(1, 6):
        trainer.train(next(batches))
        keep = min(0.4, (step - 1) / (step + 9))
        for index, variable in enumerate(trainer.model.variables):
            weight = 1 if variable.path in trainable else 1 - 0.99**step
            value = variable.numpy() / weight
            expected[index] = keep * expected[index] + (1 - keep) * value
    for variable, value in zip(trainer.average.variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-4, atol=1e-5)


def test_mixed_precision_trains_in_float16(data_dir, tmp_path):
    import keras

    config = TrainConfig(
        data_dir=data_dir,
        workdir=str(tmp_path),
        **{**tiny.FLAGS, "mixed_precision": True},
    )
    strategy = inputs.strategy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        trainer = loop.Trainer(config, strategy, None)
        assert trainer.model.get_layer("conv").compute_dtype == "float16"
        before = [v.numpy() for v in trainer.model.trainable_variables]
        batches = inputs.training_batches(config, strategy)
        sums = [trainer.train(next(batches)).numpy() for _ in range(4)]
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert np.isfinite(sums).all()
    after = [v.numpy() for v in trainer.model.trainable_variables]
    assert all(np.isfinite(value).all() for value in after)
    assert any((a != b).any() for a, b in zip(after, before, strict=True))
    assert trainer.step == 4
