"""Depth that is derived from 68 points, seen by eye: shaded like clay.

One row a face: the picture, its true depth where it is known, and the surface of every
method. The faces are rendered heads with their exact points; with --corpus_dir they are
frames of a corpus, whose picture stays outside of the repository.

    python -m benchmarks.depth_picture --head_model ict_facekit_light.npz \
        --output docs/depth.png
    python -m benchmarks.depth_picture --corpus_dir CORPUS --output real.png
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks.depth_error import normals
from ethos_data import crop, depth, topology
from ethos_data.corpora import npz_video
from ethos_data.errors import EthosError, cli
from ethos_data.heads import model as heads
from ethos_data.heads import render

TILE: Final = 168  # pixels
CONTEXT: Final = 1.5
"""Side of what is shown over the longer side of the face box."""
METHODS: Final = ("delaunay", "thin_plate", "prior")
SEEDS_AND_YAWS: Final = (
    (1_000_001, 0),
    (1_000_004, 25),
    (1_000_010, -40),
    (1_000_005, 55),
)
"""People whom the prior was not trained on, and degrees."""


@dataclasses.dataclass(frozen=True)
class Example:
    """A square cut-out of S x S pixels.

    Attributes:
      image: uint8 (S, S, 3), RGB.
      landmarks: (68, 3), normalised.
      depth: float32 (S, S), normalised, NaN = none; or None.
    """

    image: np.ndarray
    landmarks: np.ndarray
    depth: np.ndarray | None


def example(
    image: np.ndarray, points: np.ndarray, surface: np.ndarray | None
) -> Example:
    """Cuts a face out of its frame; points (68, 3) and surface in source pixels."""
    window = crop.window_around(topology.face_box(points), CONTEXT)
    if surface is not None:
        origin = points[topology.EYES, 2].mean()
        surface = (crop.cut(surface, window, np.nan) - origin) / window.size
    return Example(crop.cut(image, window), window.to_normalized(points), surface)


def rendered(head_model: str) -> Iterator[Example]:
    """Heads of a morphable model, from the front to 55 degrees."""
    model = heads.HeadModel.load(head_model)
    for seed, yaw in SEEDS_AND_YAWS:
        picture = render.render_sample(seed, 2 * TILE, model=model, yaw=yaw)
        yield example(picture.image, picture.landmarks, picture.depth)


def real(corpus_dir: str, count: int) -> Iterator[Example]:
    """First frames of videos spread over a corpus."""
    paths = npz_video.list_videos(corpus_dir)
    if not paths:
        raise EthosError(f"{corpus_dir}: no npz files")
    for k in np.linspace(0, len(paths) - 1, count).astype(int):
        video = npz_video.read_video(paths[k], max_frames=1)
        yield example(video.frames[0], video.landmarks[0].astype(np.float64), None)


def shaded(surface: np.ndarray) -> np.ndarray:
    """A normalised depth map as grey clay, uint8 (TILE, TILE, 3)."""
    facing = normals(surface)
    key = np.array([-0.45, -0.5, 0.74])
    light = 0.12 + 0.78 * np.clip(facing @ key, 0, 1) + 0.1 * facing[..., 2]
    image = np.array([230, 222, 212]) * light[..., None] ** 0.8
    image = np.where(np.isfinite(light)[..., None], image, 24)
    return cv2.resize(
        image.astype(np.uint8), (TILE, TILE), interpolation=cv2.INTER_AREA
    )


def row(shown: Example) -> np.ndarray:
    """Picture, true depth if known, and the methods side by side."""
    tiles = [cv2.resize(shown.image, (TILE, TILE), interpolation=cv2.INTER_AREA)]
    if shown.depth is not None:
        tiles.append(shaded(shown.depth))
    for method in METHODS:
        # Drawn at twice the size, so that it is the surface that is seen, not pixels.
        tiles.append(shaded(depth.depth_map(shown.landmarks, 2 * TILE, method=method)))
    return np.hstack(tiles)


def titles(names: Sequence[str]) -> np.ndarray:
    """A strip with a title over every column."""
    strip = np.full((22, TILE * len(names), 3), 24, np.uint8)
    for k, name in enumerate(names):
        cv2.putText(
            strip,
            name,
            (k * TILE + 6, 16),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (235, 235, 235),
            1,
            cv2.LINE_AA,
        )
    return strip


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--head_model", help="npz of a morphable head, to render")
    source.add_argument("--corpus_dir", help="npz videos, to take frames from")
    parser.add_argument("--num_rows", type=int, default=6, help="of a corpus (6)")
    parser.add_argument("--output", required=True, help="png to write")
    options = parser.parse_args(argv)
    if options.head_model:
        examples = rendered(options.head_model)
        names = ["image", "true depth", *METHODS]
    else:
        examples = real(options.corpus_dir, options.num_rows)
        names = ["image", *METHODS]
    picture = np.vstack([titles(names), *map(row, examples)])
    if not cv2.imwrite(
        options.output, picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9]
    ):
        raise EthosError(f"{options.output}: cannot be written")
    print(f"Wrote {options.output}: {picture.shape[1]} x {picture.shape[0]} pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
