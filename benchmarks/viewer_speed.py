"""Measures the viewer: time of each stage, frame rate, start-up and memory.

    xvfb-run -a python -m benchmarks.viewer_speed

The stages run one after the other in this process. Then the real viewer runs on the
display, with its threads and its process, on frames that arrive faster than they can be
shown. The video has 640 x 360 px and one face. Then the window shows four faces in
1920 x 1080 px at 25 frames/s. MediaPipe's face mesh and dlib are measured on the first
video if they are installed.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np
import psutil

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import cli
from ethos_data.options import option
from ethos_model.footage.reader import Frame, open_video
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.writer import VideoRecorder
from gui import sample
from gui.viewer.engine import READY
from gui.viewer.painter import PaintOptions, paint
from gui.viewer.session import Setup, load
from gui.viewer.view import View

WIDTH: Final = 640
HEIGHT: Final = 360
FPS: Final = 60.0
PANELS: Final = PaintOptions(source_size=(840, 660), tile_size=200)
"""Size of the panels of a window of 1280 x 800 px, the initial size."""

FACES: Final = 4
"""Number of faces in the video of 1920 x 1080 px."""

PARTS: Final = ("stages", "window", "faces", "mediapipe", "dlib")

_VIEWER: Final = """
import sys
from gui.widgets.controller import Controller

def look():
    if viewer.painting is not None and viewer.painting.view.faces:
        print("faces", flush=True)
    else:
        viewer.root.after(5, look)

viewer = Controller(video=sys.argv[1], settings_path=sys.argv[2])
viewer.root.update()
print("window", flush=True)
look()
viewer.run()
"""
"""A viewer that prints "window" when its window is visible and "faces" when the first
faces are shown."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    video: str | None = option(
        None, "Video to process (default: a rendered head)", metavar="FILE"
    )
    model: str | None = option(
        None, "Directory of an exported model (default: shipped)", metavar="DIR"
    )
    seconds: float = option(15.0, "Duration of the measurement in the window", above=0)
    dlib_predictor: str | None = option(
        None, "File of dlib's predictor of 68 landmarks", metavar="FILE"
    )
    only: tuple[str, ...] = option(PARTS, "Parts to run", choices=PARTS)
    output: str = measure.output_option("viewer_speed")


def make_video(path: str) -> str:
    """Writes ten seconds of a rendered head, 640 x 360 px at 60 frames/s.

    Args:
      path: File to write.

    Returns:
      `path`.
    """
    with VideoRecorder(path, FPS) as recorder:
        for _ in range(12):
            with open_video(sample.SAMPLE) as source:
                for _ in range(sample.FRAMES_PER_PERSON):
                    frame = source.read()
                    assert frame is not None
                    wide = np.full((HEIGHT, WIDTH, 3), (70, 80, 90), np.uint8)
                    small = cv2.resize(frame.image, (HEIGHT, HEIGHT))
                    wide[:, (WIDTH - HEIGHT) // 2 :][:, :HEIGHT] = small
                    recorder.write(wide, recorder.frames / FPS)
    return path


def make_crowd(path: str) -> str:
    """Writes ten seconds of four rendered heads, 1920 x 1080 px at 25 frames/s.

    Args:
      path: File to write.

    Returns:
      `path`.
    """
    width, height, side = 1920, 1080, 380
    with open_video(sample.SAMPLE) as source:
        heads = [frame.image for frame in iter(source.read, None)]
    # Each place shows another person, whose frames run forwards and backwards.
    length = sample.FRAMES_PER_PERSON
    order = (*range(length), *range(length - 1, -1, -1))
    with VideoRecorder(path, 25) as recorder:
        for index in range(250):
            frame = np.full((height, width, 3), (70, 80, 90), np.uint8)
            for place in range(FACES):
                first = place * length % (len(heads) - length + 1)
                head = heads[first + order[index % len(order)]]
                left = place * width // FACES + (width // FACES - side) // 2
                top = 150 + 400 * (place % 2)
                frame[top : top + side, left : left + side] = cv2.resize(
                    head, (side, side)
                )
            recorder.write(frame, index / 25)
    return path


class Clock:
    """Durations by stage, in milliseconds."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def measure(self, name: str, work: Callable[[], object]) -> object:
        """Calls a function and records its duration. Returns its result."""
        started = time.perf_counter()
        result = work()
        self.add(name, 1000 * (time.perf_counter() - started))
        return result

    def add(self, name: str, milliseconds: float) -> None:
        """Records a duration that was measured elsewhere."""
        self.times.setdefault(name, []).append(milliseconds)

    def figures(self) -> dict[str, dict[str, float]]:
        """Mean, median and 95th percentile of each stage."""
        figures = {}
        for name, times in self.times.items():
            median, high = np.percentile(times, [50, 95])
            figures[name] = {
                "mean ms": round(float(np.mean(times)), 1),
                "median ms": round(float(median), 1),
                "95th percentile ms": round(float(high), 1),
            }
        return figures


def measure_stages(path: str, setup: Setup) -> dict[str, dict[str, float]]:
    """Measures each stage on all frames of a video, one stage after the other."""
    loaded = load(setup)
    tracker = FaceTracker(loaded.predictor, loaded.finder)
    clock = Clock()
    with open_video(path) as source:
        while True:
            frame = clock.measure("decode", source.read)
            if not isinstance(frame, Frame):
                clock.times["decode"].pop()
                break
            faces = tracker.update(frame.image, frame.timestamp)
            for name, milliseconds in tracker.timings.items():
                clock.add(name, milliseconds)
            view = View(frame, frame.image, faces, [], False, READY, {}, 0.0)
            clock.measure("draw", lambda view=view: paint(view, PANELS))
    return clock.figures()


def measure_start(path: str, setup: Setup) -> dict[str, str]:
    """Measures the start of the viewer and the memory of its processes.

    Returns:
      Texts with units, by name.
    """
    with tempfile.TemporaryDirectory() as directory:
        settings = os.path.join(directory, "viewer.json")
        started = time.monotonic()
        viewer = subprocess.Popen(
            [sys.executable, "-c", _VIEWER, path, settings],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert viewer.stdout is not None
        values = {}
        for event in ("window", "faces"):
            assert viewer.stdout.readline().strip() == event
            values[event] = f"{time.monotonic() - started:.2f} s"
        time.sleep(10)
        sizes = process_sizes(viewer.pid)
        viewer.send_signal(signal.SIGTERM)
        viewer.wait(timeout=30)
        viewer.stdout.close()
    return {
        "start: window visible": values["window"],
        "start: first faces shown": values["faces"],
        "memory of the window's process": f"{sizes[0]:.0f} MB",
        "memory of all processes": f"{sum(sizes):.0f} MB",
    }


def process_sizes(pid: int) -> list[float]:
    """Memory of a process and of its descendants, in MB.

    The proportional set size counts memory that processes share only once.
    """
    root = psutil.Process(pid)
    tree = [root, *root.children(recursive=True)]
    return [process.memory_full_info().pss / 1e6 for process in tree]


def measure_window(path: str, setup: Setup, seconds: float) -> dict[str, str]:
    """Measures the viewer on the display.

    Returns:
      Texts with units, by name.
    """
    from gui.widgets.controller import Controller

    with tempfile.TemporaryDirectory() as directory:
        viewer = Controller(
            video=path,
            model_dir=setup.model_dir,
            detector=setup.detector,
            settings_path=os.path.join(directory, "viewer.json"),
        )
        viewer.player.set_loop(True)
        while viewer.engine.state.phase != READY or viewer.painting is None:
            viewer.root.update()
            time.sleep(0.002)
        shown, last, longest = 0, None, 0.0
        before = processor_seconds()
        started = turn = time.perf_counter()
        while time.perf_counter() - started < seconds:
            viewer.root.update()
            if viewer.painting is not last:
                shown, last = shown + 1, viewer.painting
            now = time.perf_counter()
            longest, turn = max(longest, now - turn), now
            time.sleep(0.002)
        rate = shown / (time.perf_counter() - started)
        own, model = (
            1000 * (end - start) / max(shown, 1)
            for start, end in zip(before, processor_seconds(), strict=True)
        )
        viewer.close()
    return {
        "window: frame rate": f"{rate:.1f} frames/s",
        "window: processor time per frame, window's process": f"{own:.1f} ms",
        "window: processor time per frame, model's process": f"{model:.1f} ms",
        "window: longest time without an answer": f"{1000 * longest:.0f} ms",
    }


def processor_seconds() -> tuple[float, float]:
    """Processor time of this process and of its descendants, in seconds."""
    this = psutil.Process()
    children = 0.0
    for child in this.children(recursive=True):
        times = child.cpu_times()
        children += times.user + times.system
    return time.process_time(), children


def measure_mediapipe(path: str) -> dict[str, dict[str, float]]:
    """Measures MediaPipe's face mesh: detection, tracking and 468 landmarks."""
    try:
        from mediapipe.python.solutions import face_mesh
    except ImportError as error:
        print(f"MediaPipe is not measured: {error}")
        return {}
    clock = Clock()
    with face_mesh.FaceMesh() as mesh, open_video(path) as source:
        while (frame := source.read()) is not None:
            image = frame.image
            clock.measure(
                "MediaPipe's face mesh", lambda image=image: mesh.process(image)
            )
    return clock.figures()


def measure_dlib(path: str, predictor: str | None) -> dict[str, dict[str, float]]:
    """Measures dlib: its HOG detector on each frame, and its 68 landmarks."""
    try:
        import dlib
    except ImportError as error:
        print(f"dlib is not measured: {error}")
        return {}
    detector = dlib.get_frontal_face_detector()
    shape = dlib.shape_predictor(predictor) if predictor else None
    clock = Clock()
    with open_video(path) as source:
        while (frame := source.read()) is not None:
            image = frame.image
            boxes = clock.measure(
                "dlib's HOG detector", lambda image=image: detector(image, 0)
            )
            if shape and boxes:
                box = boxes[0]  # type: ignore[index]
                clock.measure("dlib's 68 landmarks", lambda i=image, b=box: shape(i, b))
    return clock.figures()


def parser() -> argparse.ArgumentParser:
    """The flags of the benchmark."""
    return measure.make_parser("viewer_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    chosen = options.from_flags(Options, parser().parse_args(argv))
    setup = Setup(chosen.model)
    figures: dict[str, dict[str, float | str | None]] = {}
    baseline: dict[str, dict[str, float | str | None]] = {}
    with tempfile.TemporaryDirectory() as directory:
        path = chosen.video or make_video(os.path.join(directory, "heads.mp4"))
        if "window" in chosen.only:
            texts = measure_start(path, setup)
            texts |= measure_window(path, setup, chosen.seconds)
            figures |= {name: {"value": text} for name, text in texts.items()}
        if "faces" in chosen.only:
            crowd = make_crowd(os.path.join(directory, "crowd.mp4"))
            texts = measure_window(crowd, setup, chosen.seconds)
            figures |= {
                f"{FACES} faces, {name}": {"value": text}
                for name, text in texts.items()
            }
        if "stages" in chosen.only:
            figures |= {k: {**v} for k, v in measure_stages(path, setup).items()}
        if "mediapipe" in chosen.only:
            baseline |= {k: {**v} for k, v in measure_mediapipe(path).items()}
        if "dlib" in chosen.only:
            stages = measure_dlib(path, chosen.dlib_predictor)
            baseline |= {k: {**v} for k, v in stages.items()}
    measure.save(
        "viewer_speed",
        chosen,
        what=(
            "The viewer on 640 x 360 video with one face: start, memory (proportional "
            "set size after 10 s), frame rate of the window, and time of each stage "
            "per frame when the stages run one after the other. Four faces are in "
            "1920 x 1080 px at 25 frames/s."
        ),
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
