"""Time for one face: the exported model beside MobileNetV2 alone.

    python -m benchmarks.predict_speed [MODEL_DIR]

Every network gets the same image at batch 1, turn by turn, so that other work on the
machine disturbs all alike. The least and the median of the wall times are printed, and
the processor time, which other work changes least.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from ethos_data.errors import EthosError, cli
from ethos_model import predict

Run = Callable[[], object]


def mobilenet(size: int, folder: str) -> Run:
    """Keras' MobileNetV2 without its top, exported by Keras itself."""
    import keras
    import tensorflow as tf

    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    backbone = keras.applications.MobileNetV2(
        (size, size, 3), include_top=False, weights=None
    )
    keras.Model(image, backbone(scaled)).export(folder, verbose=False)
    loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["serving_default"]
    one = tf.zeros((1, size, size, 3), tf.uint8)
    name = next(iter(signature.structured_input_signature[1]))

    def run(_loaded: object = loaded) -> object:  # the signature does not hold it
        return signature(**{name: one})

    return run


def measure(runs: dict[str, Run], turns: int) -> dict[str, tuple[float, float, float]]:
    """Least and median wall time and mean processor time of a call, ms."""
    walls: dict[str, list[float]] = {name: [] for name in runs}
    processor = dict.fromkeys(runs, 0.0)
    for run in runs.values():
        for _ in range(10):
            run()
    for _ in range(turns):
        for name, run in runs.items():
            used, began = time.process_time(), time.perf_counter()
            run()
            walls[name].append((time.perf_counter() - began) * 1e3)
            processor[name] += (time.process_time() - used) * 1e3
    return {
        name: (min(wall), float(np.median(wall)), processor[name] / turns)
        for name, wall in walls.items()
    }


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model_dir", nargs="?", help="default: the one that ships")
    parser.add_argument("--turns", type=int, default=200)
    flags = parser.parse_args(argv)
    folder = predict.find(flags.model_dir)
    size = int(predict.read_card(folder)["image_size"])
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    image = rng.integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    box = (100.0, 60.0, 190.0, 165.0)
    with tempfile.TemporaryDirectory() as scratch:
        runs: dict[str, Run] = {
            "MobileNetV2 alone, SavedModel": mobilenet(size, scratch)
        }
        for backend in ("tensorflow", "litert"):
            try:
                predictor = predict.FacePredictor(folder, backend=backend)
            except EthosError as error:
                print(f"{backend}: left out ({error})")
                continue
            _, network = predict.load_network(folder, backend)
            name = {"tensorflow": "SavedModel", "litert": "LiteRT"}[backend]
            runs[f"ETHOS, {name}"] = functools.partial(network, image)
            runs[f"ETHOS, {name}, frame to face"] = functools.partial(
                predictor.predict, frame, [box]
            )
        found = measure(runs, flags.turns)
    print(
        "| ms a face, batch 1 | least | median | processor |\n| --- | --- | --- | --- |"
    )
    for name, (least, median, processor) in found.items():
        print(f"| {name} | {least:.2f} | {median:.2f} | {processor:.2f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
