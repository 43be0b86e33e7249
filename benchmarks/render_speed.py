"""Measures how fast heads are rendered, and how long each step takes.

    python -m benchmarks.render_speed
    python -m benchmarks.render_speed --head_model ict_facekit_light.npz

The result contains the processor time of each step of a frame, and the speed of
`ethos-synthesize` with one process per core, npz compression included.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import cli
from ethos_data.heads import raster
from ethos_data.heads.background import sample_background
from ethos_data.heads.figure import sample_figure
from ethos_data.heads.lighting import sample_lighting
from ethos_data.heads.model import HeadModel
from ethos_data.heads.pose import Pose, aim, posed_vertices
from ethos_data.heads.render import (
    SAMPLES,
    SHADOW_PIXELS,
    compile_kernels,
    expose,
    render,
)
from ethos_data.heads.synthesize import synthesize


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    size: int = options.option(160, "Side of a frame, in pixels", minimum=32)
    head_model: str | None = options.option(
        None,
        "npz file of a morphable head, which is measured besides the built-in head",
        metavar="FILE",
    )
    repeats: int = options.option(
        30, "Number of measurements of each step, of which the mean is taken", minimum=1
    )
    people: int = options.option(
        8, "Number of people that ethos-synthesize renders", minimum=1
    )
    output: str = measure.output_option("render_speed")


def _milliseconds(action: Callable[[], object], repeats: int) -> float:
    """Mean processor time of an action, in milliseconds."""
    action()
    started = time.process_time()
    for _ in range(repeats):
        action()
    return (time.process_time() - started) / repeats * 1000


def _processor_seconds() -> float:
    """Processor time of this process and its finished children, in seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def steps(model: HeadModel, size: int, repeats: int) -> dict[str, float]:
    """Measures the steps of a frame.

    Args:
      model: Head model.
      size: Side of the frame, in pixels.
      repeats: Number of measurements of each step, of which the mean is taken.

    Returns:
      Processor time of each step by name, in milliseconds.
    """
    rng = np.random.default_rng(0)
    figure = sample_figure(model, rng)
    pose = Pose(20, 5, 3, 8)
    values = model.sample_expression(rng)
    light = expose(sample_lighting(rng), figure, 0.3)
    camera = aim(
        figure,
        pose,
        height=size,
        width=size,
        face_size=0.45 * size,
        center=(size / 2, size / 2),
    )
    background = sample_background(rng, size, size)
    vertices = posed_vertices(figure, values, pose)
    triangles = figure.triangles
    fine = camera.supersampled(SAMPLES)
    actions: dict[str, Callable[[], object]] = {
        "one person, once": lambda: sample_figure(model, np.random.default_rng(0)),
        "one background, once": lambda: sample_background(rng, size, size),
        "one frame": lambda: render(figure, values, pose, camera, light, background),
        "expression and pose (part of a frame)": lambda: posed_vertices(
            figure, values, pose
        ),
        "shadow map (part of a frame)": lambda: raster.shadow_map(
            vertices, triangles, light.key, SHADOW_PIXELS
        ),
        "colour samples (part of a frame)": lambda: raster.trace(
            vertices, triangles, fine
        ),
        "exact depth (part of a frame)": lambda: raster.trace(
            vertices, triangles, camera
        ),
    }
    return {
        name: _milliseconds(action, 3 if "once" in name else repeats)
        for name, action in actions.items()
    }


def synthesis(path: str | None, frame_size: int, people: int) -> tuple[float, float]:
    """Measures `ethos-synthesize` with one process per core, npz compression included.

    Args:
      path: npz file of a morphable head. None uses the built-in head.
      frame_size: Side of the median frame, in pixels.
      people: Number of people, each with a video of 40 frames.

    Returns:
      Processor time per frame in milliseconds, and frames per second.
    """
    # Frames are 2.25 times as high as the face, and the face is 0.44 of the nominal
    # size.
    size = round(frame_size / 2.25 / 0.44)
    with tempfile.TemporaryDirectory() as directory:
        started, busy = time.monotonic(), _processor_seconds()
        paths = synthesize(
            directory,
            num_people=people,
            frames_per_video=40,
            size=size,
            head_model=path,
        )
        elapsed, busy = time.monotonic() - started, _processor_seconds() - busy
        frames = 0
        for video_path in paths:
            with np.load(video_path) as data:
                frames += data["colorImages"].shape[-1]
    return 1000 * busy / frames, frames / elapsed


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("render_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    models: dict[str, tuple[str | None, HeadModel]] = {
        "built-in head, ms": (None, HeadModel.builtin())
    }
    if chosen.head_model is not None:
        name = os.path.basename(chosen.head_model)
        models[f"{name}, ms"] = (chosen.head_model, HeadModel.load(chosen.head_model))
    compile_kernels()
    rows: dict[str, dict[str, float]] = {}
    rates = []
    for column, (path, model) in models.items():
        times = steps(model, chosen.size, chosen.repeats)
        per_frame, rate = synthesis(path, chosen.size, chosen.people)
        times["ethos-synthesize per frame, with npz and start"] = per_frame
        rates.append(f"{rate:.0f} frames/s ({column.removesuffix(', ms')})")
        for step, milliseconds in times.items():
            rows.setdefault(step, {})[column] = round(milliseconds, 1)
    measure.save(
        "render_speed",
        chosen,
        what=f"Processor time to render heads, for frames of about {chosen.size} px "
        "with 2x2 colour samples per pixel. ethos-synthesize made "
        f"{' and '.join(rates)} on {os.cpu_count()} cores. The target is 60 frames/s.",
        figures=rows,
        baseline={},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
