"""Trains the network on a data set that ethos-convert wrote.

    ethos-train --data_dir data --workdir runs/first

The same command again resumes the run after its last epoch, or at the step at which
Ctrl-C or SIGTERM stopped it. Several GPUs of a machine are used automatically. Several
machines train together if each runs this command with its TF_CONFIG. The directory of
the run contains

    run.json       the configuration; ethos-train --config run.json repeats the run
    history.csv    one line for each epoch, for training and validation
    last.npz       the checkpoint from which the run is resumed
    best.npz       the epoch with the lowest validation error
    pictures/      predictions on validation faces
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from ethos_data import dataset_files, next_step
from ethos_data.errors import INTERRUPTED, cli
from ethos_data.quiet import import_tensorflow
from ethos_model.training import (
    checkpoint,
    cluster,
    flags,
    preflight,
    progress,
    supervisor,
)
from ethos_model.training.config import TrainConfig
from ethos_model.training.stopping import Stopper, Terminated, end_process


@dataclasses.dataclass(frozen=True)
class FitResult:
    """The result of a run.

    Attributes:
      history: One row for each epoch, as in history.csv.
      best: Path of the best checkpoint.
      best_nme: Validation error of the best checkpoint, the mean of NME_box on clean
        and on degraded images in %. NaN without validation.
      seconds: Duration of this call.
    """

    history: list[dict[str, float]]
    best: str
    best_nme: float
    seconds: float


def fit(
    config: TrainConfig,
    *,
    report: progress.Progress | None = None,
    degradation: Any = None,
) -> FitResult:
    """Trains a run, or resumes it.

    Example:
      result = fit(TrainConfig(data_dir="data", workdir="runs/first", epochs=10))
      print(result.best_nme)

    Args:
      config: The run. The directory `config.workdir` is created.
      report: Receives the progress; None shows Keras' progress bar.
      degradation: Function that degrades the training images, see `loop.Degradation`;
        None for the degradations of ETHOS. It is not used if `config.degrade` is off.

    Raises:
      EthosError: A problem that the user can correct: data, weights, disk space or a
        diverged loss.
      KeyboardInterrupt: SIGINT or SIGTERM arrived. The state was saved.
    """
    with Stopper() as stopper:
        report = report or progress.ProgressBar()
        return _fit(config, report, degradation, cluster.read(), stopper)


def _fit(
    config: TrainConfig,
    report: progress.Progress,
    degradation: Any,
    workers: cluster.Cluster,
    stopper: Stopper,
) -> FitResult:
    """See `fit`."""
    began = time.monotonic()
    data, meta = preflight.check(config, workers)
    if meta and len(meta["history"]) >= config.epochs and not config.profile_steps:
        return _finished(config, meta, report, workers)
    if len(workers.addresses) > 1:
        cluster.connect(workers, config.connect_timeout)
    import_tensorflow()
    from ethos_model.training import inputs, loop
    from ethos_model.training.run import Run

    supervisor.report(connecting=True)
    strategy = inputs.strategy(workers)
    stopper.set_handlers()
    supervisor.report(connecting=False)
    inputs.check_devices(config, strategy)
    if config.deterministic:
        inputs.be_deterministic()
    _set_seed(config)
    if config.degrade and degradation is None:
        degradation = inputs.training_mix()
    trainer = loop.Trainer(config, strategy, degradation if config.degrade else None)
    run = Run(config, trainer, data, report, workers=workers, stopper=stopper)
    with dataset_files.locate_damage(*_data_dirs(config)):
        run.start()
        if config.profile_steps:
            from ethos_model.training import profiling

            profile = profiling.measure(config, trainer, config.profile_steps)
            print(profiling.table(profile))
            return FitResult([], "", math.nan, time.monotonic() - began)
        with stopper.deferred(run):
            run.train()
    return _result(config, run.history, run.best_nme, time.monotonic() - began)


def _finished(
    config: TrainConfig,
    meta: dict[str, Any],
    report: progress.Progress,
    workers: cluster.Cluster,
) -> FitResult:
    """The result of a run whose last checkpoint is that of its last epoch."""
    history = meta["history"]
    report.message(
        f"{config.workdir} is finished: {len(history)} of {config.epochs} epochs. A "
        "larger --epochs continues it"
    )
    if workers.is_chief:  # the process may have been killed before it wrote the file
        progress.write_history(os.path.join(config.workdir, "history.csv"), history)
    best_nme = meta["best_nme"]
    return _result(config, history, math.inf if best_nme is None else best_nme, 0.0)


def _result(
    config: TrainConfig,
    history: list[dict[str, float]],
    best_nme: float,
    seconds: float,
) -> FitResult:
    best = os.path.join(config.workdir, checkpoint.BEST)
    nme = best_nme if math.isfinite(best_nme) else math.nan
    return FitResult(history, best, nme, seconds)


def _data_dirs(config: TrainConfig) -> list[str]:
    return [path for path in (config.data_dir, config.extra_data_dir) if path]


def _set_seed(config: TrainConfig) -> None:
    import keras

    keras.utils.set_random_seed(config.seed)  # for the initial weights
    policy = "mixed_float16" if config.mixed_precision else "float32"
    keras.mixed_precision.set_dtype_policy(policy)


def parser() -> argparse.ArgumentParser:
    """The parser of ethos-train."""
    return flags.make_parser(__doc__)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    config = flags.from_flags(parser().parse_args(argv))
    # TensorFlow's messages would hide the progress. TF_CPP_MIN_LOG_LEVEL=0 shows them.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    workers = cluster.read()
    has_peers = len(workers.addresses) > 1
    if supervisor.is_supervised():
        supervisor.follow_parent()
    elif has_peers and argv is None:
        command = [sys.executable, *sys.orig_argv[1:]]
        return supervisor.Supervisor(command, config.connect_timeout).run()
    try:
        with Stopper(force=True) as stopper:
            result = _fit(config, progress.ProgressBar(), None, workers, stopper)
    except KeyboardInterrupt as error:
        is_terminated = isinstance(error, Terminated)
        print("terminated" if is_terminated else "interrupted", file=sys.stderr)
        status = 128 + signal.SIGTERM if is_terminated else INTERRUPTED
        if has_peers:  # TensorFlow would wait for the other workers
            end_process(status)
        return status
    if has_peers:
        # Everything is saved. A signal while TensorFlow waits for the other workers
        # ends the process at once.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if not config.profile_steps:
        _print_result(config, result)
    return 0


def _print_result(config: TrainConfig, result: FitResult) -> None:
    error = ""
    if math.isfinite(result.best_nme):
        error = (
            f"; best validation NME_box {result.best_nme:.2f} % "
            "(mean of clean and degraded)"
        )
    print(
        f"trained {len(result.history)} epochs in {result.seconds:.0f} s{error}\n"
        f"wrote {result.best}, {os.path.join(config.workdir, 'history.csv')}"
    )
    output = next_step.unused_path("model", result.best)
    print(next_step.line("ethos-export", workdir=config.workdir, output=output))


if __name__ == "__main__":
    sys.exit(main())
