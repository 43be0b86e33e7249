"""Measures the steps before and after the shards, for a corpus of millions of files.

    python -m benchmarks.planning --work_dir DIR

The listing of the corpus, the headers and the receipts are simulated. Everything else
is what `ethos-convert` does: it lists the sources, reads the headers as a Beam step,
makes the plan, stores it, reads it again, and writes the manifest. The time that a
store needs to answer is not contained.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from unittest import mock

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import cli
from ethos_data.storage import files
from pipelines.beam import runners
from pipelines.conversion import corpus, manifest, planner
from pipelines.conversion.directory import OutputDirectory
from pipelines.conversion.options import ConversionOptions
from pipelines.conversion.plan import Plan
from pipelines.conversion.shard_writer import FACE_SIZE_EDGES, YAW_EDGES

VIDEOS_PER_PERSON = 2
FRAMES = 119
"""Mean number of frames of a file: 260 million frames in 2.2 million files."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    work_dir: str = options.required("Directory for the data set", metavar="DIR")
    files: int = options.option(2_200_000, "Number of files", minimum=1)
    output: str = measure.output_option("planning")


def entries(count: int) -> Iterator[files.Entry]:
    """Yields the files of the simulated corpus."""
    for i in range(count):
        person = i // VIDEOS_PER_PERSON
        path = f"{person % 1000:03d}/Person_{person:07d}_{i % VIDEOS_PER_PERSON}.npz"
        yield files.Entry(path, 13_000_000 + i % 4096, 1.7e9 + i / 7)


def size_of(path: str) -> tuple[int, int, int]:
    """Frames, height and width of a file of the simulated corpus."""
    number = int(path.rsplit("_", 2)[1])
    return FRAMES // 2 + number % FRAMES, 240, 240


def receipts(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yields the receipts of the shards, as if all were written."""
    for shard in plan.shards:
        videos = [
            {
                "path": member.source.path,
                "bytes": member.source.size,
                "video_id": member.source.video_id,
                "person_id": member.source.person_id,
                "frames": member.source.frames,
                "written": member.source.frames,
                "rejected_frames": {},
                "fingerprint": shard.key,
            }
            for member in shard.members
        ]
        frames = sum(member.source.frames for member in shard.members)
        yield {
            "records": frames,
            "bytes": 16_000 * frames,
            "crc32c": shard.key[:8],
            "videos": videos,
            "face_sizes": [frames] * len(FACE_SIZE_EDGES),
            "yaws": [frames] * len(YAW_EDGES),
        }


class Stages:
    """Measures the stages.

    Attributes:
      figures: The figures by stage.
    """

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, float | str | None]] = {}

    def run(self, name: str, stage: Callable[[], T]) -> T:
        """Runs a stage and measures it."""
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        wall, processor = time.monotonic(), time.process_time()
        result = stage()
        processor, wall = time.process_time() - processor, time.monotonic() - wall
        status = pathlib.Path("/proc/self/status").read_text()
        match = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert match is not None
        self.figures[name] = {
            "minutes": round(wall / 60, 2),
            "minutes of processor time": round(processor / 60, 2),
            "peak memory of the process GB": round(int(match[1]) * 1024 / 1e9, 2),
        }
        print(name, self.figures[name], flush=True)
        return result


def simulate(work_dir: pathlib.Path, count: int) -> Stages:
    """Plans a conversion and writes the plan and the manifest.

    Args:
      work_dir: Directory for the data set, which is emptied first.
      count: Number of files of the corpus.
    """
    shutil.rmtree(work_dir, ignore_errors=True)
    stages = Stages()
    with mock.patch.object(files, "walk", return_value=entries(count)):
        chosen = ConversionOptions(corpus_format="npz")
        listed = stages.run("list", lambda: corpus.find("/corpus", chosen))
    directory = OutputDirectory(str(work_dir), listed.version)
    with directory.opened(False), mock.patch.object(corpus, "read_size", size_of):

        def read_headers() -> Sequence[corpus.HeaderTask]:
            tasks = listed.header_tasks(None, directory.state_dir)
            # Processes would not have the simulated headers.
            runners.read_headers(
                tasks, runners.DEFAULT_RUNNER, ["--direct_num_workers=1"]
            )
            return tasks

        tasks = stages.run("headers, Beam step", read_headers)
        plan = stages.run(
            "make the plan",
            lambda: planner.make_plan(listed.read_sources(None, tasks), chosen),
        )
        stages.run("write the plan", lambda: directory.adopt(plan, None, "/corpus"))
        again = stages.run(
            "read the plan", lambda: directory.read_plan("/corpus", chosen)
        )
        assert again == plan
        del again
        stages.run(
            "write the manifest",
            lambda: manifest.write(directory.path, plan, receipts(plan), "/corpus"),
        )
    written = manifest.read(directory.path)
    assert written is not None
    found = stages.run("read the manifest", lambda: sum(1 for _ in written.inputs()))
    assert found == count
    return stages


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("planning", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    stages = simulate(pathlib.Path(chosen.work_dir), chosen.files)
    sizes: dict[str, list[int]] = {"plan": [], "manifest": []}
    for entry in files.walk(chosen.work_dir):
        name = entry.path.rsplit("/", 1)[-1].partition("-")[0]
        if name in sizes and entry.path.endswith(".jsonl"):
            sizes[name].append(entry.size)
    stored = {
        f"{name}, stored": {
            "parts": len(parts),
            "MB": round(sum(parts) / 1e6),
            "largest part MB": round(max(parts) / 1e6, 1),
        }
        for name, parts in sizes.items()
    }
    measure.save(
        "planning",
        chosen,
        what="Steps of a conversion before and after the shards, for "
        f"{chosen.files:,} files, in one process. The listing, the headers and the "
        "receipts are simulated.",
        figures=stages.figures | stored,
        baseline={},
    )
    shutil.rmtree(chosen.work_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
