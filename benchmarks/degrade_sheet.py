"""Draws a contact sheet: every degradation at every severity, on a rendered head.

    python -m benchmarks.degrade_sheet --output docs/images/degradations.png

Each row shows the clean head and severities 1 to 5 of one degradation. The last rows
show the training mix, with a new draw in each tile.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import pictures
from ethos_data import crop, degrade, options, topology
from ethos_data.errors import cli
from ethos_data.heads import render
from ethos_data.heads.model import HeadModel

TILE: Final = 112
"""Side of a tile in pixels. It is the input size of the network."""

LABEL: Final = 118
"""Width of the labels, in pixels."""

HEADER: Final = 22
"""Height of the header, in pixels."""

MIX_ROWS: Final = 2
SEEDS: Final = (11, 4, 21, 7, 16, 3)
"""Random seeds of the heads of the training mix. The other rows show the first head."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    output: str = options.required("PNG file to write", metavar="FILE")
    head_model: str | None = options.option(
        None,
        "npz file of a morphable head; the built-in head if it is not given",
        metavar="FILE",
    )


def faces(
    seeds: Sequence[int], head_model: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rendered heads as the network sees them.

    Args:
      seeds: Random seed of each head.
      head_model: npz file of a morphable head. None uses the built-in head.

    Returns:
      Images, uint8 (N, 112, 112, 3), RGB; and face sizes, float32 (N,), normalised.
    """
    model = HeadModel.load(head_model) if head_model else None
    images, sizes = [], []
    for seed in seeds:
        sample = render.render_sample(seed, 320, model=model)
        box = topology.face_box(sample.landmarks)
        window = crop.window_around(box, crop.NETWORK_CONTEXT)
        images.append(crop.resize(crop.cut(sample.image, window), TILE))
        sizes.append(topology.face_size(box) / window.size)
    return np.stack(images), np.array(sizes, np.float32)


def sheet(images: np.ndarray, face_size: np.ndarray) -> np.ndarray:
    """The contact sheet.

    Args:
      images: uint8 (N, 112, 112, 3), RGB, one head for each tile of the training mix.
      face_size: float32 (N,), normalised.

    Returns:
      uint8 (H, W, 3), RGB.
    """
    rows = []
    for name in degrade.SEVERITY:
        tiles = [images[0]]
        for severity in range(1, 6):
            layer = degrade.at_severity(name, severity)
            # All tiles of a row use the same seed, so that only the strength changes.
            degraded = layer(images[:1], face_size=face_size[:1], seed=6)
            tiles.append(np.asarray(degraded)[0])
        rows.append(_row(name.replace("_", " "), tiles))
    mix = degrade.training_mix()
    for seed in range(MIX_ROWS):
        degraded = np.asarray(mix(images, face_size=face_size, seed=seed))
        rows.append(_row("training mix" if seed == 0 else "", list(degraded)))
    header = np.full((HEADER, rows[0].shape[1], 3), 255, np.uint8)
    for column, text in enumerate(("clean", "1", "2", "3", "4", "5")):
        _write(header, text, LABEL + column * TILE + 4, 16)
    return np.concatenate([header, *rows])


def _row(name: str, tiles: list[np.ndarray]) -> np.ndarray:
    label = np.full((TILE, LABEL, 3), 255, np.uint8)
    _write(label, name, 6, TILE // 2 + 4)
    return np.concatenate([label, *tiles], axis=1)


def _write(image: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(
        image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20,) * 3, 1, cv2.LINE_AA
    )


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    result = options.make_parser("python -m benchmarks.degrade_sheet", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    image = sheet(*faces(SEEDS, chosen.head_model))
    # Rounding to multiples of 4 is not visible and makes noise compressible.
    stepped = np.clip(image.astype(int) + 2, 0, 255) // 4 * 4
    stepped = np.where(image == 255, 255, stepped).astype(np.uint8)
    pictures.write_png(chosen.output, stepped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
