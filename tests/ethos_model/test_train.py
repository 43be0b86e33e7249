"""Whatever stops a training run, the same command produces the same training curve."""

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
from ethos_model.training import checkpoint, inputs, loop, preflight, progress
from ethos_model.training.cluster import Cluster
from ethos_model.training.config import TrainConfig
from ethos_model.training.run import Run
from ethos_model.training.stopping import Terminated
from tests.ethos_model import tiny

pytestmark = pytest.mark.usefixtures("tiny_network")


def run(data_dir, workdir, report=None, **changes):
    config = TrainConfig(
        data_dir=data_dir, workdir=str(workdir), **{**tiny.FLAGS, **changes}
    )
    return train.fit(config, report=report or progress.Silent())


@pytest.fixture(scope="module")
def undisturbed(data_dir, tmp_path_factory):
    """Result and directory of a run that nothing interrupted."""
    workdir = tmp_path_factory.mktemp("undisturbed")
    return run(data_dir, workdir), workdir


def curve(history):
    """The figures of a history that must repeat; the speed may differ."""
    return [{k: v for k, v in r.items() if k != "images_per_second"} for r in history]


class Messages(progress.Silent):
    """Collects the messages of a run."""

    def __init__(self):
        self.texts = []
        self.breaks = 0

    def message(self, text):
        self.texts.append(text)

    def break_off(self):
        self.breaks += 1


class At(progress.Silent):
    """Calls a function at one step of the run."""

    def __init__(self, step, action):
        self.left, self.action = step, action

    def step_end(self, step, means):
        self.left -= 1
        if self.left == 0:
            self.action()


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
    assert last["loss"] < first["loss"]
    assert last["val_restored_loss"] < first["val_restored_loss"]


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


@pytest.mark.parametrize("step", [4, 6])
@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)],
)
def test_a_signal_saves_the_step_and_the_run_continues(
    undisturbed, data_dir, tmp_path, step, number, error
):
    interrupt = At(step, lambda: os.kill(os.getpid(), number))
    with pytest.raises(error):
        run(data_dir, tmp_path, interrupt)
    meta = checkpoint.read_meta(str(tmp_path / "last.npz"))
    assert step <= meta["step"] <= step + 1
    resumed = run(data_dir, tmp_path)
    assert curve(resumed.history) == curve(undisturbed[0].history)


@pytest.mark.parametrize("evaluation", [1, 4])
def test_a_signal_stops_the_validation(
    undisturbed, data_dir, tmp_path, monkeypatch, evaluation
):
    """Evaluation 1 is the first of epoch 1, evaluation 4 the second of epoch 2."""
    monkeypatch.setattr(inputs, "_EVALUATION_BATCH", 2)  # three batches
    evaluate, count = loop.Trainer.evaluate, 0

    def interrupted(self, batches, *, degraded):
        nonlocal count
        count += 1
        if count != evaluation:
            return evaluate(self, batches, degraded=degraded)
        iterator = iter(batches)
        next(iterator)
        os.kill(os.getpid(), signal.SIGINT)
        next(iterator)
        raise AssertionError("the validation goes on")

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "evaluate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(data_dir, tmp_path)
    meta = checkpoint.read_meta(str(tmp_path / "last.npz"))
    epoch = (evaluation + 1) // 2
    assert (meta["step"], len(meta["history"])) == (4 * epoch, epoch - 1)
    resumed = run(data_dir, tmp_path)
    for row, expected in zip(
        curve(resumed.history), curve(undisturbed[0].history), strict=True
    ):
        # The degradations of the validation depend on the size of its batches.
        assert {k: v for k, v in row.items() if not k.startswith("val_degraded")} == (
            pytest.approx(
                {k: v for k, v in expected.items() if not k.startswith("val_degraded")},
                rel=1e-5,
            )
        )


def test_a_run_is_rescued_while_tensorflow_validates(data_dir, tmp_path):
    """`rescue` is what the second thread calls if the main thread does not react."""
    config = TrainConfig(data_dir=data_dir, workdir=str(tmp_path), **tiny.FLAGS)
    trainer = loop.Trainer(config, inputs.strategy(), None)
    stuck = Run(config, trainer, preflight.describe(config), progress.Silent())
    assert stuck.patience() <= 2  # nothing is lost before the first step
    assert stuck.rescue() == "stopped before the first checkpoint; nothing was saved"
    assert not (tmp_path / "last.npz").exists()

    stuck = Run(config, trainer, preflight.describe(config), progress.Silent())
    trainer.step = 4
    with stuck._settled():
        assert stuck.patience() <= 2
        assert stuck.rescue() == (
            f"saved step 4 to {tmp_path}/last.npz; the same command resumes"
        )
    assert checkpoint.read_meta(str(tmp_path / "last.npz"))["step"] == 4


@pytest.mark.parametrize(
    ("moment", "left"),
    [("step 1", 0), ("step 6", 4), ("step 8", 4), ("evaluate 4", 4), ("save 2", 4)],
)
def test_kill_9_loses_at_most_an_epoch_and_the_curve_is_the_same(
    undisturbed, data_dir, tmp_path, moment, left
):
    flags = {**tiny.FLAGS, "data_dir": data_dir, "workdir": str(tmp_path / "run")}
    config = tmp_path / "run.json"
    config.write_text(json.dumps(flags))
    process = subprocess.run(
        [sys.executable, "-m", "tests.ethos_model.tiny", "--config", str(config)],
        env=os.environ | {"TINY_KILL_AT": moment},
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr[-2000:]
    last = tmp_path / "run" / "last.npz"
    if left:
        assert checkpoint.read_meta(str(last))["step"] == left
    else:
        assert not last.exists()
    resumed = run(data_dir, tmp_path / "run")
    assert curve(resumed.history) == curve(undisturbed[0].history)
    expected, _ = checkpoint.read(str(undisturbed[1] / "last.npz"))
    groups, _ = checkpoint.read(str(last))
    assert set(groups) == {"weights", "average", "optimizer"}
    for group, values in groups.items():
        assert set(values) == set(expected[group])
        for name, value in values.items():
            np.testing.assert_array_equal(value, expected[group][name])


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


def test_a_share_of_every_batch_comes_from_the_extra_data(data_dir, tmp_path):
    """Each part has the images that its own data set would give, also when resumed."""
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
            directory,
            "train",
            batch_size=size,
            augmentation=augment.Augmentation(label_shift=own, wanted_shift=4.0),
            **options,
        )
        for directory, size, own in (
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
            expected = np.concatenate([first[key], second[key]])
            np.testing.assert_array_equal(values, expected)
        if step >= 2:
            again = next(resumed)
            np.testing.assert_array_equal(again["image"], batch["image"])


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


def test_only_the_chief_writes_files(data_dir, tmp_path):
    config = TrainConfig(data_dir=data_dir, workdir=str(tmp_path), **tiny.FLAGS)
    trainer = loop.Trainer(config, inputs.strategy(), None)
    data = preflight.describe(config)
    for index, files in ((1, []), (0, ["last.npz"])):
        workers = Cluster(("a:1", "b:1"), index)
        Run(config, trainer, data, progress.Silent(), workers=workers).save("last.npz")
        assert os.listdir(tmp_path) == files
