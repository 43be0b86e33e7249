"""Point errors under casts of colour: lamps, shade, black and white, night vision.

    python -m benchmarks.colours --data_dir DATA [--model MODEL] [--split test]

`ethos-evaluate` leaves colour alone, and its columns with it comparable. Here every
window is tinted, then kept in whole values as a camera would. NME_box in %, and by how
much the restored image is off the grey of what came in, which colour should not change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from ethos_data.errors import cli
from ethos_model import evaluate, metrics
from ethos_model.evaluation import samples
from ethos_model.evaluation.conditions import CLEAN
from ethos_model.evaluation.degraded import DegradedBatch
from ethos_model.evaluation.gather import BATCH
from ethos_model.evaluation.scores import grey


def _grey(images: np.ndarray) -> np.ndarray:
    """(N, S, S, 3) to (N, S, S, 1), both in 0..255."""
    return 255 * grey(images)[..., None]


def _gains(*gains: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: images * np.array(gains, np.float32)


CASTS: Final[dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    "as it is": lambda images: images,
    "black and white": lambda images: np.repeat(_grey(images), 3, axis=-1),
    "twice the colour": lambda images: 2 * images - _grey(images),
    "a lamp's yellow": _gains(1.15, 1.0, 0.7),
    "shade's blue": _gains(0.8, 1.0, 1.2),
    "fluorescent green": _gains(0.85, 1.1, 0.85),
    "night vision": lambda images: _gains(0.3, 1.0, 0.4)(_grey(images)),
}
"""Float (N, S, S, 3) in 0..255 to the same, which may leave the range."""


def run(data_dir: str, model: str | None, split: str) -> list[str]:
    """The rows of the table."""
    network = evaluate.load(model, "litert", None)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    everything = list(samples.read_samples(data_dir, split))
    for start in range(0, len(everything), BATCH):
        shown = DegradedBatch(
            CLEAN, everything[start : start + BATCH], seed=0, number=start
        )
        truth = shown.truth(network.depth_size)
        images = shown.images(network.image_size).astype(np.float32)
        for name, cast in CASTS.items():
            worse = np.clip(np.rint(cast(images)), 0, 255).astype(np.uint8)
            outputs = network.predict(worse)
            error = metrics.nme_box(outputs["landmarks"], truth.landmarks)
            nearness = metrics.psnr(outputs["restored"][..., 0], grey(worse))
            found.setdefault(name, []).append((error, nearness))
    count = len(everything)
    rows = [
        f"| {count} frames | NME_box, % | restored, dB from its own grey |",
        "| --- | ---: | ---: |",
    ]
    for name, parts in found.items():
        errors, nearness = (np.concatenate(part) for part in zip(*parts, strict=True))
        rows.append(f"| {name} | {errors.mean():.2f} | {nearness.mean():.1f} |")
    return rows


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--model", default=None, help="none = the one that ships")
    parser.add_argument("--split", default="test")
    flags = parser.parse_args(argv)
    print("\n".join(run(flags.data_dir, flags.model, flags.split)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
