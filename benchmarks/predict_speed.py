"""Measures the time to predict one face with an exported model.

    python -m benchmarks.predict_speed

It is compared with MobileNetV2 without a head. All networks get the same image at batch
size 1 and take turns, so that other work on the machine affects all of them. The
processor time depends least on other work.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow
from ethos_model import predict

MOBILENET: Final = "MobileNetV2 only, SavedModel (exported by Keras)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    model_dir: str | None = measure.model_option()
    turns: int = options.option(200, "Number of timed calls", minimum=1)
    output: str = measure.output_option("predict_speed")


def mobilenet(size: int, directory: str) -> Callable[[], object]:
    """MobileNetV2 without its top, exported by Keras, as a function that runs it.

    Args:
      size: Side of the input, in pixels.
      directory: Directory for the SavedModel.
    """
    import keras
    import tensorflow as tf

    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    backbone = keras.applications.MobileNetV2(
        (size, size, 3), include_top=False, weights=None
    )
    keras.Model(image, backbone(scaled)).export(directory, verbose=False)
    loaded = tf.saved_model.load(directory)
    signature = loaded.signatures["serving_default"]
    black = tf.zeros((1, size, size, 3), tf.uint8)
    name = next(iter(signature.structured_input_signature[1]))

    # The default argument keeps the model alive, which the signature does not do.
    def run(_loaded: object = loaded) -> object:
        return signature(**{name: black})

    return run


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("predict_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    directory = predict.find(chosen.model_dir)
    size = int(predict.read_card(directory)["image_size"])
    import_tensorflow()
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    image = rng.integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    box = (100.0, 60.0, 190.0, 165.0)
    with tempfile.TemporaryDirectory() as scratch:
        calls: dict[str, Callable[[], object]] = {MOBILENET: mobilenet(size, scratch)}
        for backend, name in {"tensorflow": "SavedModel", "litert": "LiteRT"}.items():
            try:
                predictor = predict.FacePredictor(directory, backend=backend)
            except EthosError as error:
                print(f"{backend} is left out: {error}")
                continue
            _, network = predict.load_network(directory, backend)
            calls[f"ETHOS, {name}"] = functools.partial(network, image)
            calls[f"ETHOS, {name}, from frame to face"] = functools.partial(
                predictor.predict, frame, [box]
            )
        times = measure.take_turns(calls, chosen.turns, warm_up=10)
    rows = {
        name: {
            "least ms": round(time.least(), 2),
            "median ms": round(time.median(), 2),
            "processor ms": round(time.processor_median(), 2),
        }
        for name, time in times.items()
    }
    measure.save(
        "predict_speed",
        chosen,
        what=f"Time to predict one face at batch size 1 and {size} px, over "
        f"{chosen.turns} calls in turns. The target is 8 ms.",
        figures={name: row for name, row in rows.items() if name != MOBILENET},
        baseline={MOBILENET: rows[MOBILENET]},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
