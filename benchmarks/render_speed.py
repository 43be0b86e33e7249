"""How fast heads are rendered, and where the time goes.

    python -m benchmarks.render_speed [--size 160] [--head_model ict_facekit_light.npz]

Prints milliseconds of one core for each step of a frame, and frames a second of
`ethos-synthesize` with one process a core, npz compression included.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from ethos_data.heads import background, lighting, raster, render, synthesize
from ethos_data.heads.model import HeadModel


def _milliseconds(action: Callable[[], object], repeats: int) -> float:
    action()
    started = time.process_time()
    for _ in range(repeats):
        action()
    return (time.process_time() - started) / repeats * 1000


def _busy() -> float:
    """Seconds of processor time of this process and its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def steps(model: HeadModel, size: int, repeats: int) -> dict[str, float]:
    """Milliseconds of processor time of the steps of one frame."""
    rng = np.random.default_rng(0)
    person = render.sample_figure(model, rng)
    pose = render.Pose(20, 5, 3, 8)
    values = model.sample_expression(rng)
    light = render.expose(lighting.sample_lighting(rng), person, 0.3)
    camera = render.aim(
        person,
        pose,
        height=size,
        width=size,
        face_size=0.45 * size,
        center=(size / 2, size / 2),
    )
    backdrop = background.sample_background(rng, size, size)
    vertices = render.world(person, values, pose)
    triangles = person.triangles
    fine = camera.supersampled(render.SAMPLES)
    actions: dict[str, Callable[[], object]] = {
        "a person, once": lambda: render.sample_figure(model, np.random.default_rng(0)),
        "a backdrop, once": lambda: background.sample_background(rng, size, size),
        "a frame": lambda: render.render(person, values, pose, camera, light, backdrop),
        "  expression and pose": lambda: render.world(person, values, pose),
        "  shadow map": lambda: raster.shadow_map(vertices, triangles, light.key, 224),
        "  colour samples": lambda: raster.trace(vertices, triangles, fine),
        "  exact depth": lambda: raster.trace(vertices, triangles, camera),
    }
    return {
        name: _milliseconds(action, 3 if "once" in name else repeats)
        for name, action in actions.items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=160, help="side of a frame, pixels")
    parser.add_argument("--head_model", help="npz; the built-in head by default")
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args(argv)
    path = args.head_model
    model = HeadModel.load(path) if path else HeadModel.builtin()
    render.compile_kernels()
    for name, spent in steps(model, args.size, args.repeats).items():
        print(f"{name:24s}{spent:8.1f} ms")
    # A nominal size whose median frame, 2.25 faces high, has the size wanted.
    size = round(args.size / 2.25 / 0.44)
    with tempfile.TemporaryDirectory() as folder:
        started, busy = time.monotonic(), _busy()
        paths = synthesize.synthesize(
            folder, num_people=8, frames_per_video=40, size=size, head_model=path
        )
        elapsed, busy = time.monotonic() - started, _busy() - busy
        frames, pixels = 0, 0
        for one in paths:
            with np.load(one) as data:
                height, width, _, count = data["colorImages"].shape
            frames, pixels = frames + count, pixels + count * height * width
    print(
        f"ethos-synthesize, {os.cpu_count()} cores: {frames / elapsed:.0f} frames/s of"
        f" {(pixels / frames) ** 0.5:.0f} px (root mean area), {frames} frames;"
        f" {busy / frames * 1000:.1f} ms of processor time a frame"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
