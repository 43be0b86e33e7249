"""Whatever stops a run, the same command produces the same training curve."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from ethos_model.training import checkpoint, inputs, loop, preflight, progress
from ethos_model.training.cluster import Cluster
from ethos_model.training.config import TrainConfig
from ethos_model.training.run import Run
from ethos_model.training.stopping import Terminated
from tests.ethos_model import tiny
from tests.ethos_model.runs import At, curve, run

pytestmark = pytest.mark.usefixtures("tiny_network")


@pytest.mark.parametrize(
    ("step", "number", "error"),
    [(4, signal.SIGINT, KeyboardInterrupt), (6, signal.SIGTERM, Terminated)],
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


def test_a_signal_stops_the_validation(undisturbed, data_dir, tmp_path, monkeypatch):
    """The signal arrives in evaluation 4, the second of epoch 2."""
    monkeypatch.setattr(inputs, "_EVALUATION_BATCH", 2)  # three batches
    evaluate, count = loop.Trainer.evaluate, 0

    def interrupted(self, batches, *, degraded):
        nonlocal count
        count += 1
        if count != 4:
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
    assert (meta["step"], len(meta["history"])) == (8, 1)
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


def test_a_checkpoint_is_completed_before_a_signal_stops_the_run(
    data_dir, tmp_path, monkeypatch
):
    savez = np.savez
    signals = [signal.SIGTERM]

    def interrupted(file, **arrays):
        if signals:
            os.kill(os.getpid(), signals.pop())
        savez(file, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.np, "savez", interrupted)
        with pytest.raises(Terminated):
            run(data_dir, tmp_path, steps_per_epoch=2)
    for name in ("best.npz", "last.npz"):
        assert checkpoint.read_meta(str(tmp_path / name))["step"] == 2


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
    [("step 1", 0), ("step 6", 4), ("evaluate 4", 4), ("save 2", 4)],
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


def test_only_the_chief_writes_files(data_dir, tmp_path):
    config = TrainConfig(data_dir=data_dir, workdir=str(tmp_path), **tiny.FLAGS)
    trainer = loop.Trainer(config, inputs.strategy(), None)
    data = preflight.describe(config)
    for index, files in ((1, []), (0, ["last.npz"])):
        workers = Cluster(("a:1", "b:1"), index)
        Run(config, trainer, data, progress.Silent(), workers=workers).save("last.npz")
        assert os.listdir(tmp_path) == files
