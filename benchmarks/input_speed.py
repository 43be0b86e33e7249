"""Measures the speed of the input pipeline.

    python -m benchmarks.input_speed --data_dir DATA

It is compared with decoding the same JPEG images and nothing else. All pipelines take
turns, so that other work on the machine affects all of them, and the median of the
rounds is reported. On a busy machine, use the CPU time per image.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import cv2

from benchmarks import measure
from ethos_data import dataset_files, options, progress, records
from ethos_data.errors import EthosError, cli
from ethos_data.quiet import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

BATCH: Final = 16

CEILING: Final = "decoding JPEG"
DECODE_ALL: Final = "decoding JPEG and depth"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    data_dir: str = options.required(
        "Directory of the data set that ethos-convert wrote", metavar="DIR"
    )
    split: str = options.option("train", "Split of the data set")
    image_size: int = options.option(
        112, "Side of the network's input, in pixels", minimum=16
    )
    cache_dir: str | None = options.option(
        None,
        "Directory for decoded examples; a temporary directory if it is not given",
        metavar="DIR",
    )
    rounds: int = options.option(9, "Number of rounds", minimum=1)
    batches: int = options.option(150, "Number of batches per round", minimum=2)
    output: str = measure.output_option("input_speed")


def decoding(paths: list[str], *, depth: bool) -> tf.data.Dataset:
    """A pipeline that decodes images in parallel and drops the pixels.

    Args:
      paths: Shards of the split.
      depth: Whether to decode the depth maps too.
    """
    import tensorflow as tf

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


def make_pipelines(chosen: Options, cache_dir: str) -> dict[str, tf.data.Dataset]:
    """The pipelines by name.

    Args:
      chosen: The options.
      cache_dir: Directory for decoded examples.
    """
    from ethos_data import dataset

    paths = dataset_files.shard_paths(chosen.data_dir, chosen.split)

    def load(**details: Any) -> tf.data.Dataset:
        return dataset.load(
            chosen.data_dir,
            chosen.split,
            image_size=chosen.image_size,
            batch_size=BATCH,
            training=True,
            **details,
        )

    return {
        "pipeline, kept in memory": load(),
        "pipeline, kept on disk (--cache_dir)": load(
            cache_bytes=0, cache_dir=cache_dir
        ),
        "pipeline, decoded in every epoch": load(cache_bytes=0),
        CEILING: decoding(paths, depth=False),
        DECODE_ALL: decoding(paths, depth=True),
    }


def time_pipelines(
    pipelines: Mapping[str, tf.data.Dataset], rounds: int, batches: int
) -> dict[str, dict[str, float]]:
    """Times pipelines in turns.

    Args:
      pipelines: The pipelines by name.
      rounds: Number of rounds.
      batches: Number of batches per round.

    Returns:
      For each pipeline, the medians of the wall and the CPU time per image, in seconds.
    """
    times: dict[str, list[dict[str, float]]] = {name: [] for name in pipelines}
    count = batches * BATCH
    with progress.bar(rounds, "rounds") as bar:
        for _ in range(rounds):
            for name, ds in pipelines.items():
                # A new iterator for each round, because a waiting iterator would fill
                # its buffers while the others are timed. The first batches fill the
                # shuffle buffer and are not timed.
                iterator = iter(ds)
                for _ in range(batches // 2):
                    next(iterator)
                wall, cpu = time.perf_counter(), time.process_time()
                for _ in range(batches):
                    next(iterator)
                times[name].append(
                    {
                        "wall": (time.perf_counter() - wall) / count,
                        "cpu": (time.process_time() - cpu) / count,
                    }
                )
                del iterator
            bar.update()
    return {name: measure.medians(rounds) for name, rounds in times.items()}


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("input_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    images = dataset_files.counts(chosen.data_dir).get(chosen.split)
    if not images:
        raise EthosError(f"{chosen.data_dir}: no frames in split {chosen.split!r}")
    import_tensorflow()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        pipelines = make_pipelines(chosen, chosen.cache_dir or temporary)
        for ds in pipelines.values():  # One epoch fills the caches.
            for _ in ds.take(images // BATCH + 1):
                pass
        times = time_pipelines(pipelines, chosen.rounds, chosen.batches)
    ceiling = times[CEILING]
    rows = {
        name: {
            "images/s": round(1 / seconds["wall"]),
            "% of decoding JPEG": round(100 * ceiling["wall"] / seconds["wall"]),
            "CPU ms per image": round(1e3 * seconds["cpu"], 3),
            "% of its CPU time": round(100 * ceiling["cpu"] / seconds["cpu"]),
        }
        for name, seconds in times.items()
    }
    measure.save(
        "input_speed",
        chosen,
        what="Speed of the input pipeline compared with decoding the same JPEG images: "
        f"{images:,} frames, {chosen.image_size} px, batches of {BATCH}, "
        f"{chosen.rounds} rounds. The target is 80 % of decoding JPEG.",
        figures={name: row for name, row in rows.items() if "pipeline" in name},
        baseline={name: row for name, row in rows.items() if "pipeline" not in name},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
