"""Computes the lines on which the outline of the face moves when the head turns.

    python -m benchmarks.learn_outline

Each landmark of the outline (0 to 16) has a line on the surface of the built-in mean
head: the section of the surface with the plane through the landmark that is
perpendicular to the outline, from the landmark towards the middle of the face. The
lines are moved to the frame of `ethos_model.footage.measures.head`.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data import options
from ethos_data.errors import cli
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import FACE
from ethos_data.storage import files
from ethos_model.footage.measures import head, outline

LENGTH: Final = 4.5
"""Length of a line, in cm. It ends on the front of the cheek, before nose and mouth."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    output: str = options.option(
        str(pathlib.Path(outline.__file__).parents[1] / "assets" / outline.FILE),
        "npz file to write",
        metavar="FILE",
        default_text="ethos_model/footage/assets/outline.npz",
    )


def section(
    vertices: np.ndarray, triangles: np.ndarray, point: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """Cuts a surface with a plane.

    Args:
      vertices: (V, 3).
      triangles: int (F, 3).
      point: (3,), a point of the plane.
      normal: (3,), its normal.

    Returns:
      float64 (N, 2, 3), the segments in which the plane cuts triangles.
    """
    # Not exactly through vertices, of which many are in the plane of symmetry.
    distance = (vertices - point) @ normal - 1e-3
    sides = distance[triangles] > 0
    cut = triangles[(sides.sum(axis=1) % 3) > 0]
    segments = []
    for triangle in cut:
        ends = []
        for a, b in zip(triangle, np.roll(triangle, 1), strict=True):
            if (distance[a] > 0) != (distance[b] > 0):
                share = distance[a] / (distance[a] - distance[b])
                ends.append(vertices[a] + share * (vertices[b] - vertices[a]))
        segments.append(ends)
    return np.array(segments, np.float64).reshape(-1, 2, 3)


def chained(segments: np.ndarray, start: np.ndarray) -> list[np.ndarray]:
    """Joins segments to the two lines that begin near a point.

    Args:
      segments: (N, 2, 3).
      start: (3,), where the lines begin.

    Returns:
      Two arrays, each float64 (M, 3).
    """
    nearest = min(
        range(len(segments)), key=lambda k: _distance(segments[k].mean(axis=0), start)
    )
    others = [segment for k, segment in enumerate(segments) if k != nearest]
    return [_continued([start, end], others) for end in segments[nearest]]


def _continued(line: list[np.ndarray], segments: Sequence[np.ndarray]) -> np.ndarray:
    left = list(segments)
    while left:
        place = line[-1]
        gaps = [min(_distance(end, place) for end in ends) for ends in left]
        best = int(np.argmin(gaps))
        if gaps[best] > 1e-4:
            break
        first, second = left.pop(best)
        far = _distance(first, place) < _distance(second, place)
        line.append(second if far else first)
    return np.array(line)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b))


def resampled(line: np.ndarray, count: int, length: float) -> np.ndarray:
    """Points of a line at equal distances, float64 (count, 3), its start included."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    places = np.linspace(0, min(length, along[-1]), count)
    return np.stack([np.interp(places, along, axis) for axis in line.T], axis=1)


def lines(model: HeadModel) -> np.ndarray:
    """The lines of a model, float64 (17, `outline.POINTS`, 3), in its frame."""
    vertices = model.neutral.astype(np.float64)
    is_face = (model.parts[model.triangles] == FACE).all(axis=1)
    triangles = model.triangles[is_face]
    points = vertices[model.landmarks68]
    jaw = points[: outline.COUNT]
    middle = points[27:36].mean(axis=0)  # the nose
    tangents = np.gradient(jaw, axis=0)
    result = []
    for landmark, tangent in zip(jaw, tangents, strict=True):
        normal = tangent / np.linalg.norm(tangent)
        segments = section(vertices, triangles, landmark, normal)
        both = [
            resampled(line, outline.POINTS, LENGTH)
            for line in chained(segments, landmark)
        ]
        result.append(min(both, key=lambda line: _distance(line[-1], middle)))
    # Both sides of the mean head are the same.
    mirrored = np.array(result)[::-1] * (-1, 1, 1)
    return (np.array(result) + mirrored) / 2


def aligned(points: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Moves points by the similarity that maps one set of landmarks to another.

    Args:
      points: (..., 3).
      source: (68, 3), in the frame of the points.
      target: (68, 3), in the frame of the result.

    Returns:
      float64 (..., 3). The similarity is that of Umeyama (1991).
    """
    from_center, to_center = source.mean(axis=0), target.mean(axis=0)
    a, b = source - from_center, target - to_center
    u, values, vt = np.linalg.svd(b.T @ a)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ flip @ vt
    scale = (values * np.diag(flip)).sum() / (a**2).sum()
    return scale * (points - from_center) @ rotation.T + to_center


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    result = options.make_parser("python -m benchmarks.learn_outline", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    model = HeadModel.builtin()
    landmarks = model.neutral[model.landmarks68].astype(np.float64)
    moved = aligned(lines(model), landmarks, head.load().mean)
    with files.replacing(chosen.output) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, lines=moved.astype(np.float32))
    print(f"wrote {chosen.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
