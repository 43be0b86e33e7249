"""Measures LiteRT files with int8 weights against the float16 file.

    python -m benchmarks.int8

Two files are made from the SavedModel. "int8 weights" computes with int8 weights and
with activations that are quantised when the network runs. "int8" also stores the ranges
of the activations, which come from rendered heads. Both are compared with the shipped
file on other rendered heads with exact landmarks, clean and degraded. An int8 file is
useful if it is faster and its error is at most 2 % larger.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from benchmarks import measure
from ethos_data import crop, options, topology
from ethos_data.errors import cli
from ethos_data.quiet import import_tensorflow, quiet_libraries
from ethos_model import metrics, predict, runner

FIRST_SEED: Final = 9000
CALIBRATION_SEED: Final = 5000
FRAME: Final = 200
"""Nominal height of a rendered frame, in pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    model_dir: str | None = measure.model_option()
    faces: int = options.option(150, "Number of evaluated heads", minimum=1)
    calibration: int = options.option(
        80, "Number of heads that give the ranges of the activations", minimum=1
    )
    turns: int = options.option(50, "Number of timed calls", minimum=1)
    output: str = measure.output_option("int8")


def heads(first: int, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of rendered heads.

    Args:
      first: Seed of the first head.
      count: Number of heads.
      size: Side of the network's input, in pixels.

    Returns:
      uint8 (count, size, size, 3), RGB; and float64 (count, 68, 3), normalised.
    """
    from ethos_data.heads.render import render_sample

    images, landmarks = [], []
    for seed in range(first, first + count):
        sample = render_sample(seed, FRAME)
        points = np.asarray(sample.landmarks, np.float64)
        window = crop.window_around(topology.face_box(points), crop.NETWORK_CONTEXT)
        images.append(crop.resize(crop.cut(sample.image, window), size))
        landmarks.append(window.to_normalized(points))
    return np.stack(images), np.stack(landmarks)


def convert(directory: str, calibration: np.ndarray | None) -> bytes:
    """Converts the SavedModel of a model to LiteRT with int8 weights.

    Args:
      directory: Directory of the model.
      calibration: uint8 (N, S, S, 3), images that give the ranges of the activations;
        None quantises activations when the network runs.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(directory)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibration is not None:
        converter.representative_dataset = lambda: (
            {"image": image[None]} for image in calibration
        )
    with quiet_libraries():
        return converter.convert()


def degraded(images: np.ndarray) -> dict[str, np.ndarray]:
    """The images as they are, with a fifth of the light, and blurred by 9 pixels."""
    import cv2

    dark = np.rint(images * np.float32(0.2)).astype(np.uint8)
    blurred = np.stack([cv2.blur(image, (9, 1)) for image in images])
    return {"clean": images, "dark": dark, "blurred": blurred}


def _errors(
    run: runner.Run, images: np.ndarray, true: np.ndarray, label_shift: float
) -> float:
    """Mean NME_box of a network, in %."""
    outputs = [run(image=image[None]) for image in images]
    joined = {k: np.concatenate([o[k] for o in outputs]) for k in outputs[0]}
    landmarks = predict.without_label_shift(joined, label_shift)["landmarks"]
    return float(metrics.nme_box(landmarks, true).mean())


def _row(time: measure.Times, nme: dict[str, float], size: int) -> dict[str, Any]:
    return {
        "MB": round(size / 1e6, 2),
        "processor ms": round(time.processor_median(), 2),
        **{f"NME_box {name} %": round(value, 3) for name, value in nme.items()},
    }


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("int8", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    directory = predict.find(chosen.model_dir)
    card = predict.read_card(directory)
    size, shift = int(card["image_size"]), float(card.get("label_shift", 0))
    import_tensorflow()
    calibration, _ = heads(CALIBRATION_SEED, chosen.calibration, size)
    images, true = heads(FIRST_SEED, chosen.faces, size)
    with tempfile.TemporaryDirectory() as scratch:
        paths = {"float16": os.path.join(directory, predict.LITE)}
        for name, ranges in (("int8 weights", None), ("int8", calibration)):
            paths[name] = os.path.join(scratch, f"{name}.tflite")
            with open(paths[name], "wb") as file:
                file.write(convert(directory, ranges))
        runs = {n: runner.litert(p, predict.SIGNATURE) for n, p in paths.items()}
        calls: dict[str, Callable[[], object]] = {
            name: lambda run=run: run(image=images[:1]) for name, run in runs.items()
        }
        times = measure.take_turns(calls, chosen.turns)
        rows = {}
        for name, run in runs.items():
            nme = {
                condition: _errors(run, changed, true, shift)
                for condition, changed in degraded(images).items()
            }
            rows[name] = _row(times[name], nme, os.path.getsize(paths[name]))
    measure.save(
        "int8",
        chosen,
        what="LiteRT files with int8 weights, and with int8 activations too, against "
        f"the float16 file: time of one face and NME_box on {chosen.faces} rendered "
        "heads, clean, with a fifth of the light, and blurred by 9 of "
        f"{size} pixels.",
        figures={name: row for name, row in rows.items() if name != "float16"},
        baseline={"float16": rows["float16"]},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
