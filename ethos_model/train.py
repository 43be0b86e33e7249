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
import dataclasses
import math
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from ethos_data import next_step
from ethos_data.errors import cli
from ethos_data.quiet import import_tensorflow
from ethos_model.training import checkpoint
from ethos_model.training import config as configuration
from ethos_model.training import progress as following
from ethos_model.training.config import TrainConfig


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
    import_tensorflow()
    from ethos_data import dataset_files
    from ethos_model.training import inputs, loop
    from ethos_model.training import run as runs

    began = time.monotonic()
    config.validate()
    strategy = inputs.strategy()
    inputs.check_devices(config, strategy)
    if config.deterministic:
        inputs.be_deterministic()
    data = inputs.describe(config)  # before anything that takes time
    _seed(config)
    if config.degrade and degradation is None:
        degradation = inputs.training_mix(config.mix)
    trainer = loop.Trainer(config, strategy, degradation if config.degrade else None)
    run = runs.Run(config, trainer, data, progress or following.ProgressBar())
    places = [place for place in (config.data_dir, config.extra_data_dir) if place]
    with dataset_files.locate_damage(*places):
        run.start()
        if config.profile_steps:
            from ethos_model.training import profiling

            times = profiling.measure(config, trainer, config.profile_steps)
            print(profiling.report(times))
            return FitResult([], "", math.nan, time.monotonic() - began)
        with runs.between_steps(run):
            run.train()
    seconds = time.monotonic() - began
    return FitResult(run.history, run.path(checkpoint.BEST), run.best_nme, seconds)


def _seed(config: TrainConfig) -> None:
    import keras

    keras.utils.set_random_seed(config.seed)  # initial weights
    policy = "mixed_float16" if config.mixed_precision else "float32"
    keras.mixed_precision.set_dtype_policy(policy)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    configuration.add_flags(parser)
    config = configuration.from_flags(parser.parse_args(argv))
    # TensorFlow's own lines would hide the progress; TF_CPP_MIN_LOG_LEVEL=0 has them.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    result = fit(config)
    if config.profile_steps:
        return 0
    print(
        f"trained {len(result.history)} epochs in {result.seconds:.0f} s; best "
        f"validation NME_box {result.best_nme:.2f} % (mean of clean and degraded)\n"
        f"wrote {result.best}, {os.path.join(config.workdir, 'history.csv')}"
    )
    output = next_step.unused_path("model", result.best)
    print(next_step.line("ethos-export", workdir=config.workdir, output=output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
