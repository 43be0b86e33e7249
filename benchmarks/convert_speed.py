"""Frames per second of a conversion, beside other ways of writing the same records.

    python -m benchmarks.convert_speed --work_dir /tmp/speed

The slow ones convert a part of the corpus, and their start-up is not counted; ours
convert all of it, start-up included. Rounds are interleaved and the median is shown, so
that other work on the machine spoils all alike; frames per second of processor time
hardly depend on it.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import statistics
import time

import numpy as np

from benchmarks import corpora, process
from ethos_data import depth_codec, records
from ethos_data.corpora import npz_video
from ethos_data.storage import npz
from pipelines.conversion.frame_records import make_records
from pipelines.conversion.options import ConversionOptions

SLOW = {
    "plain loop: np.load, imencode, TFRecordWriter": ("plain_loop", 4),
    "TFDS's Beam writer": ("tfds_writer", 16),
    "Beam's WriteToTFRecord, 8 shards": ("write_to_tfrecord", 16),
}
"""Title to function of `benchmarks.writers`, and which part of the corpus it gets."""

OURS = {"ethos-convert, 1 worker": 1, "ethos-convert, 2 workers": 2}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--work_dir", type=pathlib.Path, required=True)
    parser.add_argument("--different", type=int, default=8)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--copies", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--depth_method", default="delaunay")
    args = parser.parse_args()
    corpus_dir = corpora.make_corpus(
        args.work_dir / "corpus",
        different=args.different,
        copies=args.copies,
        frames=args.frames,
    )
    costs: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(args.rounds):
        for title, (function, part) in SLOW.items():
            files = args.different * args.copies // part
            costs.setdefault(title, []).append(slow(function, corpus_dir, files, args))
        for title, workers in OURS.items():
            costs.setdefault(title, []).append(ours(workers, corpus_dir, args))
    medians = {
        title: [statistics.median(column) for column in zip(*results, strict=True)]
        for title, results in costs.items()
    }
    plain, tfds = (medians[title][0] for title in list(SLOW)[:2])
    print(f"depth_method {args.depth_method}, {args.rounds} rounds\n")
    print(
        "| writer | frames/s | frames per CPU second | times plain loop | times TFDS "
        "| peak MB |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for title, (rate, cpu, peak) in medians.items():
        print(
            f"| {title} | {rate:,.0f} | {cpu:,.0f} | {rate / plain:.1f} | "
            f"{rate / tfds:.1f} | {peak:,.0f} |"
        )
    print()
    print(floor(corpus_dir, args))


def slow(
    function: str, corpus_dir: pathlib.Path, files: int, args: argparse.Namespace
) -> tuple[float, float, float]:
    """Frames per second, frames per second of processor time, peak memory in MB."""
    out = args.work_dir / function
    shutil.rmtree(out, ignore_errors=True)
    cost = process.run(
        [
            # TFDS asks for the builder's package, which `-m` does not have.
            *("-c", "from benchmarks import writers; writers.main()"),
            *(function, str(corpus_dir), str(out)),
            *(args.depth_method, str(files)),
        ]
    )
    seconds, cpu = map(float, (out / "seconds").read_text().split())
    frames = files * args.frames
    return frames / seconds, frames / cpu, cost.peak_bytes / 1e6


def ours(
    workers: int, corpus_dir: pathlib.Path, args: argparse.Namespace
) -> tuple[float, float, float]:
    """The same of the command as a user runs it."""
    out = args.work_dir / "ours"
    shutil.rmtree(out, ignore_errors=True)
    cost = process.run(
        [
            *("-m", "pipelines.convert", "--corpus_dir", str(corpus_dir)),
            *("--data_dir", str(out), "--depth_method", args.depth_method),
            *("--direct_num_workers", str(workers)),
            *(["--direct_running_mode=multi_processing"] * (workers > 1)),
        ]
    )
    frames = args.different * args.copies * args.frames
    return frames / cost.seconds, frames / cost.cpu_seconds, cost.peak_bytes / 1e6


def floor(corpus_dir: pathlib.Path, args: argparse.Namespace) -> str:
    """Where the time of one frame goes, milliseconds of processor time."""
    paths = sorted(corpus_dir.glob("*_000_0.npz"))
    options = ConversionOptions(depth_method=args.depth_method)
    frames = len(paths) * args.frames
    spent = {}

    def clock(name, function, items):
        begun = time.process_time()
        results = [function(item) for item in items]
        spent[name] = (time.process_time() - begun) / frames * 1e3
        return results

    def made_of(video):
        return list(make_records(video, options))

    def inflate(path):
        with open(path, "rb") as file:
            return npz.Npz(file).read(npz_video.IMAGES).shape

    def png(record: records.Record) -> bytes:
        levels = depth_codec.encode(record.depth, *records.DEPTH_RANGE)
        return depth_codec.to_png(levels)

    clock("inflating", inflate, paths)
    videos = clock("reading in all", lambda p: npz_video.read_video(str(p)), paths)
    made_of(videos[0])  # compiles and loads
    made = [r for video in clock("cutting, depth", made_of, videos) for r in video]
    clock("of it depth", lambda r: _depth(r, options), made)
    clock("JPEG", lambda r: records._jpeg(r.image, records.JPEG_QUALITY), made)
    clock("PNG", png, made)
    clock("encoding in all", records.encode, made)
    lines = [f"{name} {ms:.2f} ms" for name, ms in spent.items()]
    return "per frame, processor time: " + ", ".join(lines)


def _depth(record: records.Record, options: ConversionOptions) -> np.ndarray:
    from ethos_data import depth

    return depth.depth_map(
        record.landmarks, records.DEPTH_SIZE, method=options.depth_method
    )


if __name__ == "__main__":
    main()
