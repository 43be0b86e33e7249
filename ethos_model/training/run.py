"""A run's life: where it begins, its epochs, its checkpoints, how it ends.

Whatever ends it (kill -9, Ctrl-C, a full disk, a lost worker), the same command goes on
from the last whole checkpoint and gives the curve that it would have given.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from ethos_data.errors import EthosError
from ethos_model.training import checkpoint, initial, inputs, loop, pictures
from ethos_model.training import progress as following
from ethos_model.training.config import TrainConfig


class Run:
    """A run's position: which step is next, the epoch so far, the history behind."""

    def __init__(
        self,
        config: TrainConfig,
        trainer: loop.Trainer,
        data: dict[str, Any],
        progress: following.Progress,
    ):
        self.config = config
        self.trainer = trainer
        self.progress = progress
        self.history: list[dict[str, float]] = []
        self.best_nme = math.inf
        self.stopping = False
        self._data = data
        self._sums = dict.fromkeys(loop.METRICS, 0.0)
        self._chief = inputs.is_chief(trainer.strategy)
        self._validation: list[dict[str, Any]] = []
        self._board: following.TensorBoard | None = None

    def path(self, name: str) -> str:
        return os.path.join(self.config.workdir, name)

    def start(self) -> None:
        """Begins at the last checkpoint, or else where the configuration says."""
        config, trainer = self.config, self.trainer
        if config.tensorboard and self._chief:
            self._board = following.TensorBoard(self.path("tensorboard"))
        last = self.path(checkpoint.LAST)
        if os.path.exists(last):
            self._resume(last)
        else:
            initial.start(trainer, config)
        inputs.check_agreement(trainer.strategy, trainer.step)
        if self._chief and not config.profile_steps:
            os.makedirs(config.workdir, exist_ok=True)
            with open(self.path("run.json"), "w", encoding="utf-8") as file:
                file.write(config.to_json())

    def _resume(self, path: str) -> None:
        groups, meta = checkpoint.read(path)
        differences = self.config.differences(meta["config"])
        was = meta.get("data", self._data)
        if was["fingerprint"] != self._data["fingerprint"]:
            differences.append(f"{self.config.data_dir} holds other data than then")
        if was.get("extra") != self._data.get("extra"):
            place = self.config.extra_data_dir or "--extra_data_dir"
            differences.append(f"{place} holds other data than then")
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
        self.trainer.step = step = meta["step"]
        epochs = self.config.epochs
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
            "data": self._data,
        }
        checkpoint.write(self.path(name), groups, meta)

    def train(self) -> None:
        """Trains to the end. Ctrl-C saves the exact step and is raised again."""
        config, trainer = self.config, self.trainer
        self._validation = inputs.validation_batches(config)
        batches = inputs.training_batches(
            config, trainer.strategy, start_step=trainer.step
        )
        try:
            while len(self.history) < config.epochs:
                self._epoch(batches)
        except tf.errors.OpError as error:
            if trainer.strategy.num_replicas_in_sync == 1:
                raise
            reason = (str(error).splitlines() or [""])[0][:200]
            raise EthosError(
                f"training with the other workers broke off at step {trainer.step}, "
                f"probably because one was lost ({reason}). The same command on all of "
                f"them resumes from {self.path(checkpoint.LAST)}"
            ) from None

    def _epoch(self, batches: Iterator[Any]) -> None:
        config, trainer = self.config, self.trainer
        epoch = len(self.history) + 1
        done = trainer.step - (epoch - 1) * config.steps_per_epoch
        self.progress.epoch_begin(epoch, config.epochs, config.steps_per_epoch)
        began = time.monotonic()
        first = done
        try:
            self._steps(batches, done)
        except BaseException:
            self.progress.break_off()
            raise
        if self.stopping:
            self._stop()
        seconds = time.monotonic() - began
        images = config.steps_per_epoch * config.batch_size
        row: dict[str, float] = {"epoch": epoch, "step": trainer.step}
        row |= {name: total / images for name, total in self._sums.items()}
        row |= trainer.validate(self._validation)
        row["learning_rate"] = float(trainer.optimizer.learning_rate.numpy())
        row["images_per_second"] = (
            (config.steps_per_epoch - first) * config.batch_size / max(seconds, 1e-9)
        )
        self._finish(epoch, row)

    def _steps(self, batches: Iterator[Any], done: int) -> None:
        """Takes the rest of an epoch's steps, of which `done` are taken."""
        count, pending = self.config.steps_per_epoch, None
        while done < count:
            sums = self.trainer.train(next(batches))
            # The figures of a step are fetched while the next one computes.
            if pending is not None:
                self._add(pending, done)
            pending = sums
            done += 1
            if self.stopping or done == count:
                self._add(pending, done)
            if self.stopping:
                return

    def _stop(self) -> None:
        self.progress.break_off()
        path = self.path(checkpoint.LAST)
        self.save(checkpoint.LAST)
        print(f"saved step {self.trainer.step} to {path}; the same command resumes")
        raise KeyboardInterrupt

    def _add(self, sums: Any, done: int) -> None:
        config = self.config
        values = dict(zip(loop.METRICS, sums.numpy().tolist(), strict=True))
        if not math.isfinite(values["loss"]):
            step = len(self.history) * config.steps_per_epoch + done
            raise EthosError(
                f"the loss is {values['loss']} at step {step}: training "
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
        if not math.isfinite(nme):
            raise EthosError(
                f"the validation error is {nme} after epoch {epoch}; checkpoints in "
                f"{self.config.workdir} are from before"
            )
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
            path = self.path(os.path.join("pictures", f"epoch_{epoch:03d}.png"))
            pictures.write(path, self.trainer, self._validation[0], config.pictures)


@contextlib.contextmanager
def between_steps(run: Run) -> Iterator[None]:
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
