"""Draws depth that is derived from 68 landmarks as shaded surfaces.

    python -m benchmarks.depth_picture --head_model ict_facekit_light.npz \\
        --output docs/images/depth.png
    python -m benchmarks.depth_picture --corpus_dir CORPUS --output real.png

Each row shows a face: the image, the true depth if it is known, and the surface of each
method. The faces are rendered heads with exact landmarks, or frames of a corpus. A
picture with frames of a corpus must not be added to the repository.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import pictures
from benchmarks.depth_error import normals
from ethos_data import crop, depth, options, topology
from ethos_data.corpora import npz_video
from ethos_data.errors import EthosError, cli
from ethos_data.heads import render
from ethos_data.heads.model import HeadModel

TILE: Final = 168
"""Side of a tile, in pixels."""

CONTEXT: Final = 1.5
"""Side of a tile divided by the longer side of the face box."""

METHODS: Final = ("delaunay", "thin_plate", "prior")

SEEDS_AND_YAWS: Final = (
    (1_000_001, 0),
    (1_000_004, 25),
    (1_000_010, -40),
    (1_000_005, 55),
)
"""Random seeds of heads that the prior was not trained on, and yaw in degrees."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    output: str = options.required("PNG file to write", metavar="FILE")
    head_model: str | None = options.option(
        None, "npz file of a morphable head to render", metavar="FILE"
    )
    corpus_dir: str | None = options.option(
        None, "Directory with npz videos to take frames from", metavar="DIR"
    )
    num_rows: int = options.option(6, "Number of frames of the corpus", minimum=1)


@dataclasses.dataclass(frozen=True)
class Example:
    """A face in a square crop of S x S pixels.

    Attributes:
      image: uint8 (S, S, 3), RGB.
      landmarks: (68, 3), normalised.
      depth: float32 (S, S), normalised, NaN where it is unknown. None if there is no
        true depth.
    """

    image: np.ndarray
    landmarks: np.ndarray
    depth: np.ndarray | None


def crop_face(
    image: np.ndarray, landmarks: np.ndarray, surface: np.ndarray | None
) -> Example:
    """Cuts a face out of its frame.

    Args:
      image: uint8 (H, W, 3), RGB.
      landmarks: (68, 3), source pixels.
      surface: (H, W), depth in source pixels. None if it is unknown.
    """
    window = crop.window_around(topology.face_box(landmarks), CONTEXT)
    if surface is not None:
        origin = landmarks[topology.EYES, 2].mean()
        surface = (crop.cut(surface, window, np.nan) - origin) / window.size
    return Example(crop.cut(image, window), window.to_normalized(landmarks), surface)


def rendered(head_model: str) -> Iterator[Example]:
    """Yields heads of a morphable model, with a yaw of 0 to 55 degrees."""
    model = HeadModel.load(head_model)
    for seed, yaw in SEEDS_AND_YAWS:
        sample = render.render_sample(seed, 2 * TILE, model=model, yaw=yaw)
        yield crop_face(sample.image, sample.landmarks, sample.depth)


def real(corpus_dir: str, count: int) -> Iterator[Example]:
    """Yields the first frames of videos that are evenly spread over a corpus."""
    paths = npz_video.list_videos(corpus_dir)
    if not paths:
        raise EthosError(f"{corpus_dir}: contains no npz files")
    for k in np.linspace(0, len(paths) - 1, count).astype(int):
        video = npz_video.read_video(paths[k], max_frames=1)
        landmarks = video.landmarks[0].astype(np.float64)
        yield crop_face(video.frames[0], landmarks, None)


def shade(surface: np.ndarray) -> np.ndarray:
    """A normalised depth map as a grey surface in light: uint8 (TILE, TILE, 3)."""
    normal = normals(surface)
    light_direction = np.array([-0.45, -0.5, 0.74])
    light = 0.12 + 0.78 * np.clip(normal @ light_direction, 0, 1) + 0.1 * normal[..., 2]
    image = np.array([230, 222, 212]) * light[..., None] ** 0.8
    image = np.where(np.isfinite(light)[..., None], image, 24)
    return cv2.resize(
        image.astype(np.uint8), (TILE, TILE), interpolation=cv2.INTER_AREA
    )


def draw_row(example: Example) -> np.ndarray:
    """The image, the true depth if it is known, and the surface of each method."""
    tiles = [cv2.resize(example.image, (TILE, TILE), interpolation=cv2.INTER_AREA)]
    if example.depth is not None:
        tiles.append(shade(example.depth))
    for method in METHODS:
        # The map has twice the size of a tile, so that single pixels are not visible.
        surface = depth.depth_map(example.landmarks, 2 * TILE, method=method)
        tiles.append(shade(surface))
    return np.hstack(tiles)


def draw_titles(names: Sequence[str]) -> np.ndarray:
    """A strip with the title of each column."""
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


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    result = options.make_parser("python -m benchmarks.depth_picture", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    if (chosen.head_model is None) == (chosen.corpus_dir is None):
        raise EthosError("give either --head_model or --corpus_dir")
    if chosen.head_model is not None:
        examples = rendered(chosen.head_model)
        names = ["image", "true depth", *METHODS]
    else:
        examples = real(str(chosen.corpus_dir), chosen.num_rows)
        names = ["image", *METHODS]
    picture = np.vstack([draw_titles(names), *map(draw_row, examples)])
    pictures.write_png(chosen.output, picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
