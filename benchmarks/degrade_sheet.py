"""A contact sheet: every degradation at every severity, on a rendered head.

    python -m benchmarks.degrade_sheet --output docs/degradations.png

One row a degradation, the clean head in front, then severities 1 to 5; the rows below
are the training mix, drawn anew for every tile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data import crop, degrade, topology
from ethos_data.errors import EthosError, cli
from ethos_data.heads import render

TILE: Final = 112  # pixels, the network's input
LABEL: Final = 118
HEADER: Final = 22
MIX_ROWS: Final = 2
SEEDS: Final = (11, 4, 21, 7, 16, 3)
"""People of the mix; the first of them is in all other rows."""


def faces(
    seeds: Sequence[int], head_model: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rendered heads as the network sees them.

    Returns:
      uint8 (N, 112, 112, 3) and their face sizes, float32 (N,), normalised.
    """
    from ethos_data.heads.model import HeadModel

    model = HeadModel.load(head_model) if head_model else None
    images, sizes = [], []
    for seed in seeds:
        picture = render.render_sample(seed, 320, model=model)
        box = topology.face_box(picture.landmarks)
        window = crop.window_around(box, crop.NETWORK_CONTEXT)
        images.append(crop.resize(crop.cut(picture.image, window), TILE))
        sizes.append(topology.face_size(box) / window.size)
    return np.stack(images), np.array(sizes, np.float32)


def sheet(images: np.ndarray, face_size: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) RGB: rows of tiles with their names."""
    rows = []
    for name in degrade.SEVERITY:
        tiles = [images[0]]
        for severity in range(1, 6):
            layer = degrade.at_severity(name, severity)
            # The same seed in a row: one movement, one cover, growing.
            worse = layer(images[:1], face_size=face_size[:1], seed=6)
            tiles.append(np.asarray(worse)[0])
        rows.append(_row(name.replace("_", " "), tiles))
    mix = degrade.training_mix()
    for seed in range(MIX_ROWS):
        worse = mix(images, face_size=face_size, seed=seed)
        rows.append(_row("training mix" if seed == 0 else "", list(np.asarray(worse))))
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


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", required=True, help="PNG to write")
    parser.add_argument("--head_model", help="morphable head (default: the built-in)")
    options = parser.parse_args(argv)
    picture = sheet(*faces(SEEDS, options.head_model))
    # Steps of four values do not show, and noise does not compress otherwise.
    stepped = np.clip(picture.astype(int) + 2, 0, 255) // 4 * 4
    stepped = np.where(picture == 255, 255, stepped).astype(np.uint8)
    if not cv2.imwrite(
        options.output, stepped[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9]
    ):
        raise EthosError(f"{options.output}: cannot be written")
    print(f"Wrote {options.output}: {picture.shape[1]} x {picture.shape[0]} pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
