"""Uses the viewer for minutes and checks that memory, threads and files do not grow.

    xvfb-run -a python -m benchmarks.viewer_soak --minutes 10

The benchmark plays, seeks, degrades, and changes options, themes and videos without a
pause. It records memory, threads and open files every ten seconds. The exit status is 1
if one of them is larger in the last third of the time than in the middle third: memory
by more than 5 % (at least 10 MB), threads or files by any number.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import tempfile
import time
from collections.abc import Sequence

import numpy as np
import psutil

from benchmarks import measure
from benchmarks.viewer_speed import make_video, process_sizes
from ethos_data import options
from ethos_data.errors import cli
from ethos_data.options import option
from gui import sample
from gui.widgets.controller import Controller

ACTION_SECONDS = 0.4
"""Time between two actions of the simulated user."""

READING_SECONDS = 10.0
"""Time between two readings."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    minutes: float = option(10.0, "Duration", above=0)
    model: str | None = option(
        None, "Directory of an exported model (default: shipped)", metavar="DIR"
    )
    output: str = measure.output_option("viewer_soak")


@dataclasses.dataclass(frozen=True)
class Reading:
    """What the viewer uses at one moment.

    Attributes:
      window: Memory of the window's process, in MB.
      model: Memory of the other processes, in MB.
      threads: Number of threads of all processes.
      files: Number of open files of all processes.
    """

    window: float
    model: float
    threads: int
    files: int


def read() -> Reading:
    """Reads what this process and its descendants use."""
    this = psutil.Process()
    tree = [this, *this.children(recursive=True)]
    window, *others = process_sizes(os.getpid())
    return Reading(
        window=window,
        model=sum(others),
        threads=sum(process.num_threads() for process in tree),
        files=sum(process.num_fds() for process in tree),
    )


def act(viewer: Controller, videos: Sequence[str], rng: random.Random) -> None:
    """Performs one random action of a user."""
    sidebar, player = viewer.sidebar, viewer.player
    count = player.state.frame_count or 100
    width = rng.choice([900, 1100, 1280])
    actions = [
        lambda: player.seek(rng.randrange(count)),
        player.toggle,
        player.play,
        player.play,
        lambda: sidebar.toggle(rng.choice(list(sidebar.toggles))),
        lambda: rng.choice(list(sidebar.sliders.values())).set(rng.uniform(0, 3)),
        sidebar.reset,
        sidebar.next_uncertainty,
        lambda: viewer.window.surface.rotate(rng.uniform(-30, 30), rng.uniform(-9, 9)),
        viewer.switch_theme,
        lambda: viewer.open(rng.choice(videos)),
        lambda: viewer.root.geometry(f"{width}x760"),
    ]
    rng.choice(actions)()
    viewer.changed()


def use(minutes: float, model: str | None) -> list[Reading]:
    """Uses the viewer.

    Args:
      minutes: Duration.
      model: Directory of an exported model; None for the shipped model.

    Returns:
      A reading for every ten seconds.
    """
    rng = random.Random(0)
    readings = []
    with tempfile.TemporaryDirectory() as directory:
        videos = [make_video(os.path.join(directory, "heads.mp4")), sample.SAMPLE]
        settings = os.path.join(directory, "viewer.json")
        viewer = Controller(video=videos[0], model_dir=model, settings_path=settings)
        started = last_reading = last_action = time.monotonic()
        pictures, last, longest = 0, None, 0.0
        while (now := time.monotonic()) - started < 60 * minutes:
            viewer.root.update()
            longest = max(longest, time.monotonic() - now)
            pictures += viewer.painting is not last
            last = viewer.painting
            if now - last_action > ACTION_SECONDS:
                last_action = now
                act(viewer, videos, rng)
            if now - last_reading > READING_SECONDS:
                last_reading = now
                readings.append(read())
                print(
                    f"{now - started:5.0f} s: {readings[-1]}, {pictures} pictures "
                    f"shown, longest time without an answer {1000 * longest:.0f} ms",
                    flush=True,
                )
                longest = 0.0
            time.sleep(0.003)
        viewer.close()
    return readings


def growth(readings: Sequence[Reading]) -> list[str]:
    """What grew from the middle third of the readings to the last third.

    Returns:
      A text for each value that grew.
    """
    third = len(readings) // 3
    grown = []
    for name in ("window", "model", "threads", "files"):
        values = [getattr(reading, name) for reading in readings]
        before = float(np.median(values[third : 2 * third]))
        after = float(np.median(values[2 * third :]))
        tolerance = max(10.0, 0.05 * before) if name in ("window", "model") else 0.5
        if after > before + tolerance:
            grown.append(f"{name}: {before:.0f} to {after:.0f}")
    return grown


def summary(readings: Sequence[Reading]) -> dict[str, float]:
    """The medians of some readings, as a row of the result."""
    median = {
        name: round(float(np.median([getattr(r, name) for r in readings])))
        for name in ("window", "model", "threads", "files")
    }
    return {
        "window MB": median["window"],
        "other processes MB": median["model"],
        "threads": median["threads"],
        "files": median["files"],
    }


def parser() -> argparse.ArgumentParser:
    """The flags of the benchmark."""
    return measure.make_parser("viewer_soak", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    chosen = options.from_flags(Options, parser().parse_args(argv))
    readings = use(chosen.minutes, chosen.model)
    grown = growth(readings)
    third = len(readings) // 3
    measure.save(
        "viewer_soak",
        chosen,
        what=(
            "Memory (proportional set size), threads and open files of the viewer "
            f"during {chosen.minutes:g} minutes of continuous use. "
            + (f"Grown: {'; '.join(grown)}." if grown else "Nothing grew.")
        ),
        figures={"last third": summary(readings[2 * third :])},
        baseline={"middle third": summary(readings[third : 2 * third])},
    )
    return 1 if grown else 0


if __name__ == "__main__":
    raise SystemExit(main())
