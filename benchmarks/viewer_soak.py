"""Lets the viewer work for minutes and looks for growth in memory, threads or files.

    xvfb-run -a python -m benchmarks.viewer_soak --minutes 10 --model MODEL_DIR

Plays, seeks, changes degradations, toggles, themes and videos without a pause. Each ten
seconds it notes the resident memory of the window and of the model's process, their
threads and open files. Linux only (/proc). Exit status 1 if the last third of the time
holds more than the middle third by over 5 % (and 10 MiB), or more threads or files.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.viewer_speed import make_video
from ethos_data.errors import cli
from gui import sample
from gui.widgets.controller import Controller as App


@dataclasses.dataclass(frozen=True)
class Reading:
    """What the viewer holds: MiB of window and model, threads and files of both."""

    window: float
    model: float
    threads: int
    files: int


def read() -> Reading:
    """Of this process and the model's."""
    children = [child.pid for child in multiprocessing.active_children()]
    memory, threads, files = [], 0, 0
    for pid in (os.getpid(), *children):
        status = {}
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                name, _, value = line.partition(":")
                status[name] = value.split()
        memory.append(int(status["VmRSS"][0]) / 1024)
        threads += int(status["Threads"][0])
        files += len(os.listdir(f"/proc/{pid}/fd"))
    return Reading(memory[0], sum(memory[1:]), threads, files)


def disturb(app: App, videos: Sequence[str], chance: random.Random) -> None:
    """One thing that a person might do."""
    sliders = list(app.sidebar.sliders.values())
    count = app.player.state.frame_count or 100
    actions = [
        lambda: app.player.seek(chance.randrange(count)),
        lambda: app.player.toggle(),
        lambda: app.player.play(),
        lambda: app.player.play(),
        lambda: app.sidebar.toggle(chance.choice(list(app.sidebar.toggles))),
        lambda: chance.choice(sliders).set(chance.uniform(0, 3)),
        app.sidebar.reset,
        app.sidebar.next_uncertainty,
        lambda: app.rotate(chance.uniform(-30, 30), chance.uniform(-9, 9)),
        app.switch_theme,
        lambda: app.open(chance.choice(videos)),
        lambda: app.root.geometry(f"{chance.choice([900, 1100, 1280])}x760"),
    ]
    chance.choice(actions)()
    app.changed()


def run(minutes: float, model: str | None, detector: str) -> list[Reading]:
    """Works the viewer; returns a reading for every ten seconds."""
    chance = random.Random(0)
    readings = []
    with tempfile.TemporaryDirectory() as folder:
        videos = [make_video(os.path.join(folder, "heads.mp4")), sample.SAMPLE]
        settings = os.path.join(folder, "viewer.json")
        app = App(
            video=videos[0], model_dir=model, detector=detector, settings_path=settings
        )
        started = noted = acted = time.monotonic()
        frames, last, worst = 0, None, 0.0
        while (now := time.monotonic()) - started < 60 * minutes:
            app.root.update()
            worst = max(worst, time.monotonic() - now)
            frames += app.painting is not last
            last = app.painting
            if now - acted > 0.4:
                acted = now
                disturb(app, videos, chance)
            if now - noted > 10:
                noted = now
                reading = read()
                readings.append(reading)
                print(
                    f"{now - started:5.0f} s  window {reading.window:.0f} MiB  "
                    f"model {reading.model:.0f} MiB  {reading.threads} threads  "
                    f"{reading.files} files  {frames} pictures shown  "
                    f"longest turn {1000 * worst:.0f} ms",
                    flush=True,
                )
                worst = 0.0
            time.sleep(0.003)
        app.close()
    return readings


def grown(readings: Sequence[Reading]) -> list[str]:
    """What grew from the middle third to the last, in words."""
    third = len(readings) // 3
    found = []
    for name in ("window", "model", "threads", "files"):
        values = [getattr(reading, name) for reading in readings]
        before = float(np.median(values[third : 2 * third]))
        after = float(np.median(values[2 * third :]))
        slack = max(10.0, 0.05 * before) if name in ("window", "model") else 0.5
        if after > before + slack:
            found.append(f"{name}: {before:.0f} to {after:.0f}")
    return found


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--model", help="folder of an exported model")
    parser.add_argument("--detector", default="mtcnn")
    args = parser.parse_args(argv)
    found = grown(run(args.minutes, args.model, args.detector))
    print("grew: " + "; ".join(found) if found else "nothing grew")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
