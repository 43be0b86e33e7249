"""ethos-train: trains the network on a converted corpus.

    ethos-train --data_dir data --workdir runs/first

The same command again resumes after the last finished epoch (or the step at which
Ctrl-C stopped it). With TF_CONFIG in the environment of several machines the same
command trains on all of them together; several GPUs of one machine are used by
themselves. The run's workdir holds

    run.json       the configuration: ethos-train --config run.json repeats the run
    history.csv    one line an epoch, training and validation
    last.npz       the checkpoint that a resumed run continues from
    best.npz       the epoch with the lowest validation error
    pictures/      predictions on validation faces as training goes
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ethos_data.errors import EthosError, cli
from ethos_model import checkpoint
from ethos_model import config as configuration
from ethos_model import progress as following
from ethos_model.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class FitResult:
    """What a run ended with.

    Attributes:
      history: one row an epoch, as in history.csv.
      best: path of the best checkpoint.
      best_nme: its validation error: mean of clean and degraded NME_box, %.
      seconds: wall time of this call.
    """

    history: list[dict[str, float]]
    best: str
    best_nme: float
    seconds: float


def fit(
    config: TrainConfig,
    *,
    progress: following.Progress | None = None,
    degradation: Any = None,
) -> FitResult:
    """Trains, or resumes, a run.

    Args:
      config: the run; `config.workdir` is created.
      progress: is told of each step and epoch; None for Keras' progress bar.
      degradation: images float32 (N, S, S, 3) in 0..255, face_size (N,), seed (2,)
        to images; None for the library's training mix. Unused unless config.degrade.

    Raises:
      EthosError: what a user can mend: data, weights, disk, a diverged loss.
      KeyboardInterrupt: after the state was saved.
    """
    from ethos_model import inputs, loop  # TensorFlow takes seconds to import

    began = time.monotonic()
    config.validate()
    strategy = inputs.strategy()
    inputs.check_batch(config, strategy)
    if config.deterministic:
        inputs.be_deterministic()
    _seed(config)
    if config.degrade and degradation is None:
        degradation = inputs.training_mix()
    trainer = loop.Trainer(config, strategy, degradation if config.degrade else None)
    run = _Run(config, trainer, progress or following.ProgressBar())
    run.start()
    if config.profile_steps:
        from ethos_model import profile

        print(profile.report(profile.measure(config, trainer, config.profile_steps)))
        return FitResult([], "", math.nan, time.monotonic() - began)
    with _between_steps(run):
        run.train()
    seconds = time.monotonic() - began
    return FitResult(run.history, run.path(checkpoint.BEST), run.best_nme, seconds)


def _seed(config: TrainConfig) -> None:
    import keras

    keras.utils.set_random_seed(config.seed)  # initial weights
    policy = "mixed_float16" if config.mixed_precision else "float32"
    keras.mixed_precision.set_dtype_policy(policy)


@contextlib.contextmanager
def _between_steps(run: _Run) -> Iterator[None]:
    """Lets Ctrl-C, and a scheduler's SIGTERM, stop the run after the step it is in.

    In the middle of one, weights and sums would not belong together. The second time
    it stops at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return

    def stop(number: int, frame: Any) -> None:
        if run.stopping:
            raise KeyboardInterrupt
        run.stopping = True

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Run:
    """A run's position: which step is next, the epoch so far, the history behind."""

    def __init__(self, config: TrainConfig, trainer: Any, progress: following.Progress):
        from ethos_model import inputs, loop

        self.config = config
        self.trainer = trainer
        self.progress = progress
        self.history: list[dict[str, float]] = []
        self.best_nme = math.inf
        self.stopping = False
        self._sums = dict.fromkeys(loop.METRICS, 0.0)
        self._chief = inputs.is_chief(trainer.strategy)
        self._validation: list[dict[str, Any]] = []
        self._board: following.TensorBoard | None = None

    def path(self, name: str) -> str:
        return os.path.join(self.config.workdir, name)

    def start(self) -> None:
        """Begins at the last checkpoint, or else at the mean face."""
        from ethos_model import inputs, network

        config, trainer = self.config, self.trainer
        if config.tensorboard and self._chief:
            self._board = following.TensorBoard(self.path("tensorboard"))
        last = self.path(checkpoint.LAST)
        if os.path.exists(last):
            self._resume(last)
        elif config.initial_weights:
            groups, _ = checkpoint.read(config.initial_weights)
            weights = groups.get("average", [])
            checkpoint.assign(trainer.model.variables, weights, config.initial_weights)
            trainer.start()
        else:
            network.set_mean_face(trainer.model, inputs.mean_face(config))
            trainer.start()
        inputs.check_agreement(trainer.strategy, trainer.step)
        if self._chief and not config.profile_steps:
            os.makedirs(config.workdir, exist_ok=True)
            with open(self.path("run.json"), "w", encoding="utf-8") as file:
                file.write(config.to_json())

    def _resume(self, path: str) -> None:
        groups, meta = checkpoint.read(path)
        differences = self.config.differences(meta["config"])
        if differences:
            raise EthosError(
                f"{path}: checkpoint of another configuration: "
                f"{'; '.join(differences)}. Give the old values or another --workdir"
            )
        for name, variables in self.trainer.variables().items():
            checkpoint.assign(variables, groups.get(name, []), path)
        self.history = meta["history"]
        self.best_nme = meta["best_nme"] if meta["best_nme"] is not None else math.inf
        self._sums = meta["sums"]
        epochs, step = self.config.epochs, self.trainer.step
        print(
            f"resuming {path} at step {step} (epoch {len(self.history) + 1}/{epochs})"
        )

    def save(self, name: str) -> None:
        """Writes a checkpoint of this moment, if this is the chief of the workers."""
        if not self._chief:
            return
        groups = {
            group: [variable.numpy() for variable in variables]
            for group, variables in self.trainer.variables().items()
            if name == checkpoint.LAST or group == "average"
        }
        meta = {
            "config": dataclasses.asdict(self.config),
            "history": self.history,
            "best_nme": self.best_nme if math.isfinite(self.best_nme) else None,
            "sums": self._sums,
            "step": self.trainer.step,
        }
        checkpoint.write(self.path(name), groups, meta)

    def train(self) -> None:
        """Trains to the end. Ctrl-C saves the exact step and is raised again."""
        from ethos_model import inputs

        config, trainer = self.config, self.trainer
        self._validation = inputs.validation_batches(config)
        batches = inputs.training_batches(
            config, trainer.strategy, start_step=trainer.step
        )
        while len(self.history) < config.epochs:
            self._epoch(batches)

    def _epoch(self, batches: Iterator[Any]) -> None:
        config, trainer = self.config, self.trainer
        epoch = len(self.history) + 1
        done = trainer.step - (epoch - 1) * config.steps_per_epoch
        self.progress.epoch_begin(epoch, config.epochs, config.steps_per_epoch)
        began = time.monotonic()
        first = done
        while done < config.steps_per_epoch:
            sums = trainer.train_step(next(batches))
            done += 1
            self._add(sums, done)
            if self.stopping:
                self._stop()
        seconds = time.monotonic() - began
        images = config.steps_per_epoch * config.batch_size
        row: dict[str, float] = {"epoch": epoch, "step": trainer.step}
        row |= {name: total / images for name, total in self._sums.items()}
        clean = trainer.evaluate(self._validation, degraded=False)
        row |= {f"val_{name}": value for name, value in clean.items()}
        degraded = trainer.evaluate(self._validation, degraded=True)
        row |= {f"val_degraded_{name}": value for name, value in degraded.items()}
        row["learning_rate"] = float(trainer.optimizer.learning_rate.numpy())
        row["images_per_second"] = (
            (done - first) * config.batch_size / max(seconds, 1e-9)
        )
        self._finish(epoch, row)

    def _stop(self) -> None:
        path = self.path(checkpoint.LAST)
        self.save(checkpoint.LAST)
        print(f"\nsaved step {self.trainer.step} to {path}; the same command resumes")
        raise KeyboardInterrupt

    def _add(self, sums: dict[str, Any], done: int) -> None:
        config = self.config
        values = {name: float(value) for name, value in sums.items()}
        if not math.isfinite(values["loss"]):
            raise EthosError(
                f"the loss is {values['loss']} at step {self.trainer.step}: training "
                "has diverged. Start again with a lower --learning_rate (now "
                f"{config.learning_rate}), a longer --warmup_steps or a lower "
                "--clip_norm; "
                f"checkpoints in {config.workdir} are from before"
            )
        for name, value in values.items():
            self._sums[name] += value
        seen = done * config.batch_size
        self.progress.step_end(
            done, {n: total / seen for n, total in self._sums.items()}
        )

    def _finish(self, epoch: int, row: dict[str, float]) -> None:
        self.history.append(row)
        self._sums = dict.fromkeys(self._sums, 0.0)
        nme = (row["val_nme"] + row["val_degraded_nme"]) / 2
        better = nme < self.best_nme
        self.best_nme = min(nme, self.best_nme)
        if better:
            self.save(checkpoint.BEST)
        self.save(checkpoint.LAST)
        if self._chief:
            following.write_history(self.path("history.csv"), self.history)
            self._draw(epoch)
            if self._board is not None:
                self._board.write(row)
        self.progress.epoch_end(row)

    def _draw(self, epoch: int) -> None:
        config = self.config
        last = epoch == config.epochs
        if config.pictures and (last or (epoch - 1) % config.picture_epochs == 0):
            from ethos_model import pictures

            path = self.path(os.path.join("pictures", f"epoch_{epoch:03d}.png"))
            pictures.write(path, self.trainer, self._validation[0], config.pictures)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    configuration.add_flags(parser)
    config = configuration.from_flags(parser.parse_args(argv))
    result = fit(config)
    if config.profile_steps:
        return 0
    print(
        f"trained {len(result.history)} epochs in {result.seconds:.0f} s; best "
        f"validation NME_box {result.best_nme:.2f} % (mean of clean and degraded)\n"
        f"wrote {result.best}, {os.path.join(config.workdir, 'history.csv')}\n"
        f"next: ethos-export --workdir {config.workdir} --output {config.workdir}/model"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
