"""What a run says while it goes: Keras' progress bar, history.csv, TensorBoard."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
from typing import Any, Protocol

from ethos_data.errors import EthosError

_SHOWN = ("loss", "landmarks_mae", "landmarks_mse", "depth_mae", "depth_mse", "nme")


class Progress(Protocol):
    """Who wants to follow a run: the command's bar, or a program of your own."""

    def epoch_begin(self, epoch: int, epochs: int, steps: int) -> None:
        """Epochs count from 1; `steps` is the number of steps in it."""

    def step_end(self, step: int, means: dict[str, float]) -> None:
        """`means` are of the epoch so far; steps count from 1 within the epoch."""

    def break_off(self) -> None:
        """The epoch ends before its last step; somebody is about to say why."""

    def epoch_end(self, row: dict[str, float]) -> None:
        """`row` is the epoch's line of history.csv."""


class ProgressBar:
    """Keras' progress bar: loss and the errors of both outputs at each step.

    In a log, where nothing can be written over, one line an epoch.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._moving = sys.stdout.isatty()

    def epoch_begin(self, epoch: int, epochs: int, steps: int) -> None:
        import keras

        print(f"Epoch {epoch}/{epochs}", flush=True)
        self._bar = keras.utils.Progbar(
            steps, verbose=1 if self._moving else 2, stateful_metrics=_SHOWN
        )

    def step_end(self, step: int, means: dict[str, float]) -> None:
        values = [(name, means[name]) for name in _SHOWN]
        self._bar.update(step, values, finalize=step == self._bar.target)

    def break_off(self) -> None:
        if self._moving:
            print(flush=True)  # off the bar's line

    def epoch_end(self, row: dict[str, float]) -> None:
        print(
            f"  validation: NME_box {row['val_nme']:.2f} % clean, "
            f"{row['val_degraded_nme']:.2f} % degraded; loss {row['val_loss']:.4f}, "
            f"landmarks MAE {row['val_landmarks_mae']:.4f} "
            f"MSE {row['val_landmarks_mse']:.6f}, "
            f"depth MAE {row['val_depth_mae']:.4f} MSE {row['val_depth_mse']:.6f}",
            flush=True,
        )


class Silent:
    """Follows nothing: for tests and experiments."""

    def epoch_begin(self, epoch: int, epochs: int, steps: int) -> None:
        pass

    def step_end(self, step: int, means: dict[str, float]) -> None:
        pass

    def break_off(self) -> None:
        pass

    def epoch_end(self, row: dict[str, float]) -> None:
        pass


def write_history(path: str, rows: list[dict[str, float]]) -> None:
    """Writes history.csv, one line an epoch, as a whole: a resumed run repeats none."""
    if not rows:
        return
    partial = f"{path}.partial-{os.getpid()}"
    try:
        with open(partial, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[-1]))
            writer.writeheader()
            writer.writerows(rows)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.remove(partial)
        raise EthosError(f"{path}: not written: {error.strerror or error}") from None


class TensorBoard:
    """Writes the same rows as TensorBoard summaries."""

    def __init__(self, directory: str):
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise EthosError(
                "--tensorboard needs the package: pip install tensorboard"
            ) from None
        import tensorflow as tf

        self._tf = tf
        self._writer = tf.summary.create_file_writer(directory)

    def write(self, row: dict[str, Any]) -> None:
        with self._writer.as_default(step=int(row["epoch"])):
            for name, value in row.items():
                self._tf.summary.scalar(name, value)
        self._writer.flush()
