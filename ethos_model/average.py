"""Averages the weights of several runs that started from the same weights.

    ethos-average --workdir runs/mean --weights 0.7 0.3 \\
        --checkpoints runs/last/best.npz runs/before/best.npz

The averaged network often has a lower error than each of the networks ("model soups",
Wortsman et al., ICML 2022). Its batch norm statistics are measured again on training
images. The workdir receives best.npz with the errors on the validation faces, so that
ethos-export can export it like any run.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ethos_data import next_step, options
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow
from ethos_model.training import checkpoint
from ethos_model.training.config import TrainConfig

_COMMON: Final = ("image_size", "alpha", "label_shift")
"""Settings that all averaged runs must share."""

_MEASURED_BATCHES: Final = 64
"""Number of training batches on which batch norm is measured."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of ethos-average. Each field is a flag."""

    checkpoints: tuple[str, ...] = options.required(
        "best.npz or last.npz of each run; the settings and the data set of the first "
        "run are used",
        metavar="FILE",
        local=True,
    )
    workdir: str = options.required("Directory for best.npz", metavar="DIR", local=True)
    weights: tuple[float, ...] = options.option(
        (), "Weight of each checkpoint; equal weights by default", above=0
    )
    data_dir: str = options.option(
        "", "Data set to use instead of that of the first run", metavar="DIR"
    )
    overwrite: bool = options.option(False, "Replace an existing best.npz")


def average(
    checkpoints: Sequence[str],
    workdir: str,
    *,
    weights: Sequence[float] = (),
    data_dir: str | None = None,
    overwrite: bool = False,
) -> dict[str, float]:
    """Writes the weighted mean of the averaged weights of several checkpoints.

    Args:
      checkpoints: Paths of at least two checkpoints. The configuration and the data set
        of the first one are used.
      workdir: Directory in which best.npz is written.
      weights: Positive weight of each checkpoint; they are divided by their sum. Empty
        for equal weights.
      data_dir: Data set for batch norm and validation; None for that of the first run.
      overwrite: Whether to replace an existing best.npz.

    Returns:
      The validation errors, as in a row of history.csv.

    Raises:
      EthosError: A checkpoint cannot be read or is of another network, a weight is not
        positive, the workdir contains a run, or there are no validation faces.
    """
    options.check(
        Options(checkpoints=tuple(checkpoints), workdir=workdir, weights=tuple(weights))
    )
    if len(checkpoints) < 2:
        raise EthosError(
            f"--checkpoints must name at least two files. Received: {len(checkpoints)}"
        )
    if weights and len(weights) != len(checkpoints):
        raise EthosError(
            "--weights must have a value for each checkpoint. "
            f"Received: {len(weights)} weights, {len(checkpoints)} checkpoints"
        )
    path = os.path.join(os.path.expanduser(workdir), checkpoint.BEST)
    if os.path.exists(path) and not overwrite:
        raise EthosError(f"{path}: exists; --overwrite replaces it")
    if os.path.exists(os.path.join(os.path.dirname(path), checkpoint.LAST)):
        raise EthosError(f"{workdir}: contains a run; give another --workdir")
    mean, meta = _mean(checkpoints, weights or [1.0] * len(checkpoints))
    config = _config(meta, workdir, data_dir)
    values, errors = _measure(config, mean, checkpoints[0])
    row = {"epoch": 0, "step": meta["step"]} | errors
    new_meta = {
        "config": dataclasses.asdict(config),
        "history": [row],
        "best_nme": (row["val_nme"] + row["val_degraded_nme"]) / 2,
        "step": meta["step"],
        "data": meta.get("data", {}),
    }
    checkpoint.write(path, {"average": values}, new_meta)
    return row


def _mean(
    paths: Sequence[str], weights: Sequence[float]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The mean of the variables by name, and the meta data of the first checkpoint."""
    mean: dict[str, np.ndarray] = {}
    first: dict[str, Any] = {}
    for path, weight in zip(paths, weights, strict=True):
        groups, meta = checkpoint.read(path)
        values, first = groups.get("average", {}), first or meta
        for name in _COMMON:
            expected, actual = first["config"].get(name), meta["config"].get(name)
            if actual != expected:
                raise EthosError(
                    f"{path}: {name} is {actual!r}, but {expected!r} in {paths[0]}"
                )
        shapes = {name: value.shape for name, value in values.items()}
        if mean and shapes != {name: value.shape for name, value in mean.items()}:
            raise EthosError(f"{path}: checkpoint of another network than {paths[0]}")
        for name, value in values.items():
            part = weight / sum(weights) * value.astype(np.float64)
            mean[name] = mean[name] + part if name in mean else part
    return {name: value.astype(np.float32) for name, value in mean.items()}, first


def _config(meta: dict[str, Any], workdir: str, data_dir: str | None) -> TrainConfig:
    """The configuration of the first run, for one device and with the new paths."""
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    config = TrainConfig(**{k: v for k, v in meta["config"].items() if k in known})
    return dataclasses.replace(
        config,
        workdir=workdir,
        data_dir=data_dir or config.data_dir,
        mixed_precision=False,
    )


def _measure(
    config: TrainConfig, mean: dict[str, np.ndarray], path: str
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Measures batch norm and validation errors of a network.

    Returns:
      The variables by name, and the validation errors.
    """
    import_tensorflow()
    import tensorflow as tf

    from ethos_model.training import batch_norm, inputs, loop

    validation = inputs.validation_batches(config)  # fails early without images
    # All weights are replaced, so none have to be downloaded.
    blank = dataclasses.replace(config, backbone_weights="none")
    degradation = inputs.training_mix() if config.degrade else None
    trainer = loop.Trainer(blank, inputs.strategy(), degradation)
    checkpoint.assign(trainer.average.variables, mean, path)
    batches = inputs.training_batches(config, trainer.strategy)
    images = (
        trainer.shown(batch, tf.constant(step))[1]
        for step, batch in enumerate(itertools.islice(batches, _MEASURED_BATCHES))
    )
    batch_norm.measure(trainer.average, images)
    return checkpoint.values(trainer.average.variables), trainer.validate(validation)


def parser() -> argparse.ArgumentParser:
    """The parser of ethos-average."""
    parser = options.make_parser("ethos-average", __doc__)
    options.add_flags(parser, Options)
    return parser


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    flags = options.from_flags(Options, parser().parse_args(argv))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    row = average(
        flags.checkpoints,
        flags.workdir,
        weights=flags.weights,
        data_dir=flags.data_dir or None,
        overwrite=flags.overwrite,
    )
    path = os.path.join(flags.workdir, checkpoint.BEST)
    print(
        f"validation: NME_box {row['val_nme']:.2f} % clean, "
        f"{row['val_degraded_nme']:.2f} % degraded\n"
        f"wrote {path}"
    )
    output = next_step.unused_path("model", path)
    print(next_step.line("ethos-export", workdir=flags.workdir, output=output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
