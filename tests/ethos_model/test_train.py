"""A training run: its files, its results, and how it is extended."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import re
import shutil

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import network
from ethos_model.training import checkpoint, inputs, loop, preflight, progress
from ethos_model.training.config import TrainConfig
from ethos_model.training.run import Run
from tests.ethos_model import tiny
from tests.ethos_model.runs import Messages, run

pytestmark = pytest.mark.usefixtures("tiny_network")


def test_history_has_a_line_for_each_epoch(undisturbed):
    result, workdir = undisturbed
    with open(workdir / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [int(row["step"]) for row in rows] == [4, 8, 12]
    for name in loop.METRICS:
        for prefix in ("", "val_", "val_degraded_"):
            values = [float(row[prefix + name]) for row in rows]
            assert np.isfinite(values).all()
            assert values == [row[prefix + name] for row in result.history]
    assert json.loads((workdir / "run.json").read_text())["batch_size"] == 4
    assert set(os.listdir(workdir)) == {
        *("best.npz", "last.npz", "history.csv", "run.json")
    }


def test_training_starts_at_the_mean_face_and_improves(data_dir, tmp_path):
    result = run(data_dir, tmp_path, epochs=6, steps_per_epoch=8)
    first, last = result.history[0], result.history[-1]
    assert first["nme"] < 15  # a face at the origin would have an error of 100 %
    # A few steps of a tiny network; the goal of the restored image changes meanwhile.
    assert last["depth_loss"] < first["depth_loss"]
    assert last["val_depth_loss"] < first["val_depth_loss"]


def test_the_best_checkpoint_is_the_epoch_with_the_lowest_error(undisturbed):
    result, workdir = undisturbed
    errors = [(r["val_nme"] + r["val_degraded_nme"]) / 2 for r in result.history]
    groups, meta = checkpoint.read(str(workdir / "best.npz"))
    assert meta["step"] == 4 * (1 + int(np.argmin(errors)))
    assert result.best_nme == min(errors)
    assert set(groups) == {"average"}


def test_a_finished_run_says_so_and_repairs_its_history(
    undisturbed, data_dir, tmp_path
):
    result, workdir = undisturbed
    copy = shutil.copytree(workdir, tmp_path / "run")
    (copy / "history.csv").unlink()
    messages = Messages()
    again = run(data_dir, copy, messages)
    assert messages.texts == [
        f"{copy} is finished: 3 of 3 epochs. A larger --epochs continues it"
    ]
    assert again == dataclasses.replace(
        result, best=str(copy / "best.npz"), seconds=again.seconds
    )
    assert (copy / "history.csv").read_text() == (workdir / "history.csv").read_text()


def test_a_finished_run_continues_with_more_epochs(undisturbed, data_dir, tmp_path):
    result, workdir = undisturbed
    copy = shutil.copytree(workdir, tmp_path / "run")
    messages = Messages()
    longer = run(data_dir, copy, messages, epochs=5)
    assert longer.history[:3] == result.history
    assert [row["step"] for row in longer.history] == [4, 8, 12, 16, 20]
    assert messages.texts[:2] == [
        f"resuming {copy}/last.npz at step 12 (epoch 4/5)",
        "--epochs is 5, was 3: the learning rate now decays until step 20. It "
        "continues at 0.00042",
    ]
    # Two steps of warm-up, then a cosine over the other 18 steps.
    for row in longer.history[3:]:
        cosine = 0.5 * (1 + math.cos(math.pi * (row["step"] - 2) / 18))
        rate = 1e-3 * (0.99 * cosine + 0.01)
        assert row["learning_rate"] == pytest.approx(rate, rel=1e-4)
    assert json.loads((copy / "run.json").read_text())["epochs"] == 5


def test_a_diverged_loss_stops_with_advice_and_leaves_the_checkpoint(
    data_dir, tmp_path, monkeypatch
):
    good = inputs.training_batches

    def poisoned(*args, **kwargs):
        for step, batch in enumerate(good(*args, **kwargs), start=1):
            yield batch | {
                "landmarks": batch["landmarks"] * (math.nan if step > 5 else 1)
            }

    monkeypatch.setattr(inputs, "training_batches", poisoned)
    messages = Messages()
    with pytest.raises(EthosError, match=r"at step 6: .*--learning_rate"):
        run(data_dir, tmp_path, messages)
    assert messages.breaks == 1
    meta = checkpoint.read_meta(str(tmp_path / "last.npz"))
    assert meta["step"] == 4
    assert np.isfinite(meta["history"][0]["loss"])


def test_announces_the_compilation_before_the_first_step(data_dir, tmp_path):
    messages = Messages()
    run(data_dir, tmp_path, messages, epochs=2)
    assert messages.texts == [
        "compiling the training step; the first step takes about a minute"
    ]


def test_trains_without_validation_images(undisturbed, tmp_path):
    data_dir = tiny.write_data(str(tmp_path / "data"), validation=0)
    messages = Messages()
    result = run(
        data_dir, tmp_path / "run", messages, validation_images=0, pictures=2, epochs=2
    )
    assert messages.texts[0] == "no validation images: best.npz is the last epoch"
    assert math.isnan(result.best_nme)
    assert not any(name.startswith("val_") for name in result.history[-1])
    best = checkpoint.read_meta(str(tmp_path / "run" / "best.npz"))
    assert best["step"] == 8
    # The training itself does not depend on the validation.
    assert result.history[0]["loss"] == undisturbed[0].history[0]["loss"]


def test_validation_can_be_turned_on_when_a_run_is_resumed(data_dir, tmp_path):
    run(data_dir, tmp_path, validation_images=0, epochs=1)
    result = run(data_dir, tmp_path, epochs=2)
    assert math.isfinite(result.best_nme)
    with open(tmp_path / "history.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["val_nme"] == ""
    assert float(second["val_nme"]) > 0


def test_initial_weights_are_the_average_of_another_run(
    undisturbed, data_dir, tmp_path, monkeypatch
):
    start = str(undisturbed[1] / "best.npz")
    backbones = []

    def build(backbone_weights=None, **options):
        backbones.append(backbone_weights)
        return tiny.build(**options)

    monkeypatch.setattr(network, "build", build)
    config = TrainConfig(
        data_dir=data_dir,
        workdir=str(tmp_path),
        **{**tiny.FLAGS, "initial_weights": start, "backbone_weights": "imagenet"},
    )
    trainer = loop.Trainer(config, inputs.strategy(), None)
    Run(config, trainer, preflight.describe(config), progress.Silent()).start()
    assert set(backbones) == {None}  # no weights are downloaded
    groups, _ = checkpoint.read(start)
    for name, value in checkpoint.values(trainer.average.variables).items():
        np.testing.assert_array_equal(value, groups["average"][name])


def test_pictures_show_each_face_in_five_cells(data_dir, tmp_path):
    import cv2

    run(data_dir, tmp_path, pictures=2, epochs=1)
    picture = cv2.imread(str(tmp_path / "pictures" / "epoch_001.png"))
    assert picture.shape == (2 * 224, 5 * 224, 3)
    assert picture.std() > 0


@pytest.mark.parametrize("kind", ["laplace", "mse", "wing"])
def test_trains_with_the_other_landmark_losses(data_dir, tmp_path, kind):
    result = run(data_dir, tmp_path, landmark_loss=kind, epochs=2)
    assert np.isfinite(result.history[-1]["loss"])


def test_profile_prints_the_time_of_each_part(data_dir, tmp_path, capsys):
    run(data_dir, tmp_path, profile_steps=3)
    out = capsys.readouterr().out
    for stage in (
        "host input alone",
        "forward, backward, update",
        "the same, degraded",
    ):
        assert stage in out
    stall = re.search(r"waiting for input .* ([\d.]+)%", out)
    assert 0 <= float(stall[1]) <= 100
    assert not (tmp_path / "last.npz").exists()


def test_mixed_precision_needs_a_gpu(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(inputs.tf.config, "list_logical_devices", lambda kind: [])
    with pytest.raises(EthosError, match="--mixed_precision needs a GPU"):
        run(data_dir, tmp_path, mixed_precision=True)


def test_tensorboard_receives_every_epoch(data_dir, tmp_path):
    from tensorboard.backend.event_processing import event_accumulator

    result = run(data_dir, tmp_path, tensorboard=True)
    events = event_accumulator.EventAccumulator(
        str(tmp_path / "tensorboard"), {event_accumulator.TENSORS: 0}
    )
    events.Reload()
    for name in ("loss", "val_nme", "learning_rate"):
        scalars = events.Tensors(name)
        assert [event.step for event in scalars] == [1, 2, 3]
        values = [float(inputs.tf.make_ndarray(e.tensor_proto)) for e in scalars]
        expected = [row[name] for row in result.history]
        np.testing.assert_allclose(values, expected, rtol=1e-6)
