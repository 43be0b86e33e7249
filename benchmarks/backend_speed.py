"""Measures the processor time of one face and of eight faces with each backend.

    python -m benchmarks.backend_speed

Eight faces are run by several networks at the same time (`runner.in_parallel`). On a
machine without other work, the wall time is that of the busiest thread. It is measured
as processor time, which depends least on other work. TensorFlow runs a batch with
threads of its own, whose times are not known.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_model import predict, runner

FACES: Final = 8
NAMES: Final = {"litert": "LiteRT", "onnx": "ONNX", "tensorflow": "SavedModel"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    model_dir: str | None = measure.model_option()
    turns: int = options.option(50, "Number of timed calls", minimum=1)
    output: str = measure.output_option("backend_speed")


class BusiestThread:
    """Networks that add up the processor time of each thread."""

    def __init__(self, load: Callable[[], runner.Run], workers: int) -> None:
        self._load = load
        self._used: dict[int, float] = {}
        self._run = runner.in_parallel(self._timed, "image", workers)

    def _timed(self) -> runner.Run:
        network = self._load()

        def run(**inputs: np.ndarray) -> dict[str, np.ndarray]:
            started = time.thread_time()
            outputs = network(**inputs)
            used = time.thread_time() - started
            thread = threading.get_ident()
            self._used[thread] = self._used.get(thread, 0.0) + used
            return outputs

        return run

    def milliseconds(self, images: np.ndarray) -> float:
        """Returns the processor time of the thread that works longest."""
        self._used.clear()
        self._run([image[None] for image in images])
        return 1e3 * max(self._used.values())


def _loaders(directory: str) -> dict[str, Callable[[], runner.Run]]:
    lite, onnx = (os.path.join(directory, f) for f in (predict.LITE, predict.ONNX))
    return {
        "litert": lambda: runner.litert(lite, predict.SIGNATURE),
        "onnx": lambda: runner.onnx(onnx),
    }


def _rows(directory: str, images: np.ndarray, turns: int) -> dict[str, dict]:
    """Measures all backends in turns."""
    networks, busiest = {}, {}
    for backend in NAMES:
        try:
            networks[backend] = predict.load_network(directory, backend)[1]
        except EthosError as error:
            print(f"{backend} is left out: {error}")
            continue
        if load := _loaders(directory).get(backend):
            busiest[backend] = BusiestThread(load, min(runner.processors(), FACES))
    calls = {}
    for backend, network in networks.items():
        calls[backend, 1] = lambda network=network: network(images[:1])
        calls[backend, FACES] = lambda network=network: network(images)
    times = measure.take_turns(calls, turns)
    longest = {
        backend: statistics.median(timed.milliseconds(images) for _ in range(turns))
        for backend, timed in busiest.items()
    }
    rows = {}
    for backend in networks:
        one = times[backend, 1].processor_median()
        row = {
            "1 face, processor ms": round(one, 2),
            "8 faces, processor ms": round(times[backend, FACES].processor_median(), 2),
        }
        if backend in longest:
            row["8 faces, busiest thread ms"] = round(longest[backend], 2)
            row["busiest thread / 1 face"] = round(longest[backend] / one, 2)
        rows[NAMES[backend]] = row
    return rows


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("backend_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    directory = predict.find(chosen.model_dir)
    size = int(predict.read_card(directory)["image_size"])
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (FACES, size, size, 3), dtype=np.uint8)
    rows = _rows(directory, images, chosen.turns)
    measure.save(
        "backend_speed",
        chosen,
        what=f"Processor time of 1 and of {FACES} faces by backend, median of "
        f"{chosen.turns} calls in turns. On {runner.processors()} processors without "
        "other work, the busiest thread determines the wall time. The target for 8 "
        "faces is at most 5 times the time of one.",
        figures=rows,
        baseline={},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
