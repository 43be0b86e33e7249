"""Measures the peak memory of converting a corpus and one that is eight times larger.

    python -m benchmarks.convert_memory --work_dir DIR

The memory of a conversion must not depend on the size of the corpus. Shards are small,
so that both corpora fill several of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import shutil
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks import corpora, measure, process
from ethos_data import options
from ethos_data.errors import cli

FACTOR: Final = 8
"""Size of the large corpus divided by that of the small corpus."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    work_dir: str = options.required(
        "Directory for the corpora and the converted data", metavar="DIR"
    )
    videos: int = options.option(4, "Number of different videos", minimum=1)
    frames: int = options.option(120, "Number of frames per video", minimum=1)
    copies: int = options.option(
        10, "Number of copies of each video in the small corpus", minimum=1
    )
    max_shard_size_mb: float = options.option(8.0, "Maximum size of a shard, in MB")
    output: str = measure.output_option("convert_memory")


def convert(chosen: Options, factor: int, workers: int) -> dict[str, float]:
    """Converts a corpus.

    Args:
      chosen: The options.
      factor: Size of the corpus divided by that of the small corpus.
      workers: Number of worker processes.

    Returns:
      The figures by column.
    """
    work_dir = pathlib.Path(chosen.work_dir)
    corpus_dir = corpora.make_corpus(
        work_dir / f"corpus_{factor}",
        videos=chosen.videos,
        copies=chosen.copies * factor,
        frames=chosen.frames,
    )
    data_dir = work_dir / "data"
    shutil.rmtree(data_dir, ignore_errors=True)
    cost = process.run(
        [
            *("-m", "pipelines.convert", "--corpus_dir", str(corpus_dir)),
            *("--data_dir", str(data_dir), "--depth_method", "delaunay"),
            *("--max_shard_size_mb", str(chosen.max_shard_size_mb)),
            *("--direct_num_workers", str(workers)),
            *(["--direct_running_mode=multi_processing"] * (workers > 1)),
        ]
    )
    frames = chosen.videos * chosen.copies * factor * chosen.frames
    return {
        "frames": frames,
        "raw GB": round(frames * corpora.HEIGHT * corpora.WIDTH * 3 / 1e9, 1),
        "peak of all processes MB": round(cost.peak_bytes / 1e6),
        "largest process MB": round(cost.peak_process_bytes / 1e6),
    }


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("convert_memory", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    figures, baseline = {}, {}
    for workers in (1, 2):
        name = f"{workers} worker{'s' * (workers > 1)}"
        baseline[f"{name}, small corpus"] = convert(chosen, 1, workers)
        figures[f"{name}, large corpus"] = convert(chosen, FACTOR, workers)
    measure.save(
        "convert_memory",
        chosen,
        what="Peak memory (proportional set size) of a conversion, for a corpus and "
        f"for a corpus that is {FACTOR} times larger.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
