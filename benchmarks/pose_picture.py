"""Draws the predicted landmarks of rendered heads at four angles, and turned.

    python -m benchmarks.pose_picture docs/images/poses.png

The first row shows a yaw of 0, 30, 60 and 90 degrees with the anatomical outline, the
second row the same with the visible outline, and the third row a head that is turned in
the image plane. Landmarks that the network takes for hidden are drawn as circles.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks import pictures, pose_range
from ethos_data import options, topology
from ethos_data.errors import cli
from ethos_data.heads.figure import Figure, sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.pose import Pose, aim
from ethos_data.heads.render import (
    Rendering,
    expose,
    plain_background,
    render,
    studio_lighting,
)
from ethos_model.footage import with_outline
from ethos_model.footage.tracks import TrackedFace
from ethos_model.predict import Face, FacePredictor
from gui.drawing.overlay import OverlayOptions, draw_faces, resized

YAWS: Final = (0, 30, 60, 90)
"""Yaw of the heads in the first two rows, in degrees."""

TURNS: Final = (45, 90, 135, 180)
"""Angles by which the head in the third row is turned, in degrees."""

_ENLARGED: Final = 2
"""Pixels of the picture per pixel of a frame."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    output: str = options.required("PNG file to write", positional=True, metavar="FILE")
    model: str | None = options.option(
        None, "Directory of an exported model; without it, the shipped model"
    )
    size: int = options.option(150, "Side of a frame, in pixels", minimum=64)
    seed: int = options.option(5, "Random seed of the people", minimum=0)


def _frame(figure: Figure, yaw: float, size: int) -> Rendering:
    pose = Pose(yaw, 2, 0, 0.4 * yaw)
    camera = aim(
        figure,
        pose,
        height=size,
        width=size,
        face_size=0.5 * size,
        center=(0.5 * size, 0.54 * size),
    )
    expression = np.zeros(figure.model.num_expression, np.float32)
    light = expose(studio_lighting(), figure, 0.32)
    return render(figure, expression, pose, camera, light, plain_background(size, size))


def _tile(frame: Rendering, face: Face, size: int) -> np.ndarray:
    """The middle of a frame with the landmarks, uint8 (2 * size, 2 * size, 3)."""
    side = len(frame.image)
    tracked = TrackedFace(1, face, unsure=False, score=1.0)
    canvas = resized(frame.image, _ENLARGED)
    drawn = draw_faces(canvas, [tracked], OverlayOptions(boxes=False), scale=_ENLARGED)
    first = _ENLARGED * ((side - size) // 2)
    inside = slice(first, first + _ENLARGED * size)
    return drawn[inside, inside]


def picture(predictor: FacePredictor, size: int, seed: int) -> np.ndarray:
    """The whole picture, uint8 (6 * size, 8 * size, 3) RGB."""
    model = HeadModel.builtin()
    people = [
        sample_figure(model, np.random.default_rng((seed, k))) for k in range(len(YAWS))
    ]
    upright = [_frame(p, yaw, size) for p, yaw in zip(people, YAWS, strict=True)]
    turned = [pose_range.turned(_frame(people[1], 15, size), a) for a in TURNS]

    def row(frames: Sequence[Rendering], outline: str) -> np.ndarray:
        tiles = []
        for frame in frames:
            box = topology.face_box(frame.landmarks)
            (face,) = predictor.predict(frame.image, [box])
            tiles.append(_tile(frame, with_outline(face, outline), size))
        return np.hstack(tiles)

    return np.vstack(
        [row(upright, "anatomical"), row(upright, "visible"), row(turned, "anatomical")]
    )


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    result = options.make_parser("python -m benchmarks.pose_picture", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    predictor = FacePredictor(chosen.model)
    pictures.write_png(chosen.output, picture(predictor, chosen.size, chosen.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
