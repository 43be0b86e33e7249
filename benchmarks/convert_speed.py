"""Measures the speed of a conversion and of other ways to write the same records.

    python -m benchmarks.convert_speed --work_dir DIR

The other writers are slow, so they convert only a part of the corpus, and their start
is not counted. ethos-convert converts the complete corpus, and its start is counted.
The writers take turns and the median of the rounds is reported, so that other work on
the machine affects all of them. Frames per CPU second hardly depend on other work.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from benchmarks import corpora, measure, process
from ethos_data import depth, depth_codec, options, records
from ethos_data.corpora import npz_video
from ethos_data.errors import cli
from ethos_data.storage import npz
from pipelines.conversion import frame_records
from pipelines.conversion.options import ConversionOptions

PLAIN_LOOP: Final = "plain loop: np.load, imencode, TFRecordWriter"
TFDS: Final = "TFDS's Beam writer"

WRITERS: Final = {
    PLAIN_LOOP: ("plain_loop", 4),
    TFDS: ("tfds_writer", 16),
    "Beam's WriteToTFRecord, 8 shards": ("write_to_tfrecord", 16),
}
"""For each other writer: its function in `benchmarks.writers`, and the number by which
the corpus is divided."""

WORKERS: Final = {"ethos-convert, 1 worker": 1, "ethos-convert, 2 workers": 2}
"""Number of worker processes of each run of ethos-convert."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    work_dir: str = options.required(
        "Directory for the corpus and the converted data", metavar="DIR"
    )
    videos: int = options.option(8, "Number of different videos", minimum=1)
    frames: int = options.option(100, "Number of frames per video", minimum=1)
    copies: int = options.option(32, "Number of copies of each video", minimum=2)
    rounds: int = options.option(3, "Number of rounds", minimum=1)
    depth_method: str = options.option("delaunay", "Depth method of all writers")
    output: str = measure.output_option("convert_speed")


def other_writer(
    function: str, part: int, corpus_dir: pathlib.Path, chosen: Options
) -> dict[str, float]:
    """Runs another writer on a part of the corpus.

    Args:
      function: Name of the function in `benchmarks.writers`.
      part: Number by which the corpus is divided.
      corpus_dir: Directory of the corpus.
      chosen: The options.

    Returns:
      Frames per second, frames per CPU second and peak memory in MB.
    """
    videos = chosen.videos * chosen.copies // part
    output_dir = pathlib.Path(chosen.work_dir) / function
    shutil.rmtree(output_dir, ignore_errors=True)
    cost = process.run(
        [
            # TFDS needs the name of the builder's package, which `-m` does not set.
            *("-c", "from benchmarks import writers; writers.main()"),
            *(function, str(corpus_dir), str(output_dir)),
            *(chosen.depth_method, str(videos)),
        ]
    )
    seconds, cpu = map(float, (output_dir / "seconds").read_text().split())
    return _rates(videos * chosen.frames, seconds, cpu, cost.peak_bytes)


def ethos_convert(
    workers: int, corpus_dir: pathlib.Path, chosen: Options
) -> dict[str, float]:
    """Runs ethos-convert on the complete corpus. See `other_writer`."""
    data_dir = pathlib.Path(chosen.work_dir) / "ethos"
    shutil.rmtree(data_dir, ignore_errors=True)
    cost = process.run(
        [
            *("-m", "pipelines.convert", "--corpus_dir", str(corpus_dir)),
            *("--data_dir", str(data_dir), "--depth_method", chosen.depth_method),
            *("--direct_num_workers", str(workers)),
            *(["--direct_running_mode=multi_processing"] * (workers > 1)),
        ]
    )
    frames = chosen.videos * chosen.copies * chosen.frames
    return _rates(frames, cost.seconds, cost.cpu_seconds, cost.peak_bytes)


def _rates(frames: int, seconds: float, cpu: float, peak: int) -> dict[str, float]:
    return {
        "frames/s": frames / seconds,
        "frames per CPU second": frames / cpu,
        "peak MB": peak / 1e6,
    }


def steps(corpus_dir: pathlib.Path, depth_method: str) -> dict[str, float]:
    """Processor time of the steps of ethos-convert, in milliseconds per frame."""
    paths = sorted(corpus_dir.glob("*_000_0.npz"))
    conversion = ConversionOptions(depth_method=depth_method)
    frames = 0
    times = {}

    def clock(name: str, function: Callable, items: Sequence[Any]) -> list:
        started = time.process_time()
        results = [function(item) for item in items]
        times[name] = (time.process_time() - started) * 1e3
        return results

    def make_records(video: Any) -> list[records.Record]:
        results = frame_records.make_records(video, conversion)
        return [result for result in results if isinstance(result, records.Record)]

    def inflate(path: pathlib.Path) -> tuple[int, ...]:
        with open(path, "rb") as file:
            return npz.Npz(file).read(npz_video.IMAGES).shape

    def depth_map(record: records.Record) -> np.ndarray:
        return depth.depth_map(
            record.landmarks, records.DEPTH_SIZE, method=depth_method
        )

    def png(record: records.Record) -> bytes:
        levels = depth_codec.encode(record.depth, *records.DEPTH_RANGE)
        return depth_codec.to_png(levels)

    def jpeg(record: records.Record) -> bytes:
        return records._jpeg(record.image, records.JPEG_QUALITY)

    clock("inflating", inflate, paths)
    videos = clock("reading in total", lambda p: npz_video.read_video(str(p)), paths)
    make_records(videos[0])  # The first call compiles.
    per_video = clock("cutting and depth", make_records, videos)
    all_records = [record for video_records in per_video for record in video_records]
    clock("depth (part of it)", depth_map, all_records)
    clock("JPEG", jpeg, all_records)
    clock("PNG", png, all_records)
    clock("encoding in total", records.encode, all_records)
    frames = len(all_records)
    return {name: milliseconds / frames for name, milliseconds in times.items()}


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("convert_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    corpus_dir = corpora.make_corpus(
        pathlib.Path(chosen.work_dir) / "corpus",
        videos=chosen.videos,
        copies=chosen.copies,
        frames=chosen.frames,
    )
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(chosen.rounds):
        for title, (function, part) in WRITERS.items():
            cost = other_writer(function, part, corpus_dir, chosen)
            rounds.setdefault(title, []).append(cost)
        for title, workers in WORKERS.items():
            cost = ethos_convert(workers, corpus_dir, chosen)
            rounds.setdefault(title, []).append(cost)
    figures = _with_ratios({t: measure.medians(costs) for t, costs in rounds.items()})
    frames = chosen.videos * chosen.copies * chosen.frames
    measure.save(
        "convert_speed",
        chosen,
        what="Speed of a conversion compared with other ways to write the same "
        f"records. {frames:,} frames of {corpora.WIDTH} px, medians of {chosen.rounds} "
        f"rounds. All use the depth method {chosen.depth_method}. The start counts for "
        "ethos-convert and not for the others.",
        figures={title: figures[title] for title in WORKERS},
        baseline={title: figures[title] for title in WRITERS},
    )
    print("\nprocessor time of ethos-convert per frame:")
    for name, milliseconds in steps(corpus_dir, chosen.depth_method).items():
        print(f"  {name}: {milliseconds:.2f} ms")
    return 0


def _with_ratios(
    medians: dict[str, dict[str, float]],
) -> dict[str, dict[str, float]]:
    rates = {title: values["frames/s"] for title, values in medians.items()}
    plain = measure.ratios(rates, PLAIN_LOOP)
    tfds = measure.ratios(rates, TFDS)
    return {
        title: {
            "frames/s": round(values["frames/s"]),
            "frames per CPU second": round(values["frames per CPU second"]),
            "times plain loop": round(plain[title], 1),
            "times TFDS": round(tfds[title], 1),
            "peak MB": round(values["peak MB"]),
        }
        for title, values in medians.items()
    }


if __name__ == "__main__":
    sys.exit(main())
