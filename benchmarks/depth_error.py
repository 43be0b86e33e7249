"""Measures the error of depth that is derived from 68 landmarks.

    python -m benchmarks.depth_error --head_model ict_facekit_light.npz
    python -m benchmarks.depth_error --head_model builtin    # another kind of head

Heads of a morphable model, with identities and expressions that the prior was not
trained on, are rendered in random poses with a z-buffer. Every method of
`ethos_data.depth` gets the true 3D landmarks, or landmarks with noise, and its depth
map is compared with the true one.

The maps are compared at the pixels inside the convex hull of the true landmarks where
the head is visible and the method has a value. `coverage` is their share of the pixels
where the head is visible. `depth error` is the mean absolute error in % of the face
size, sqrt(w * h) of the landmarks' box, with and without the mean error of each head.
`normal error` is the mean angle between the surface normals in degrees. Both normals
come from central differences. All figures are means over heads.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import measure
from ethos_data import crop, depth, options, progress, topology
from ethos_data.depth.prior import Prior
from ethos_data.errors import cli
from ethos_data.heads import raster
from ethos_data.heads.model import HeadModel

HELD_OUT: Final = 1_000_003
"""First part of the random seeds. `ethos_data.depth.learn` uses other, small seeds."""

METHODS: Final = ("prior", "delaunay", "thin_plate")

CONDITIONS: Final = {
    "clean": (0.0, 0.0),
    "1.5 % noise": (0.015, 0.015),
    "1.5 % noise, z 3 %": (0.015, 0.03),
}
"""Standard deviation of the noise of x and y, and of z, in face sizes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    head_model: str = options.required(
        "npz file of a morphable head, or 'builtin' for the built-in head",
        metavar="FILE",
    )
    prior: str | None = options.option(
        None,
        "npz file of a prior; the prior that is part of ETHOS if it is not given",
        metavar="FILE",
    )
    num_heads: int = options.option(200, "Number of heads", minimum=1)
    size: int = options.option(112, "Side of the depth map, in pixels", minimum=16)
    max_yaw: float = options.option(60.0, "Maximum yaw in degrees", minimum=0)
    output: str = measure.output_option("depth_error")


@dataclasses.dataclass(frozen=True)
class Scene:
    """A rendered head.

    Attributes:
      landmarks: float64 (68, 3), normalised in the window.
      depth: float32 (S, S), normalised, zero at the mean of the eye landmarks. NaN
        where there is no head.
      face_size: sqrt(w * h) of the landmarks' box, normalised.
      yaw: Degrees.
    """

    landmarks: np.ndarray
    depth: np.ndarray
    face_size: float
    yaw: float


@dataclasses.dataclass(frozen=True)
class Score:
    """Errors of one method on one head. The docstring of the module defines them.

    Attributes:
      depth: Depth error, % of the face size.
      centred: Depth error without the mean error, % of the face size.
      normal: Normal error, degrees.
      coverage: Coverage, %.
    """

    depth: float
    centred: float
    normal: float
    coverage: float


def scene(model: HeadModel, index: int, size: int, max_yaw: float) -> Scene:
    """Renders a head.

    Args:
      model: The morphable model.
      index: Number of the head. It is the random seed.
      size: Side of the window, in pixels.
      max_yaw: Maximum yaw in degrees. Pitch and roll are at most 20 degrees.
    """
    rng = np.random.default_rng((HELD_OUT, index))
    shape = model.vertices(model.sample_identity(rng), model.sample_expression(rng))
    yaw, pitch, roll = np.deg2rad(rng.uniform(-1, 1, 3) * (max_yaw, 20, 20))
    # The perspective of a camera at a distance of 0.6 to 3 m.
    distance = 1 / rng.uniform(1 / 300, 1 / 60)
    world = (shape - shape[model.landmarks68].mean(axis=0)) @ rotation(
        yaw, pitch, roll
    ).T
    camera = raster.Camera(1, 1, 1.0, (0.0, 0.0), distance)
    landmarks = camera.project(world[model.landmarks68])
    x0, y0, x1, y1 = topology.face_box(landmarks)
    side = crop.NETWORK_CONTEXT * max(x1 - x0, y1 - y0)
    scale = size / side
    # The source pixels are the pixels of the window, whose left edge is at -0.5.
    centre = size / 2 - 0.5 - scale * np.array([x0 + x1, y0 + y1]) / 2
    camera = raster.Camera(size, size, scale, (centre[0], centre[1]), distance)
    landmarks = camera.project(world[model.landmarks68])
    true = raster.trace(world, model.triangles, camera).depth
    window = crop.Window(-0.5, -0.5, size)
    return Scene(
        landmarks=window.to_normalized(landmarks),
        depth=(true - np.float32(landmarks[topology.EYES, 2].mean())) / size,
        face_size=float(topology.face_size(topology.face_box(landmarks))) / size,
        yaw=float(np.rad2deg(yaw)),
    )


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation matrix (3, 3) of angles in radians: first yaw, then pitch, then roll."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    yaw_matrix = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch_matrix = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll_matrix = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return roll_matrix @ pitch_matrix @ yaw_matrix


def add_noise(truth: Scene, xy: float, z: float, seed: tuple[int, ...]) -> np.ndarray:
    """Landmarks with Gaussian noise.

    Args:
      truth: The scene.
      xy: Standard deviation of x and y, in face sizes.
      z: Standard deviation of z, in face sizes.
      seed: Random seed.

    Returns:
      float64 (68, 3), normalised.
    """
    noise = np.random.default_rng(seed).normal(0, truth.face_size, (68, 3))
    return truth.landmarks + noise * (xy, xy, z)


def normals(surface: np.ndarray) -> np.ndarray:
    """Unit normals of a depth map.

    Args:
      surface: (S, S), normalised depth. NaN where it is unknown.

    Returns:
      (S, S, 3). NaN where a neighbouring pixel is unknown.
    """
    dy, dx = np.gradient(surface * len(surface))
    unscaled = np.stack([-dx, -dy, np.ones_like(dx)], axis=-1)
    return unscaled / np.linalg.norm(unscaled, axis=-1, keepdims=True)


def compare(truth: Scene, surface: np.ndarray) -> Score:
    """Compares a depth map with the true one.

    Args:
      truth: The scene.
      surface: (S, S), normalised depth. NaN where the method has no value.
    """
    size = len(surface)
    hull = cv2.convexHull((truth.landmarks[:, :2] * size - 0.5).astype(np.float32))
    inside = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(inside, np.round(hull).astype(np.int32), 1)
    visible = (inside > 0) & np.isfinite(truth.depth)
    known = visible & np.isfinite(surface)
    error = 100 * (surface - truth.depth)[known] / truth.face_size
    cosine = (normals(surface) * normals(truth.depth)).sum(axis=-1)
    cosine = cosine[visible & np.isfinite(cosine)]
    return Score(
        depth=float(np.abs(error).mean()),
        centred=float(np.abs(error - error.mean()).mean()),
        normal=float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).mean()),
        coverage=float(100 * known.sum() / visible.sum()),
    )


Method = Callable[[np.ndarray, int], np.ndarray]
"""Function from landmarks (68, 3) and a size to a depth map (size, size)."""


def methods(prior_file: str | None) -> dict[str, Method]:
    """The methods to compare.

    Args:
      prior_file: npz file of a prior. None uses the prior that is part of ETHOS.
    """
    result: dict[str, Method] = {
        name: functools.partial(depth.depth_map, method=name) for name in METHODS
    }
    if prior_file:
        prior = Prior.load(prior_file)
        result["prior"] = lambda points, size: prior.depth_maps(points[None], size)[0]
    return result


def mean_scores(
    scenes: Sequence[Scene], compared: dict[str, Method], size: int
) -> Iterator[tuple[str, str, Score]]:
    """Yields condition, method and mean score.

    Args:
      scenes: The rendered heads.
      compared: The methods by name.
      size: Side of the depth maps, in pixels.
    """
    for number, (condition, noise) in enumerate(CONDITIONS.items()):
        landmarks = [
            add_noise(truth, *noise, seed=(HELD_OUT, k, number))
            for k, truth in enumerate(scenes)
        ]
        for name, method in compared.items():
            scores = [
                dataclasses.astuple(compare(truth, method(_centred(points), size)))
                for truth, points in zip(scenes, landmarks, strict=True)
            ]
            yield condition, name, Score(*np.mean(scores, axis=0))


def _centred(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks with a mean z of zero at the eyes."""
    return landmarks - np.array([0, 0, landmarks[topology.EYES, 2].mean()])


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("depth_error", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    builtin = chosen.head_model == "builtin"
    model = HeadModel.builtin() if builtin else HeadModel.load(chosen.head_model)
    compared = methods(chosen.prior)
    scenes = [
        scene(model, k, chosen.size, chosen.max_yaw) for k in range(chosen.num_heads)
    ]
    calls = {
        name: functools.partial(method, scenes[0].landmarks, chosen.size)
        for name, method in compared.items()
    }
    times = measure.take_turns(calls, 50)
    rows: dict[str, dict[str, float]] = {}
    total = len(CONDITIONS) * len(compared)
    with progress.bar(total, "methods") as bar:
        for condition, name, score in mean_scores(scenes, compared, chosen.size):
            rows[f"{condition}, {name}"] = {
                "depth error %": round(score.depth, 2),
                "without mean error %": round(score.centred, 2),
                "normal error degrees": round(score.normal, 1),
                "coverage %": round(score.coverage, 1),
            }
            if condition == "clean":
                milliseconds = round(times[name].least(), 2)
                rows[f"{condition}, {name}"]["ms per map"] = milliseconds
            bar.update()
    measure.save(
        "depth_error",
        chosen,
        what=f"Error of depth derived from 68 landmarks, on {chosen.num_heads} heads "
        f"that the prior was not trained on. Yaw up to {chosen.max_yaw:g} degrees, "
        "pitch and roll up to 20, distance 0.6 to 3 m, maps of "
        f"{chosen.size} px. The errors are means over the pixels of the head inside "
        "the convex hull of the landmarks; coverage is their share for which the "
        "method gives a value.",
        figures={name: row for name, row in rows.items() if name.endswith("prior")},
        baseline={
            name: row for name, row in rows.items() if not name.endswith("prior")
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
