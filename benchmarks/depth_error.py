"""How wrong is depth that is derived from 68 points? Measured on heads with true depth.

Held-out heads of a morphable model (identities and expressions that the prior was not
trained on) in random poses are drawn with a z-buffer; every method of
`ethos_data.depth` gets the true 3D points, or points with noise, and its map is
compared with the true one.

    python -m benchmarks.depth_error --head_model ict_facekit_light.npz
    python -m benchmarks.depth_error --head_model builtin  # heads of another making

What is compared: pixels inside the convex hull of the true points, where the head is
seen and the method has a value. `coverage` is their share of the pixels where the head
is seen. `depth` is the mean absolute error in % of face size (sqrt(w * h) of the
points' box), as it is and with the mean error of each head removed; `normal` is the
mean angle between the surface normals, both by central differences, in degrees. Means
over heads.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from ethos_data import crop, depth, topology
from ethos_data.depth.prior import Prior
from ethos_data.errors import cli
from ethos_data.heads import model as heads
from ethos_data.heads import raster

HELD_OUT = 1_000_003
"""First part of the seeds here; `fit_depth_prior` counts from its own, small ones."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """One head as one camera sees it.

    Attributes:
      landmarks: float64 (68, 3), normalised in the window.
      depth: float32 (S, S), normalised, zero at the eyes' mean, NaN = no head.
      face_size: sqrt(w * h) of the box of the landmarks, normalised.
      yaw: degrees.
    """

    landmarks: np.ndarray
    depth: np.ndarray
    face_size: float
    yaw: float


@dataclasses.dataclass(frozen=True)
class Score:
    """One method on one head. Units as in the module's docstring."""

    depth: float
    centred: float
    normal: float
    coverage: float


def scene(model: heads.HeadModel, index: int, size: int, max_yaw: float) -> Scene:
    """Head number `index`: its yaw is uniform, pitch and roll to 20 degrees."""
    rng = np.random.default_rng((HELD_OUT, index))
    shape = model.vertices(model.sample_identity(rng), model.sample_expression(rng))
    yaw, pitch, roll = np.deg2rad(rng.uniform(-1, 1, 3) * (max_yaw, 20, 20))
    # Perspective as from an arm's length to across a room.
    distance = 1 / rng.uniform(1 / 300, 1 / 60)
    world = (shape - shape[model.landmarks68].mean(axis=0)) @ rotation(
        yaw, pitch, roll
    ).T
    camera = raster.Camera(1, 1, 1.0, (0.0, 0.0), distance)
    points = camera.project(world[model.landmarks68])
    x0, y0, x1, y1 = topology.face_box(points)
    side = crop.NETWORK_CONTEXT * max(x1 - x0, y1 - y0)
    scale = size / side
    # Source pixels here are the pixels of the window: its left edge is at -0.5.
    centre = size / 2 - 0.5 - scale * np.array([x0 + x1, y0 + y1]) / 2
    camera = raster.Camera(size, size, scale, (centre[0], centre[1]), distance)
    points = camera.project(world[model.landmarks68])
    true = raster.trace(world, model.triangles, camera).depth
    window = crop.Window(-0.5, -0.5, size)
    return Scene(
        landmarks=window.to_normalized(points),
        depth=(true - np.float32(points[topology.EYES, 2].mean())) / size,
        face_size=float(topology.face_size(topology.face_box(points))) / size,
        yaw=float(np.rad2deg(yaw)),
    )


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation matrix (3, 3) of angles in radians: yaw first, then pitch, then roll."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return tilt @ nod @ turn


def jittered(truth: Scene, xy: float, z: float, seed: tuple[int, ...]) -> np.ndarray:
    """Landmarks with Gaussian noise; standard deviations in face sizes."""
    noise = np.random.default_rng(seed).normal(0, truth.face_size, (68, 3))
    return truth.landmarks + noise * (xy, xy, z)


def normals(surface: np.ndarray) -> np.ndarray:
    """Unit normals (S, S, 3) of a normalised depth map, NaN beside its rim."""
    dy, dx = np.gradient(surface * len(surface))
    unscaled = np.stack([-dx, -dy, np.ones_like(dx)], axis=-1)
    return unscaled / np.linalg.norm(unscaled, axis=-1, keepdims=True)


def compare(truth: Scene, surface: np.ndarray) -> Score:
    """Scores one map against the truth."""
    size = len(surface)
    hull = cv2.convexHull((truth.landmarks[:, :2] * size - 0.5).astype(np.float32))
    inside = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(inside, np.round(hull).astype(np.int32), 1)
    seen = (inside > 0) & np.isfinite(truth.depth)
    both = seen & np.isfinite(surface)
    error = 100 * (surface - truth.depth)[both] / truth.face_size
    cosine = (normals(surface) * normals(truth.depth)).sum(axis=-1)
    cosine = cosine[seen & np.isfinite(cosine)]
    return Score(
        depth=float(np.abs(error).mean()),
        centred=float(np.abs(error - error.mean()).mean()),
        normal=float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).mean()),
        coverage=float(100 * both.sum() / seen.sum()),
    )


Method = Callable[[np.ndarray, int], np.ndarray]


def methods(prior_file: str | None) -> dict[str, Method]:
    """The methods to compare; the prior read from a file if one is given."""
    order = ("delaunay", "thin_plate", "prior")
    known: dict[str, Method] = {
        name: functools.partial(depth.depth_map, method=name) for name in order
    }
    if prior_file:
        own = Prior.load(prior_file)
        known["prior"] = lambda points, size: own.depth_maps(points[None], size)[0]
    return known


def milliseconds(method: Method, truth: Scene, size: int) -> float:
    """Best of some repetitions, milliseconds a frame on one core."""
    timings = []
    for _ in range(50):
        start = time.perf_counter()
        method(truth.landmarks, size)
        timings.append(time.perf_counter() - start)
    return 1000 * min(timings)


CONDITIONS = {
    "clean": (0.0, 0.0),
    "1.5 % jitter": (0.015, 0.015),
    "1.5 % jitter, z 3 %": (0.015, 0.03),
}
"""Noise of x and y, and of z, in face sizes."""


def rows(
    scenes: Sequence[Scene], compared: dict[str, Method], size: int
) -> Iterator[tuple[str, str, Score]]:
    """Condition, method and mean score, condition by condition."""
    for number, (condition, noise) in enumerate(CONDITIONS.items()):
        points = [
            jittered(s, *noise, seed=(HELD_OUT, k, number))
            for k, s in enumerate(scenes)
        ]
        for name, method in compared.items():
            scores = [
                dataclasses.astuple(compare(s, method(p - _eyes(p), size)))
                for s, p in zip(scenes, points, strict=True)
            ]
            yield condition, name, Score(*np.mean(scores, axis=0))


def _eyes(points: np.ndarray) -> np.ndarray:
    """(3,) what to subtract so that z is zero at the eyes' mean."""
    return np.array([0, 0, points[topology.EYES, 2].mean()])


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--head_model", required=True, help="npz of a morphable head, or 'builtin'"
    )
    parser.add_argument("--prior", help="npz of a prior (default: the shipped one)")
    parser.add_argument("--num_heads", type=int, default=200, help="(default: 200)")
    parser.add_argument("--size", type=int, default=112, help="pixels (default: 112)")
    parser.add_argument(
        "--max_yaw", type=float, default=60, help="degrees (default: 60)"
    )
    options = parser.parse_args(argv)
    builtin = options.head_model == "builtin"
    model = (
        heads.HeadModel.builtin()
        if builtin
        else heads.HeadModel.load(options.head_model)
    )
    scenes = [
        scene(model, k, options.size, options.max_yaw) for k in range(options.num_heads)
    ]
    compared = methods(options.prior)
    print(
        f"{options.num_heads} held-out heads, yaw to {options.max_yaw:g} degrees, "
        f"{options.size} px\n\n"
        "| points | method | depth % | depth %, mean removed | normal deg "
        "| coverage % |\n"
        "|---|---|---|---|---|---|"
    )
    base = Score(1, 1, 1, 1)
    for condition, name, score in rows(scenes, compared, options.size):
        if name == "delaunay":
            base = score
        print(
            f"| {condition} | {name}"
            f" | {score.depth:.2f} ({score.depth / base.depth:.2f})"
            f" | {score.centred:.2f} ({score.centred / base.centred:.2f})"
            f" | {score.normal:.1f} ({score.normal / base.normal:.2f})"
            f" | {score.coverage:.1f} |",
            flush=True,
        )
    print("\nIn brackets: relative to Delaunay. Time of one map, one core:")
    for name, method in compared.items():
        print(f"  {name}: {milliseconds(method, scenes[0], options.size):.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
