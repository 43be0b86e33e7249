"""Exports the model of a training run, for prediction and for further training.

    ethos-export --workdir runs/first --output runs/first/model

The output directory contains

    saved_model.pb      TensorFlow SavedModel; its signature serving_default maps
                        `image`, uint8 [N, S, S, 3], to landmarks, uncertainty,
                        visible, depth and restored
    model.tflite        the same network for LiteRT, which the viewer uses
    model.onnx          the same network for onnxruntime, with --onnx
    model.weights.h5    the trainable weights, for ethos-train --initial_weights
    ethos_model.json    sizes, units, frames of reference, training data and metrics

All weights are stored as float16, with --int8 those of model.tflite as int8. Using the
model requires no training code.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from ethos_data import dataset_files, next_step, options
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow
from ethos_data.storage import files
from ethos_model.predict import CARD, LITE, ONNX
from ethos_model.training import checkpoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of ethos-export. Each field is a flag."""

    workdir: str = options.required(
        "Directory of the training run", metavar="DIR", local=True
    )
    output: str = options.required("Directory to write", metavar="DIR", local=True)
    checkpoint: str = options.option(
        "",
        "Checkpoint to export instead of best.npz in --workdir",
        metavar="FILE",
        local=True,
    )
    name: str = options.option("ethos", "Name of the model")
    metrics: str = options.option(
        "",
        "card.json of ethos-evaluate, copied to the card",
        metavar="FILE",
        local=True,
    )
    litert: bool = options.option(True, "Also write model.tflite")
    int8: bool = options.option(
        False,
        "Store the weights of model.tflite as int8: half the size, about a sixth "
        "faster, nearly the same error",
    )
    onnx: bool = options.option(
        False, "Also write model.onnx; needs pip install 'ethos-faces[onnx]'"
    )
    overwrite: bool = options.option(False, "Replace an existing model")


def export(
    workdir: str,
    output: str,
    *,
    checkpoint_path: str | None = None,
    name: str = "ethos",
    metrics: dict[str, Any] | None = None,
    litert: bool = True,
    int8: bool = False,
    onnx: bool = False,
    overwrite: bool = False,
) -> str:
    """Exports the averaged weights of a run's best epoch.

    Args:
      workdir: Directory of the run.
      output: Directory to write.
      checkpoint_path: Checkpoint to export; None for best.npz in `workdir`.
      name: Name of the model.
      metrics: Results for the card, as in card.json of ethos-evaluate.
      litert: Whether to write model.tflite.
      int8: Whether to store the weights of model.tflite as int8.
      onnx: Whether to write model.onnx.
      overwrite: Whether to replace an existing model.

    Returns:
      The output directory.

    Raises:
      EthosError: There is no checkpoint, the output exists or cannot be written, or
        LiteRT or ONNX computes other values than the SavedModel.
    """
    path = checkpoint_path or os.path.join(workdir, checkpoint.BEST)
    if not os.path.exists(path):
        raise EthosError(f"{path}: no such checkpoint; ethos-train writes it")
    output = os.path.normpath(os.path.expanduser(output))
    check_output(output, overwrite)
    groups, meta = checkpoint.read(path)
    import_tensorflow()
    import tensorflow as tf

    from ethos_model.exported import card, onnx_file, saved_model, tflite, weights

    model = _network(path, groups.get("average", {}), meta["config"])
    try:
        with files.replacing(output) as directory:
            os.makedirs(directory)
            weights.save(model, os.path.join(directory, weights.FILE))
            saved_model.write(directory, model, card.uncertainty_factor(meta))
            if litert:
                tflite.write(directory, int8=int8)
            if onnx:
                onnx_file.write(directory)
            content = card.make(name, meta, metrics)
            with open(os.path.join(directory, CARD), "w", encoding="utf-8") as file:
                file.write(json.dumps(content, indent=2) + "\n")
    except (OSError, tf.errors.OpError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise EthosError(f"{output}: cannot be written: {reason}") from None
    return output


def check_output(output: str, overwrite: bool) -> None:
    """Refuses to replace a directory that is not a model.

    Raises:
      EthosError: The output exists and must not be replaced.
    """
    if not os.path.exists(output):
        return
    if not overwrite:
        raise EthosError(f"{output}: exists; --overwrite replaces it")
    if not os.path.isdir(output):
        raise EthosError(f"{output}: exists and is not a directory")
    if os.listdir(output) and not os.path.exists(os.path.join(output, CARD)):
        raise EthosError(f"{output}: is not a model, so it is not replaced")


def _network(path: str, values: checkpoint.Values, config: dict[str, Any]) -> Any:
    """The network of a checkpoint, in float32."""
    import keras

    from ethos_model import network

    keras.mixed_precision.set_dtype_policy("float32")
    model = network.build(image_size=config["image_size"], alpha=config["alpha"])
    checkpoint.assign(model.variables, values, path)
    return model


def parser() -> argparse.ArgumentParser:
    """The parser of ethos-export."""
    parser = options.make_parser("ethos-export", __doc__)
    options.add_flags(parser, Options)
    return parser


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    flags = options.from_flags(Options, parser().parse_args(argv))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    output = export(
        flags.workdir,
        flags.output,
        checkpoint_path=flags.checkpoint or None,
        name=flags.name,
        metrics=_read_metrics(flags.metrics) if flags.metrics else None,
        litert=flags.litert,
        int8=flags.int8,
        onnx=flags.onnx,
        overwrite=flags.overwrite,
    )
    for name in ("saved_model.pb", LITE, ONNX, "model.weights.h5", CARD):
        path = os.path.join(output, name)
        if os.path.exists(path):
            print(f"wrote {path} ({os.path.getsize(path) / 1e6:.1f} MB)")
    path = flags.checkpoint or os.path.join(flags.workdir, checkpoint.BEST)
    for line in _next_lines(path, output):
        print(line)
    return 0


def _read_metrics(path: str) -> dict[str, Any]:
    """Reads card.json of ethos-evaluate.

    Raises:
      EthosError: The file is another file, for example the report, which contains
        names of people.
    """
    try:
        with open(path, encoding="utf-8") as file:
            metrics = json.load(file)
    except OSError as error:
        raise EthosError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise EthosError(f"{path}: not JSON: {error}") from None
    if not isinstance(metrics, dict) or "worst" in metrics:
        raise EthosError(
            f"{path}: not the card.json of ethos-evaluate. A model must not contain "
            "the paths and names of people in other reports"
        )
    return metrics


def _next_lines(checkpoint_path: str, output: str) -> list[str]:
    """Commands that use the exported model."""
    lines = [next_step.line("ethos-view", model=output)]
    data_dir = checkpoint.read_meta(checkpoint_path)["config"]["data_dir"]
    with contextlib.suppress(OSError, EthosError):  # the data set may be deleted
        frames = dataset_files.counts(data_dir)
        # A data set of few people may lack some of its splits.
        for split in ("test", "validation", "train"):
            if frames.get(split):
                flags = {"model": output, "data_dir": data_dir, "split": split}
                lines.insert(0, next_step.line("ethos-evaluate", **flags))
                break
    return lines


if __name__ == "__main__":
    sys.exit(main())
