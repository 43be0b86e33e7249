"""ethos-average: the mean of several runs' weights, as a run of its own.

    ethos-average --workdir runs/mean --weights 0.7 0.3 \\
        --checkpoints runs/last/best.npz runs/before/best.npz

Runs that began at the same weights often lie in one basin: the mean of their networks
errs less than each ("model soups", Wortsman et al. 2022), for the cost of one. The
workdir gets best.npz, judged on the validation faces of the first checkpoint's run, so
that ethos-export finds what it finds in any run.

A run that started from an exported model (--initial_weights pretrained) can be averaged
with that model: name it like there, after the run's checkpoint.

    ethos-average --workdir runs/mean --checkpoints runs/own/best.npz pretrained
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ethos_data import next_step
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow
from ethos_model.training import checkpoint
from ethos_model.training.config import PRETRAINED, TrainConfig

if TYPE_CHECKING:
    from ethos_model.training.loop import Trainer

_SAME: Final = ("image_size", "alpha", "label_shift")
"""What networks must have in common for their mean to mean anything."""


def average(
    checkpoints: Sequence[str],
    workdir: str,
    *,
    weights: Sequence[float] | None = None,
    data_dir: str | None = None,
    overwrite: bool = False,
) -> dict[str, float]:
    """Writes the mean of the averaged weights of several checkpoints.

    Args:
      checkpoints: paths; configuration and data of the first go into the mean. Those
        after it may be exported models, "pretrained" for the one that ships.
      workdir: where best.npz is written.
      weights: of each checkpoint, positive; divided by their sum. None = equal.
      data_dir: whose validation faces judge it; None = those of the first run.
      overwrite: replace an earlier best.npz.

    Returns:
      Its validation errors, as in a row of history.csv.

    Raises:
      EthosError: a checkpoint or model cannot be read or is of another network, no
        checkpoint comes first, weights that cannot be meant, a workdir that holds a
        run, no validation faces.
    """
    shares = _shares(len(checkpoints), weights)
    path = os.path.join(os.path.expanduser(workdir), checkpoint.BEST)
    if os.path.exists(path) and not overwrite:
        raise EthosError(f"{path}: exists; --overwrite replaces it")
    if os.path.exists(os.path.join(os.path.dirname(path), checkpoint.LAST)):
        raise EthosError(f"{workdir}: holds a run; name another --workdir")
    total: list[np.ndarray] = []
    metas: list[dict[str, Any]] = []
    for source, share in zip(checkpoints, shares, strict=True):
        values, meta = _read(source, metas, data_dir)
        metas.append(meta)
        _require_like(checkpoints[0], metas[0], source, meta)
        if total and [v.shape for v in values] != [t.shape for t in total]:
            raise EthosError(f"{source}: is of another network than {checkpoints[0]}")
        parts = [share * value.astype(np.float64) for value in values]
        total = [t + p for t, p in zip(total, parts, strict=True)] if total else parts
    mean = [value.astype(np.float32) for value in total]
    config = dataclasses.replace(_config(metas[0], data_dir), workdir=workdir)
    row = {"epoch": 0, "step": metas[0]["step"]} | _judge(config, mean, checkpoints[0])
    meta = {
        "config": dataclasses.asdict(config),
        "history": [row],
        "best_nme": (row["val_nme"] + row["val_degraded_nme"]) / 2,
        "step": metas[0]["step"],
        "data": metas[0].get("data", {}),
    }
    checkpoint.write(path, {"average": mean}, meta)
    return row


def _shares(count: int, weights: Sequence[float] | None) -> np.ndarray:
    shares = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if count < 2:
        raise EthosError(f"--checkpoints: a mean wants at least two, not {count}")
    if len(shares) != count:
        raise EthosError(f"--weights: {len(shares)} for {count} checkpoints")
    if not (np.isfinite(shares) & (shares > 0)).all():
        raise EthosError(
            f"--weights must be positive: {', '.join(map(str, weights or ()))}"
        )
    return shares / shares.sum()


def _require_like(
    first: str, meta: dict[str, Any], source: str, other: dict[str, Any]
) -> None:
    for name in _SAME:
        mine, its = (one["config"].get(name) for one in (meta, other))
        if mine != its:
            raise EthosError(f"{source}: --{name} is {its!r}, {mine!r} in {first}")


def _config(meta: dict[str, Any], data_dir: str | None) -> TrainConfig:
    """That of a checkpoint, which may be of another version."""
    known = {field.name for field in dataclasses.fields(TrainConfig)}
    config = TrainConfig(**{k: v for k, v in meta["config"].items() if k in known})
    return dataclasses.replace(config, data_dir=data_dir or config.data_dir)


def _read(
    source: str, before: list[dict[str, Any]], data_dir: str | None
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Averaged weights and meta of a checkpoint, or of an exported model as a run that
    starts from it has them."""
    if source != PRETRAINED and not os.path.isdir(os.path.expanduser(source)):
        groups, meta = checkpoint.read(source)
        return groups.get("average", []), meta
    if not before:
        raise EthosError(f"{source}: the first of --checkpoints must be a run's")
    import_tensorflow()
    from ethos_model import predict
    from ethos_model.training import initial

    card = predict.read_card(predict.find(None if source == PRETRAINED else source))
    trainer = _trainer(_config(before[0], data_dir))
    initial.start(trainer, dataclasses.replace(trainer.config, initial_weights=source))
    weights = [variable.numpy() for variable in trainer.average.variables]
    return weights, {"config": card["training"]}


def _trainer(config: TrainConfig) -> Trainer:
    import_tensorflow()
    from ethos_model.training import inputs, loop

    # The weights are there: nothing is to be downloaded.
    config = dataclasses.replace(config, backbone_weights="none", mixed_precision=False)
    degradation = inputs.training_mix(config.mix) if config.degrade else None
    return loop.Trainer(config, inputs.strategy(), degradation)


def _judge(
    config: TrainConfig, weights: list[np.ndarray], path: str
) -> dict[str, float]:
    import_tensorflow()
    from ethos_model.training import inputs

    batches = inputs.validation_batches(config)  # before anything that takes time
    trainer = _trainer(config)
    checkpoint.assign(trainer.average.variables, weights, path)
    return trainer.validate(batches)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--checkpoints",
        nargs="+",
        required=True,
        help="best.npz or last.npz of runs; after the first also exported models",
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        type=float,
        default=None,
        help="of each (default: equal)",
    )
    parser.add_argument("--workdir", required=True, help="where best.npz is written")
    parser.add_argument(
        "--data_dir", default=None, help="default: that of the first run"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier best.npz"
    )
    flags = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no start-up lines
    row = average(
        flags.checkpoints,
        flags.workdir,
        weights=flags.weights,
        data_dir=flags.data_dir,
        overwrite=flags.overwrite,
    )
    print(
        f"validation: NME_box {row['val_nme']:.2f} % clean, "
        f"{row['val_degraded_nme']:.2f} % degraded\n"
        f"wrote {os.path.join(flags.workdir, checkpoint.BEST)}"
    )
    output = next_step.unused_path(
        "model", os.path.join(flags.workdir, checkpoint.BEST)
    )
    print(next_step.line("ethos-export", workdir=flags.workdir, output=output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
