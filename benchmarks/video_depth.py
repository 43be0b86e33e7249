"""Measures depth from landmarks in videos: error, jitter, and time of the conversion.

    ethos-synthesize --out_dir CORPUS --num_people 8 --videos_per_person 1 \
        --frames_per_video 60 --seed 1000003 --head_model ict_facekit_light.npz
    git worktree add BEFORE COMMIT
    python -m benchmarks.video_depth --corpus_dir CORPUS --before BEFORE

The clips have exact landmarks and depth. The conversion gets the landmarks, exact or
with noise that is independent in each frame, and no depth. Its depth maps are compared
with the true ones inside the convex hull of the true landmarks. `depth error` is the
mean absolute error. `jitter` is the mean absolute second difference of the error over
time, at the same pixel. `jitter at rest` is that of the first frame of each clip,
repeated. All three are in % of the face size, sqrt(w * h) of the landmarks' box, and
means over clips.

The time is the processor time of reading, cutting, depth and encoding in one process,
without its start. The checkouts take turns, and the table shows medians.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import cli

_ROOT: Final = pathlib.Path(__file__).resolve().parent.parent

_TIME: Final = "processor ms per frame"

Case = dict[str, dict[str, float]]
"""Figures of one checkout: for each row, the value of each column."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    corpus_dir: str = options.required(
        "Rendered corpus with depth", metavar="DIR", local=True
    )
    before: str = options.required(
        "Checkout of an earlier version of ETHOS", metavar="DIR", local=True
    )
    rounds: int = options.option(3, "Number of rounds", minimum=1)
    output: str = measure.output_option("video_depth")


def run(checkout: pathlib.Path, corpus_dir: str) -> Case:
    """Measures one checkout in a process of its own."""
    script = _ROOT / "benchmarks" / "clip_depth.py"
    one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-P", str(script), os.path.abspath(corpus_dir)],
        cwd=checkout,
        env={**os.environ, **one_thread, "PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def combine(cases: Sequence[Case]) -> Case:
    """The medians of the rounds, rounded."""
    return {
        row: {
            column: round(value, 3 if column == _TIME else 2)
            for column, value in measure.medians([case[row] for case in cases]).items()
        }
        for row in cases[0]
    }


def table(now: Case, before: Case) -> tuple[Case, Case]:
    """The figures and the baseline: the columns of `before` get other names."""
    renamed = {
        row: {f"before: {column}": value for column, value in cells.items()}
        for row, cells in before.items()
    }
    return now, renamed


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("video_depth", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    checkouts = {"now": _ROOT, "before": pathlib.Path(chosen.before).resolve()}
    cases: dict[str, list[Case]] = {name: [] for name in checkouts}
    for _ in range(chosen.rounds):
        for name, checkout in checkouts.items():
            cases[name].append(run(checkout, chosen.corpus_dir))
    figures, baseline = table(combine(cases["now"]), combine(cases["before"]))
    measure.save(
        "video_depth",
        chosen,
        what="Depth of the default method in rendered clips of ICT-FaceKit heads that "
        "the prior was not trained on, with 60 frames each, and the processor time of "
        "a conversion in one process. The columns 'before' show the method that fitted "
        "each frame separately and knew no camera that looks past the face.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
