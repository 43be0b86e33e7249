"""Training that survives: whatever stops a run, the same command gives its curve."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from ethos_data import dataset, dataset_files
from ethos_data.batches import augment
from ethos_data.errors import EthosError
from ethos_model import network, train
from ethos_model.training import checkpoint, inputs, loop, progress
from ethos_model.training import run as runs
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny

pytestmark = pytest.mark.usefixtures("tiny_network")


def run(data_dir, workdir, follow=None, **changes):
    config = TrainConfig(
        data_dir=data_dir, workdir=str(workdir), **{**tiny.FLAGS, **changes}
    )
    return train.fit(config, progress=follow or progress.Silent())


@pytest.fixture(scope="module")
def whole(data_dir, tmp_path_factory):
    """A run that nothing disturbed."""
    workdir = tmp_path_factory.mktemp("whole")
    return run(data_dir, workdir), workdir


def curve(history):
    """The figures that must repeat; the speed need not."""
    return [{k: v for k, v in r.items() if k != "images_per_second"} for r in history]


class At(progress.Silent):
    """Does something at one step of the run."""

    def __init__(self, step, action):
        self.left, self.action = step, action

    def step_end(self, step, means):
        self.left -= 1
        if self.left == 0:
            self.action()


class BrokenOff(progress.Silent):
    """Counts how often it is told so."""

    times = 0

    def break_off(self):
        self.times += 1


def test_history_has_a_line_an_epoch_with_training_and_validation_figures(whole):
    result, workdir = whole
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


def test_training_starts_at_the_mean_face_and_learns(data_dir, tmp_path):
    result = run(data_dir, tmp_path, epochs=6, steps_per_epoch=8)
    first, last = result.history[0], result.history[-1]
    assert first["nme"] < 15  # a face at the origin would be off by 100 %
    assert last["loss"] < first["loss"]
    assert last["val_restored_loss"] < first["val_restored_loss"]


def test_best_checkpoint_is_the_epoch_with_the_lowest_error(whole):
    result, workdir = whole
    errors = [(r["val_nme"] + r["val_degraded_nme"]) / 2 for r in result.history]
    groups, meta = checkpoint.read(str(workdir / "best.npz"))
    assert meta["step"] == 4 * (1 + int(np.argmin(errors)))
    assert result.best_nme == min(errors)
    assert set(groups) == {"average"}


def test_a_finished_run_has_nothing_left_to_do(whole, data_dir):
    result, workdir = whole
    again = run(data_dir, workdir)
    assert curve(again.history) == curve(result.history)


@pytest.mark.parametrize("step", [4, 6])
def test_ctrl_c_saves_the_step_and_the_curve_goes_on(whole, data_dir, tmp_path, step):
    interrupt = At(step, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        run(data_dir, tmp_path, interrupt)
    _, meta = checkpoint.read(str(tmp_path / "last.npz"))
    assert step <= meta["step"] <= step + 1
    resumed = run(data_dir, tmp_path)
    assert curve(resumed.history) == curve(whole[0].history)


@pytest.mark.parametrize(
    ("moment", "left"),
    [("step 1", 0), ("step 6", 4), ("step 8", 4), ("evaluate 4", 4), ("save 2", 4)],
)
def test_kill_9_loses_at_most_an_epoch_and_the_curve_is_the_same(
    whole, data_dir, tmp_path, moment, left
):
    flags = {**tiny.FLAGS, "data_dir": data_dir, "workdir": str(tmp_path / "run")}
    config = tmp_path / "run.json"
    config.write_text(json.dumps(flags))
    child = subprocess.run(
        [sys.executable, "-m", "tests.ethos_model.tiny", "--config", str(config)],
        env=os.environ | {"TINY_KILL_AT": moment},
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]
    last = tmp_path / "run" / "last.npz"
    if left:
        assert checkpoint.read(str(last))[1]["step"] == left
    else:
        assert not last.exists()
    resumed = run(data_dir, tmp_path / "run")
    assert curve(resumed.history) == curve(whole[0].history)
    expected, _ = checkpoint.read(str(whole[1] / "last.npz"))
    groups, _ = checkpoint.read(str(last))
    assert set(groups) == {"weights", "average", "optimizer"}
    for group, values in groups.items():
        for value, wanted in zip(values, expected[group], strict=True):
            np.testing.assert_array_equal(value, wanted)


def test_a_checkpoint_of_another_configuration_is_refused(whole, data_dir):
    with pytest.raises(EthosError, match=r"--learning_rate is 0\.5, was 0\.001"):
        run(data_dir, whole[1], learning_rate=0.5)


def test_a_checkpoint_of_other_data_is_refused(whole, data_dir, tmp_path):
    other = tiny.write_data(str(tmp_path), train=10)
    with pytest.raises(EthosError, match="holds other data"):
        run(other, whole[1])
    with pytest.raises(EthosError, match=f"{other} holds other data"):
        run(data_dir, whole[1], extra_data_dir=other)


def test_a_diverged_loss_stops_with_advice_and_keeps_the_checkpoint(
    data_dir, tmp_path, monkeypatch
):
    good = inputs.training_batches

    def poisoned(*args, **kwargs):
        for step, batch in enumerate(good(*args, **kwargs), start=1):
            yield batch | {
                "landmarks": batch["landmarks"] * (math.nan if step > 5 else 1)
            }

    monkeypatch.setattr(inputs, "training_batches", poisoned)
    follow = BrokenOff()
    with pytest.raises(EthosError, match=r"at step 6: .*--learning_rate"):
        run(data_dir, tmp_path, follow)
    assert follow.times == 1
    _, meta = checkpoint.read(str(tmp_path / "last.npz"))
    assert meta["step"] == 4
    assert np.isfinite(meta["history"][0]["loss"])


def test_initial_weights_are_another_runs_average(
    whole, data_dir, tmp_path, monkeypatch
):
    start = str(whole[1] / "best.npz")
    asked = []

    def build(backbone_weights=None, **options):
        asked.append(backbone_weights)
        return tiny.build(**options)

    monkeypatch.setattr(network, "build", build)
    config = TrainConfig(
        data_dir=data_dir,
        workdir=str(tmp_path),
        **{**tiny.FLAGS, "initial_weights": start, "backbone_weights": "imagenet"},
    )
    trainer = loop.Trainer(config, inputs.strategy(), None)
    runs.Run(config, trainer, inputs.describe(config), progress.Silent()).start()
    assert set(asked) == {None}  # nothing is downloaded to be replaced
    groups, _ = checkpoint.read(start)
    for variable, value in zip(
        trainer.average.variables, groups["average"], strict=True
    ):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_a_share_of_every_batch_comes_from_the_extra_data(data_dir, tmp_path):
    """Each part is what its own data set would have given, resumed runs included."""
    extra = tiny.write_data(str(tmp_path / "extra"), train=20)
    config = TrainConfig(
        data_dir=data_dir,
        extra_data_dir=extra,
        extra_share=0.25,
        label_shift=4.0,
        extra_label_shift=-1.0,
        workdir=str(tmp_path),
        **tiny.FLAGS,
    )
    count = round(config.batch_size * 0.25)
    assert 0 < count < config.batch_size
    options = {"image_size": config.image_size, "training": True, "seed": config.seed}
    parts = [
        dataset.load(
            place,
            "train",
            batch_size=size,
            augmentation=augment.Augmentation(label_shift=own, wanted_shift=4.0),
            **options,
        )
        for place, size, own in (
            (data_dir, config.batch_size - count, 4.0),
            (extra, count, -1.0),
        )
    ]
    mixed = inputs.training_batches(config, inputs.strategy())
    resumed = inputs.training_batches(config, inputs.strategy(), start_step=2)
    for step, (first, second) in enumerate(
        zip(*(part.take(4) for part in parts), strict=True)
    ):
        batch = next(mixed)
        for key, values in batch.items():
            wanted = np.concatenate([first[key], second[key]])
            np.testing.assert_array_equal(values, wanted)
        if step >= 2:
            again = next(resumed)
            np.testing.assert_array_equal(again["image"], batch["image"])
    described = inputs.describe(config)
    assert described["extra"]["examples"]["train"] == 20


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_a_share_that_is_no_whole_image_is_refused(data_dir, tmp_path, share):
    with pytest.raises(EthosError, match=f"--extra_share {share} is no whole image"):
        run(data_dir, tmp_path, extra_data_dir=data_dir, extra_share=share)


def test_pictures_show_each_face_in_five_ways(data_dir, tmp_path):
    import cv2

    run(data_dir, tmp_path, pictures=2, epochs=1)
    picture = cv2.imread(str(tmp_path / "pictures" / "epoch_001.png"))
    assert picture.shape == (2 * 224, 5 * 224, 3)
    assert picture.std() > 0


@pytest.mark.parametrize("kind", ["laplace", "mse", "wing"])
def test_other_losses_train(data_dir, tmp_path, kind):
    result = run(data_dir, tmp_path, landmark_loss=kind, epochs=2)
    assert np.isfinite(result.history[-1]["loss"])


def test_profile_splits_the_time_of_a_step(data_dir, tmp_path, capsys):
    run(data_dir, tmp_path, profile_steps=3)
    out = capsys.readouterr().out
    for stage in ("host input alone", "forward, backward, update", "degradation"):
        assert stage in out
    stall = re.search(r"waiting for input .* ([\d.]+)%", out)
    assert 0 <= float(stall[1]) <= 100
    assert not (tmp_path / "last.npz").exists()


def test_mixed_precision_is_refused_without_a_gpu(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(inputs.tf.config, "list_logical_devices", lambda kind: [])
    with pytest.raises(EthosError, match="--mixed_precision needs a GPU"):
        run(data_dir, tmp_path, mixed_precision=True)


def test_tensorboard_is_optional(data_dir, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if not installed
    with pytest.raises(EthosError, match="pip install tensorboard"):
        run(data_dir, tmp_path, tensorboard=True)


def test_tensorboard_gets_every_epoch(data_dir, tmp_path):
    from tensorboard.backend.event_processing import event_accumulator

    result = run(data_dir, tmp_path, tensorboard=True)
    events = event_accumulator.EventAccumulator(
        str(tmp_path / "tensorboard"), {event_accumulator.TENSORS: 0}
    )
    events.Reload()
    for name in ("loss", "val_nme", "learning_rate"):
        found = events.Tensors(name)
        assert [event.step for event in found] == [1, 2, 3]
        values = [float(inputs.tf.make_ndarray(e.tensor_proto)) for e in found]
        wanted = [row[name] for row in result.history]
        np.testing.assert_allclose(values, wanted, rtol=1e-6)


def test_missing_data_is_one_line(tmp_path, capsys):
    flags = ["--data_dir", str(tmp_path), "--workdir", str(tmp_path / "run")]
    assert train.main([*flags, "--backbone_weights", "none"]) == 1
    error = capsys.readouterr().err
    assert str(tmp_path) in error
    assert "Traceback" not in error


def test_a_damaged_shard_is_named(data_dir, tmp_path):
    copy = shutil.copytree(data_dir, tmp_path / "copy")
    path = dataset_files.shard_paths(copy, "train")[0]
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 100)
    with pytest.raises(EthosError, match=rf"{re.escape(path)}: damaged: ends inside"):
        run(str(copy), tmp_path / "run")


def test_exactly_so_many_images_judge_an_epoch(data_dir, monkeypatch, tmp_path):
    monkeypatch.setattr(inputs, "_EVALUATION_BATCH", 4)
    config = TrainConfig(data_dir=data_dir, workdir=str(tmp_path), **tiny.FLAGS)
    every = inputs.validation_batches(config)
    config = dataclasses.replace(config, validation_images=5)
    five = inputs.validation_batches(config)
    assert [len(batch["image"]) for batch in every] == [4, 2]
    assert [len(batch["image"]) for batch in five] == [4, 1]
    np.testing.assert_array_equal(five[1]["image"], every[1]["image"][:1])
