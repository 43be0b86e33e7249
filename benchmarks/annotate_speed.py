"""Measures the speed of ethos-annotate on a video of 1280 x 720 px with one face.

    python -m benchmarks.annotate_speed

The video shows rendered heads (or is given by --video). It is annotated with the
command's own function, whose stages run in threads, and, as the baseline, with the same
stages one after the other. The model is loaded before. The processor time is measured
in addition to the wall time, because other work on the machine hardly changes it: with
all cores idle, N cores process at most N / (processor time per frame) frames/s.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import measure
from ethos_data.errors import cli
from ethos_data.options import from_flags, option
from ethos_model.footage.reader import open_video
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.writer import VideoRecorder
from gui import annotation, sample
from gui.drawing import compose
from gui.jobs import AnnotationJob
from gui.viewer.session import Setup, load

WIDTH: Final = 1280
HEIGHT: Final = 720
FPS: Final = 25.0
HEAD: Final = 480
"""Side of the square with the head, in pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    video: str | None = option(
        None, "Video to annotate (default: rendered heads)", metavar="FILE"
    )
    model: str | None = option(
        None, "Directory of an exported model (default: shipped)", metavar="DIR"
    )
    frames: int = option(500, "Number of frames of the rendered video", minimum=1)
    repeats: int = option(3, "Number of measurements; the fastest counts", minimum=1)
    output: str = measure.output_option("annotate_speed")


def make_video(path: str, frames: int) -> str:
    """Writes a video of rendered heads in front of a blurred background.

    Args:
      path: File to write.
      frames: Number of frames.

    Returns:
      `path`.
    """
    left, top = (WIDTH - HEAD) // 2, (HEIGHT - HEAD) // 2
    with VideoRecorder(path, FPS) as recorder:
        while recorder.frames < frames:
            with open_video(sample.SAMPLE) as source:
                for frame in iter(source.read, None):
                    if recorder.frames == frames:
                        break
                    small = cv2.resize(frame.image, (32, 18))
                    picture = cv2.resize(
                        small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
                    )
                    head = cv2.resize(frame.image, (HEAD, HEAD))
                    picture[top : top + HEAD, left : left + HEAD] = head
                    recorder.write(picture, recorder.frames / FPS)
    return path


def processor_seconds() -> float:
    """Processor time of this process with all its threads, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measured(function: Callable[[], int], repeats: int) -> dict[str, float]:
    """Speed of a function that processes a video and returns the number of frames."""
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), processor_seconds()
        count = function()
        walls.append((time.perf_counter() - wall) / count)
        processors.append((processor_seconds() - processor) / count)
    return {
        "frames/s": round(1 / min(walls), 1),
        "processor ms per frame": round(1e3 * min(processors), 2),
    }


def sequential(video: str, output: str, tracker: FaceTracker) -> int:
    """Annotates a video in one thread; returns the number of frames."""
    tracker.reset()
    with open_video(video) as source:
        scale = max(1.0, annotation.SMALLEST_HEIGHT / source.info.size[1])
        with VideoRecorder(output, source.info.fps) as recorder:
            for frame in iter(source.read, None):
                faces = tracker.update(frame.image, frame.timestamp)
                picture = compose.annotated_frame(frame.image, faces, scale=scale)
                recorder.write(picture, frame.timestamp)
            return recorder.frames


def stages(
    video: str, output: str, tracker: FaceTracker, repeats: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the name and the speed of each stage alone."""

    def read() -> int:
        with open_video(video) as source:
            return sum(1 for _ in iter(source.read, None))

    yield "read", measured(read, repeats)
    with open_video(video) as source:
        frames = [
            frame for frame, _ in zip(iter(source.read, None), range(100), strict=False)
        ]
    tracked = []

    def track() -> int:
        tracker.reset()
        tracked[:] = [tracker.update(f.image, f.timestamp) for f in frames]
        return len(frames)

    yield "track", measured(track, repeats)
    pictures: list[np.ndarray] = []

    def draw() -> int:
        pictures[:] = [
            compose.annotated_frame(frame.image, faces)
            for frame, faces in zip(frames, tracked, strict=True)
        ]
        return len(frames)

    yield "draw", measured(draw, repeats)

    def write() -> int:
        with VideoRecorder(output, FPS) as recorder:
            for frame, picture in zip(frames, pictures, strict=True):
                recorder.write(picture, frame.timestamp)
            return recorder.frames

    yield "write", measured(write, repeats)


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("annotate_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = from_flags(Options, parser().parse_args(argv))
    loaded = load(Setup(chosen.model))
    tracker = FaceTracker(loaded.predictor, loaded.finder)
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "annotated.mp4")
        video = chosen.video or make_video(
            os.path.join(directory, "video.mp4"), chosen.frames
        )

        def annotate(refine: bool) -> int:
            job = AnnotationJob(video, output)
            drawing = annotation.AnnotateOptions(refine=refine)
            return annotation.annotate(
                job, tracker, drawing, show_progress=False
            ).frames

        figures = {
            "ethos-annotate": measured(lambda: annotate(True), chosen.repeats),
            "ethos-annotate --no-refine": measured(
                lambda: annotate(False), chosen.repeats
            ),
        }
        figures |= dict(stages(video, output, tracker, chosen.repeats))
        baseline = {
            "one stage after the other": measured(
                lambda: sequential(video, output, tracker), chosen.repeats
            )
        }
    measure.save(
        "annotate_speed",
        chosen,
        what="Speed of ethos-annotate on a video of 1280 x 720 px with one face, "
        "including reading and writing, and of each stage alone.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
