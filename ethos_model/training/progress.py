"""What a run reports while it trains: Keras' progress bar, history.csv, TensorBoard."""

from __future__ import annotations

import csv
import sys
from typing import Any, Protocol

from ethos_data.errors import EthosError
from ethos_data.storage import files

_SHOWN = ("loss", "landmarks_mae", "landmarks_mse", "depth_mae", "depth_mse", "nme")


class Progress(Protocol):
    """Receives the progress of a run: the command's bar, or your own program."""

    def message(self, text: str) -> None:
        """Called with a line for the user, for example that a run is resumed."""

    def epoch_begin(self, epoch: int, epochs: int, steps: int) -> None:
        """Called before an epoch.

        Args:
          epoch: Number of the epoch, from 1.
          epochs: Number of epochs in the run.
          steps: Number of steps in the epoch.
        """

    def step_end(self, step: int, means: dict[str, float]) -> None:
        """Called after a step.

        Args:
          step: Number of the step in the epoch, from 1.
          means: Means of the figures over the epoch so far.
        """

    def break_off(self) -> None:
        """Called if the epoch ends before its last step, before an error is shown."""

    def epoch_end(self, row: dict[str, float]) -> None:
        """Called after an epoch.

        Args:
          row: The row of history.csv.
        """


class ProgressBar:
    """Keras' progress bar, with the loss and the errors at each step.

    Where the output is not a terminal, it prints one line for each epoch.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._terminal = sys.stdout.isatty()

    def message(self, text: str) -> None:
        print(text, flush=True)

    def epoch_begin(self, epoch: int, epochs: int, steps: int) -> None:
        import keras

        print(f"Epoch {epoch}/{epochs}", flush=True)
        self._bar = keras.utils.Progbar(
            steps, verbose=1 if self._terminal else 2, stateful_metrics=_SHOWN
        )

    def step_end(self, step: int, means: dict[str, float]) -> None:
        values = [(name, means[name]) for name in _SHOWN]
        self._bar.update(step, values, finalize=step == self._bar.target)

    def break_off(self) -> None:
        if self._terminal:
            print(flush=True)  # starts a new line after the bar

    def epoch_end(self, row: dict[str, float]) -> None:
        if "val_nme" not in row:
            return
        print(
            f"  validation: NME_box {row['val_nme']:.2f} % clean, "
            f"{row['val_degraded_nme']:.2f} % degraded; loss {row['val_loss']:.4f}, "
            f"landmarks MAE {row['val_landmarks_mae']:.4f} "
            f"MSE {row['val_landmarks_mse']:.6f}, "
            f"depth MAE {row['val_depth_mae']:.4f} MSE {row['val_depth_mse']:.6f}",
            flush=True,
        )


class Silent:
    """Reports nothing. For tests and experiments."""

    def message(self, text: str) -> None:
        pass

    def epoch_begin(self, epoch: int, epochs: int, steps: int) -> None:
        pass

    def step_end(self, step: int, means: dict[str, float]) -> None:
        pass

    def break_off(self) -> None:
        pass

    def epoch_end(self, row: dict[str, float]) -> None:
        pass


def write_history(path: str, rows: list[dict[str, float]]) -> None:
    """Writes history.csv, one line for each epoch.

    Args:
      path: File to write. It is replaced when the new file is complete.
      rows: The epochs. An epoch without validation has fewer columns.

    Raises:
      EthosError: The file cannot be written.
    """
    if not rows:
        return
    names = list(dict.fromkeys(name for row in reversed(rows) for name in row))
    try:
        with (
            files.replacing(path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, fieldnames=names)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise EthosError(
            f"{path}: cannot be written: {error.strerror or error}"
        ) from None


class TensorBoard:
    """Writes the rows of history.csv as TensorBoard summaries."""

    def __init__(self, directory: str):
        """
        Args:
          directory: Directory of the summaries.
        """
        import tensorflow as tf

        self._tf = tf
        self._writer = tf.summary.create_file_writer(directory)

    def write(self, row: dict[str, Any]) -> None:
        """Writes the row of an epoch."""
        with self._writer.as_default(step=int(row["epoch"])):
            for name, value in row.items():
                self._tf.summary.scalar(name, value)
        self._writer.flush()
