"""Measures how fast heads are rendered, and how long each step takes.

    python -m benchmarks.render_speed [--size 160] [--head_model ict_facekit_light.npz]

Prints the processor time of each step of a frame in milliseconds, and the frames per
second of `ethos-synthesize` with one process per core, npz compression included.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

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
        "a person, once": lambda: sample_figure(model, np.random.default_rng(0)),
        "a background, once": lambda: sample_background(rng, size, size),
        "a frame": lambda: render(figure, values, pose, camera, light, background),
        "  expression and pose": lambda: posed_vertices(figure, values, pose),
        "  shadow map": lambda: raster.shadow_map(
            vertices, triangles, light.key, SHADOW_PIXELS
        ),
        "  colour samples": lambda: raster.trace(vertices, triangles, fine),
        "  exact depth": lambda: raster.trace(vertices, triangles, camera),
    }
    return {
        name: _milliseconds(action, 3 if "once" in name else repeats)
        for name, action in actions.items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--size", type=int, default=160, help="Side of a frame, in pixels"
    )
    parser.add_argument(
        "--head_model",
        help="npz file with a morphable head; without it, the built-in head is used",
    )
    parser.add_argument(
        "--repeats", type=int, default=30, help="Number of measurements of each step"
    )
    args = parser.parse_args(argv)
    path = args.head_model
    model = HeadModel.load(path) if path else HeadModel.builtin()
    compile_kernels()
    for name, milliseconds in steps(model, args.size, args.repeats).items():
        print(f"{name:24s}{milliseconds:8.1f} ms")
    # The nominal size for which the median frame has the side `args.size`: frames are
    # 2.25 times as high as the face, and the face is 0.44 of the nominal size.
    size = round(args.size / 2.25 / 0.44)
    with tempfile.TemporaryDirectory() as directory:
        started, busy = time.monotonic(), _processor_seconds()
        paths = synthesize(
            directory, num_people=8, frames_per_video=40, size=size, head_model=path
        )
        elapsed, busy = time.monotonic() - started, _processor_seconds() - busy
        frames, pixels = 0, 0
        for video_path in paths:
            with np.load(video_path) as data:
                height, width, _, count = data["colorImages"].shape
            frames, pixels = frames + count, pixels + count * height * width
    print(
        f"ethos-synthesize, {os.cpu_count()} cores: {frames / elapsed:.0f} frames/s of"
        f" {(pixels / frames) ** 0.5:.0f} px (root of the mean area), {frames} frames;"
        f" {busy / frames * 1000:.1f} ms of processor time per frame"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
