"""Draws rendered people with their 68 landmarks and their true depth.

    python -m benchmarks.render_picture docs/images/heads.jpg

Each column shows a person: the image, the image with landmarks, and the depth.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence

import cv2
import numpy as np

from ethos_data import options, topology
from ethos_data.drawing import draw_landmarks
from ethos_data.errors import cli
from ethos_data.heads.figure import sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.scene import render_frames, sample_scene
from ethos_data.storage import files


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    output: str = options.required(
        "JPEG file to write", positional=True, metavar="FILE"
    )
    head_model: str | None = options.option(
        None,
        "npz file of a morphable head; the built-in head if it is not given",
        metavar="FILE",
    )
    people: int = options.option(8, "Number of people", minimum=1)
    size: int = options.option(160, "Side of a tile, in pixels", minimum=16)
    seed: int = options.option(
        0,
        "Random seed of the first person; the following people use the next seeds",
        minimum=0,
    )


def _column(model: HeadModel, seed: int, size: int) -> np.ndarray:
    """Draws a person in a random scene.

    Args:
      model: Head model.
      seed: Random seed of the person and the scene.
      size: Side of a tile, in pixels.

    Returns:
      Three tiles below each other, uint8 (3 * size, size, 3): the image, the image with
      landmarks, and the depth.
    """
    rng = np.random.default_rng((seed, 0))
    figure = sample_figure(model, rng)
    scene = sample_scene(figure, rng, num_frames=1, size=300)
    frame = next(render_frames(figure, scene))
    x0, y0, x1, y1 = topology.face_box(frame.landmarks)
    half = 0.95 * max(x1 - x0, y1 - y0)
    scale = size / (2 * half)
    shift = np.array(((x0 + x1) / 2, (y0 + y1) / 2 - 0.12 * half)) - half
    to_tile = np.array([[scale, 0, -scale * shift[0]], [0, scale, -scale * shift[1]]])

    def crop(image: np.ndarray, border: int) -> np.ndarray:
        return cv2.warpAffine(
            image,
            to_tile,
            (size, size),
            flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
            borderMode=border,
        )

    image = crop(frame.image, cv2.BORDER_REPLICATE)
    drawn = image.copy()
    landmarks = (frame.landmarks[:, :2] - shift) * scale
    colors = np.where(frame.visible[:, None], (255, 255, 255), (255, 60, 60))
    draw_landmarks(drawn, landmarks, edges=(80, 255, 120), points=colors, radius=2)
    near, far = np.nanpercentile(frame.depth, (99.5, 2))
    grey = np.nan_to_num(np.clip((frame.depth - far) / (near - far), 0, 1) * 225 + 30)
    depth = crop(np.repeat(grey[..., None], 3, 2).astype(np.uint8), cv2.BORDER_CONSTANT)
    return np.concatenate([image, drawn, depth])


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    result = options.make_parser("python -m benchmarks.render_picture", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    path = chosen.head_model
    model = HeadModel.load(path) if path else HeadModel.builtin()
    seeds = range(chosen.seed, chosen.seed + chosen.people)
    picture = np.concatenate(
        [_column(model, seed, chosen.size) for seed in seeds], axis=1
    )
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    data = cv2.imencode(".jpg", picture[..., ::-1], quality)[1].tobytes()
    files.write(chosen.output, iter([data]))
    width = picture.shape[1]
    print(f"wrote {chosen.output}: {chosen.people} people, {width} pixels wide")
    return 0


if __name__ == "__main__":
    sys.exit(main())
