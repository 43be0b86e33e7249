"""The host pipeline beside its ceiling: decoding the same JPEGs and nothing else.

    python -m benchmarks.input_speed --data_dir DATA [--split train]

Rounds of all pipelines take turns, so that other work on the machine hits all alike;
the median round counts. CPU time is what the cores spend on an image, whoever else
waits for them: the honest figure on a busy machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
import tensorflow as tf

from ethos_data import dataset, dataset_files, records
from ethos_data.errors import cli

BATCH: Final = 16


def decode_only(paths: list[str], *, depth: bool) -> tf.data.Dataset:
    """Reads and decodes, in parallel, and drops the pixels."""

    def decode(serialized: Any) -> Any:
        example = records.parse_tensors(serialized)
        image = tf.io.decode_jpeg(
            example["image"], channels=3, dct_method="INTEGER_ACCURATE"
        )
        if not depth:
            return image[0, 0]
        values = tf.io.decode_png(example["depth"], channels=1, dtype=tf.uint16)
        return image[0, 0], values[0, 0]

    ds = tf.data.TFRecordDataset(paths).cache().repeat()
    ds = ds.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    return ds.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def pipelines(
    data_dir: str, split: str, image_size: int, cache_dir: str
) -> dict[str, tf.data.Dataset]:
    paths = dataset_files.shard_paths(data_dir, split)

    def load(**options: Any) -> tf.data.Dataset:
        return dataset.load(
            data_dir,
            split,
            image_size=image_size,
            batch_size=BATCH,
            training=True,
            **options,
        )

    return {
        "decode JPEG alone": decode_only(paths, depth=False),
        "decode JPEG and depth": decode_only(paths, depth=True),
        "pipeline, kept in memory": load(),
        "pipeline, kept on disk": load(cache_bytes=0, cache_dir=cache_dir),
        "pipeline, decoding anew": load(cache_bytes=0),
    }


def measure(
    made: dict[str, tf.data.Dataset], rounds: int, batches: int
) -> dict[str, np.ndarray]:
    """Wall and CPU seconds an image, medians over rounds: (2,) for each pipeline."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, ds in made.items():
            # A new iterator each time: one that waits would fill its buffers on the
            # others' time. The first batches pay for the shuffle's buffer.
            iterator = iter(ds)
            for _ in range(batches // 2):
                next(iterator)
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(batches):
                next(iterator)
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
            del iterator
    count = batches * BATCH
    return {name: np.median(spent, axis=0) / count for name, spent in times.items()}


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="what ethos-convert wrote")
    parser.add_argument("--split", default="train", help="(default: %(default)s)")
    parser.add_argument("--image_size", type=int, default=112, help="pixels")
    parser.add_argument(
        "--cache_dir", help="for decoded examples (default: a temporary folder)"
    )
    parser.add_argument("--rounds", type=int, default=9, help="(default: %(default)s)")
    parser.add_argument("--batches", type=int, default=150, help="in a round")
    options = parser.parse_args(argv)

    cv2.setNumThreads(1)
    cache_dir = options.cache_dir or tempfile.mkdtemp()
    made = pipelines(options.data_dir, options.split, options.image_size, cache_dir)
    epoch = dataset_files.counts(options.data_dir)[options.split] // BATCH + 1
    for ds in made.values():  # fills the caches
        for _ in ds.take(epoch):
            pass
    times = measure(made, options.rounds, options.batches)
    ceiling = times["decode JPEG alone"]
    print(
        f"| {options.image_size} px, batch {BATCH} | images/s | of the ceiling "
        "| CPU ms an image | of the ceiling |"
    )
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, (wall, cpu) in times.items():
        print(
            f"| {name} | {1 / wall:,.0f} | {ceiling[0] / wall:.0%} "
            f"| {cpu * 1e3:.3f} | {ceiling[1] / cpu:.0%} |"
        )
    if not options.cache_dir:
        shutil.rmtree(cache_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
