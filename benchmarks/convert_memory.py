"""Peak memory of a conversion of a corpus, and of one eight times larger.

python -m benchmarks.convert_memory --work_dir /tmp/memory
"""

from __future__ import annotations

import argparse
import pathlib
import shutil

from benchmarks import corpora, process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--work_dir", type=pathlib.Path, required=True)
    parser.add_argument("--different", type=int, default=4)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--copies", type=int, default=10, help="of the small corpus")
    parser.add_argument("--max_shard_size_mb", type=float, default=8)
    args = parser.parse_args()
    print("| corpus, frames | raw GB | workers | peak, all processes, MB | largest |")
    print("| --- | --- | --- | --- | --- |")
    for workers in (1, 2):
        peaks = []
        for factor in (1, 8):
            corpus_dir = corpora.make_corpus(
                args.work_dir / f"corpus_{factor}",
                different=args.different,
                copies=args.copies * factor,
                frames=args.frames,
            )
            data_dir = args.work_dir / "data"
            shutil.rmtree(data_dir, ignore_errors=True)
            cost = process.run(
                [
                    *("-m", "pipelines.convert", "--corpus_dir", str(corpus_dir)),
                    *("--data_dir", str(data_dir), "--depth_method", "delaunay"),
                    *("--max_shard_size_mb", str(args.max_shard_size_mb)),
                    *("--direct_num_workers", str(workers)),
                    *(["--direct_running_mode=multi_processing"] * (workers > 1)),
                ]
            )
            frames = args.different * args.copies * factor * args.frames
            raw = frames * corpora.HEIGHT * corpora.WIDTH * 3 / 1e9
            peaks.append(cost.peak_bytes)
            print(
                f"| {frames:,} | {raw:.1f} | {workers} | {cost.peak_bytes / 1e6:.0f} | "
                f"{cost.peak_process_bytes / 1e6:.0f} |",
                flush=True,
            )
        print(f"\n{workers} workers: {100 * (peaks[1] / peaks[0] - 1):+.1f} %\n")


if __name__ == "__main__":
    main()
