"""The course of a run: its start, its epochs, its checkpoints and its end.

Whatever ends a run (kill -9, Ctrl-C, a full disk, a lost worker), the same command
continues from the last complete checkpoint and produces the same training curve.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import tensorflow as tf

from ethos_data import options
from ethos_data.errors import EthosError
from ethos_data.storage import files
from ethos_model.training import checkpoint, initial, inputs, loop, pictures, progress
from ethos_model.training.cluster import Cluster
from ethos_model.training.config import TrainConfig
from ethos_model.training.stopping import Stopper

_QUICK_SECONDS: Final = 2.0
_STEP_SECONDS: Final = 30.0
"""Time that a run has to stop: when nothing is lost, and to finish a step."""

_SAVING_SECONDS: Final = 60.0
"""Maximum time to wait for a checkpoint that is being written."""


class Run:
    """A training run.

    Attributes:
      config: Configuration of the run.
      trainer: The networks and the training step.
      history: One row for each finished epoch, as in history.csv.
      best_nme: Lowest validation error so far: mean of NME_box on clean and on degraded
        images, in %. Infinite before the first validation.
    """

    def __init__(
        self,
        config: TrainConfig,
        trainer: loop.Trainer,
        data: dict[str, Any],
        report: progress.Progress,
        *,
        workers: Cluster | None = None,
        stopper: Stopper | None = None,
    ):
        """
        Args:
          config: Configuration of the run.
          trainer: The networks and the training step.
          data: Description of the data sets from `preflight.check`.
          report: Receives the progress.
          workers: The workers of the run; None for a process that trains alone.
          stopper: Receives signals.
        """
        workers = workers or Cluster((), 0)
        self.config = config
        self.trainer = trainer
        self.history: list[dict[str, float]] = []
        self.best_nme = math.inf
        self._data = data
        self._report = report
        self._is_chief = workers.is_chief
        self._has_peers = len(workers.addresses) > 1
        self._stopper = stopper or Stopper()
        self._sums = dict.fromkeys(loop.METRICS, 0.0)
        self._validation: list[dict[str, Any]] = []
        self._board: progress.TensorBoard | None = None
        self._workers_stop = False  # all workers know that one of them wants to stop
        self._has_stepped = False
        self._is_settled = False  # no step is in progress, the state is complete
        self._saved_step: int | None = None
        self._saving = threading.Lock()

    def path(self, name: str) -> str:
        """Path of a file in the run's directory."""
        return os.path.join(self.config.workdir, name)

    def start(self) -> None:
        """Continues from the last checkpoint, or sets the first weights."""
        config, trainer = self.config, self.trainer
        if config.tensorboard and self._is_chief:
            self._board = progress.TensorBoard(self.path("tensorboard"))
        last = self.path(checkpoint.LAST)
        if os.path.exists(last):
            self._resume(last)
        else:
            initial.start(trainer, config)
        inputs.check_agreement(trainer.strategy, trainer.step)
        if self._is_chief and not config.profile_steps:
            with (
                files.replacing(self.path("run.json")) as temporary,
                open(temporary, "w", encoding="utf-8") as file,
            ):
                file.write(options.to_json(config))

    def _resume(self, path: str) -> None:
        groups, meta = checkpoint.read(path)
        for name, variables in self.trainer.variables().items():
            checkpoint.assign(variables, groups.get(name, {}), path)
        self.history = meta["history"]
        self.best_nme = meta["best_nme"] if meta["best_nme"] is not None else math.inf
        self._sums = meta["sums"]
        self.trainer.step = self._saved_step = step = meta["step"]
        epochs, before = self.config.epochs, meta["config"]["epochs"]
        self._report.message(
            f"resuming {path} at step {step} (epoch {len(self.history) + 1}/{epochs})"
        )
        if epochs != before:
            rate = float(self.trainer.optimizer.learning_rate.numpy())
            self._report.message(
                f"--epochs is {epochs}, was {before}: the learning rate now decays "
                f"until step {epochs * self.config.steps_per_epoch}. It continues at "
                f"{rate:.2g}"
            )

    def save(self, name: str) -> None:
        """Writes a checkpoint of the current state, if this process is the chief.

        Args:
          name: `checkpoint.LAST`, or `checkpoint.BEST` with only the average.
        """
        if self._is_chief:
            with self._saving:
                self._write(name)

    def _write(self, name: str) -> None:
        groups = {
            group: checkpoint.values(variables)
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
        if name == checkpoint.LAST:
            self._saved_step = self.trainer.step

    def train(self) -> None:
        """Trains until the last epoch.

        Raises:
          KeyboardInterrupt: A signal arrived. The step was saved.
          EthosError: The loss is not finite, or another worker was lost.
        """
        config, trainer = self.config, self.trainer
        self._validation = inputs.validation_batches(config)
        if not self._validation:
            self._report.message(
                f"no validation images: {checkpoint.BEST} is the last epoch"
            )
        batches = inputs.training_batches(
            config, trainer.strategy, start_step=trainer.step
        )
        try:
            while len(self.history) < config.epochs:
                self._epoch(batches)
        except tf.errors.OpError as error:
            if not self._has_peers:
                raise
            reason = (str(error).splitlines() or [""])[0][:200]
            raise EthosError(
                f"the connection to another worker was lost at step {trainer.step} "
                f"({reason}). The same command on all workers resumes from "
                f"{self.path(checkpoint.LAST)}"
            ) from None

    def _epoch(self, batches: Iterator[Any]) -> None:
        config, trainer = self.config, self.trainer
        epoch = len(self.history) + 1
        first = trainer.step - (epoch - 1) * config.steps_per_epoch
        self._report.epoch_begin(epoch, config.epochs, config.steps_per_epoch)
        began = time.monotonic()
        try:
            self._steps(batches, first)
        except BaseException:
            self._report.break_off()
            raise
        if self._is_stopping():
            self._report.break_off()
            self._stop()
        seconds = time.monotonic() - began
        images = config.steps_per_epoch * config.batch_size
        row: dict[str, float] = {"epoch": epoch, "step": trainer.step}
        row |= {name: total / images for name, total in self._sums.items()}
        row |= self._validate()
        row["learning_rate"] = float(trainer.optimizer.learning_rate.numpy())
        row["images_per_second"] = (
            (config.steps_per_epoch - first) * config.batch_size / max(seconds, 1e-9)
        )
        self._finish_epoch(epoch, row)

    def _steps(self, batches: Iterator[Any], done: int) -> None:
        """Takes the remaining steps of an epoch.

        Args:
          batches: Training batches.
          done: Number of steps of this epoch that were taken before.
        """
        pending = None
        while done < self.config.steps_per_epoch and not self._is_stopping():
            if not self._has_stepped:
                self._report.message(
                    "compiling the training step; the first step takes about a minute"
                )
            stop = bool(self._stopper.requested)
            sums = self.trainer.train(next(batches), stop=stop)
            self._has_stepped = True
            # The figures of a step are fetched while the next step is computed.
            if pending is not None:
                self._add(pending, done)
            pending = sums
            done += 1
        if pending is not None:
            self._add(pending, done)

    def _add(self, sums: Any, done: int) -> None:
        """Adds the figures of a step to those of the epoch."""
        config = self.config
        *totals, stop = sums.numpy().tolist()
        self._workers_stop |= stop > 0
        values = dict(zip(loop.METRICS, totals, strict=True))
        if not math.isfinite(values["loss"]):
            step = len(self.history) * config.steps_per_epoch + done
            raise EthosError(
                f"the loss is {values['loss']} at step {step}: the training has "
                "diverged. Start again with a lower --learning_rate (now "
                f"{config.learning_rate:g}) or more --warmup_steps. The checkpoints in "
                f"{config.workdir} are older than this step"
            )
        for name, value in values.items():
            self._sums[name] += value
        images = done * config.batch_size
        means = {name: total / images for name, total in self._sums.items()}
        self._report.step_end(done, means)

    def _validate(self) -> dict[str, float]:
        """The validation errors of the averaged network; none without images."""
        if not self._validation:
            return {}
        with self._settled():
            return self.trainer.validate(_Checked(self._validation, self._stop_now))

    def _finish_epoch(self, epoch: int, row: dict[str, float]) -> None:
        self.history.append(row)
        self._sums = dict.fromkeys(self._sums, 0.0)
        is_best = True
        if self._validation:
            nme = (row["val_nme"] + row["val_degraded_nme"]) / 2
            if not math.isfinite(nme):
                raise EthosError(
                    f"the validation error is {nme} after epoch {epoch}. The "
                    f"checkpoints in {self.config.workdir} are older"
                )
            is_best = nme < self.best_nme
            self.best_nme = min(nme, self.best_nme)
        if is_best:
            self.save(checkpoint.BEST)
        self.save(checkpoint.LAST)
        if self._is_chief:
            progress.write_history(self.path("history.csv"), self.history)
            with self._settled():
                self._draw(epoch)
            if self._board is not None:
                self._board.write(row)
        self._report.epoch_end(row)

    def _draw(self, epoch: int) -> None:
        config = self.config
        is_due = epoch == config.epochs or (epoch - 1) % config.picture_epochs == 0
        if config.pictures and self._validation and is_due:
            path = self.path(os.path.join("pictures", f"epoch_{epoch:03d}.png"))
            pictures.write(path, self.trainer, self._validation[0], config.pictures)

    @contextlib.contextmanager
    def _settled(self) -> Iterator[None]:
        """Marks a block in which the state does not change and can be saved."""
        self._is_settled = True
        try:
            yield
        finally:
            self._is_settled = False

    def _is_stopping(self) -> bool:
        """Whether to stop after this step. With several workers all give the same
        answer, so that none waits for the others in the next step."""
        return self._workers_stop if self._has_peers else bool(self._stopper.requested)

    def _stop_now(self) -> None:
        """Stops if a signal has arrived. Called while no step is in progress.

        With several workers the next step tells the others first, because the chief
        could not save the run after it has lost a worker.
        """
        if self._stopper.requested and not self._has_peers:
            self._stop()

    def _stop(self) -> None:
        """Saves the state and ends the run.

        Raises:
          KeyboardInterrupt: This process received the signal.
          EthosError: Another worker received it.
        """
        self.save(checkpoint.LAST)
        if not self._stopper.requested:
            raise EthosError(
                f"another worker was stopped. Step {self.trainer.step} was saved; the "
                "same command on all workers resumes"
            )
        self._report.message(self._saved_text())
        self._stopper.raise_requested()

    def _saved_text(self) -> str:
        if not self._is_chief:
            return "stopped; the first worker saves the run"
        if self._saved_step is None:
            return "stopped before the first checkpoint; nothing was saved"
        path = self.path(checkpoint.LAST)
        return f"saved step {self._saved_step} to {path}; the same command resumes"

    def patience(self) -> float:
        """See `stopping.Stoppable`. Before the first step, nothing can be lost."""
        can_save = self._is_settled and not self._has_peers
        is_quick = can_save or not self._has_stepped
        return _QUICK_SECONDS if is_quick else _STEP_SECONDS

    def rescue(self) -> str:
        """See `stopping.Stoppable`."""
        # The lock is not released: no other checkpoint must be started.
        is_locked = self._saving.acquire(timeout=_SAVING_SECONDS)
        if is_locked and self._is_settled and self._is_chief:
            with contextlib.suppress(EthosError):  # the previous checkpoint remains
                self._write(checkpoint.LAST)
        return self._saved_text()


class _Checked:
    """Batches that call a function before each batch."""

    def __init__(self, batches: Iterable[dict[str, Any]], check: Any):
        self._batches = batches
        self._check = check

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self._batches:
            self._check()
            yield batch
