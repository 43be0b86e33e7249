"""Measures landmark errors under colour casts: lamps, shade, grey and night vision.

    python -m benchmarks.colours --data_dir DATA

`ethos-evaluate` does not change colours. Here each input image gets a colour cast and
is rounded to whole values, as in a camera. A colour cast should change neither the
landmarks nor the difference between the restored image and the luma of the input.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from benchmarks import measure
from ethos_data import options, progress
from ethos_data.errors import cli
from ethos_model import evaluate, metrics
from ethos_model.evaluation import samples
from ethos_model.evaluation.conditions import CLEAN
from ethos_model.evaluation.degraded import DegradedBatch
from ethos_model.evaluation.gather import BATCH, EvaluatedModel
from ethos_model.evaluation.scores import grey


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    data_dir: str = options.required(
        "Directory of the data set that ethos-convert wrote", metavar="DIR"
    )
    split: str = options.option("test", "Split of the data set")
    limit: int | None = options.option(
        None,
        "Maximum number of frames, evenly spread over the split; all frames if it is "
        "not given",
        minimum=1,
    )
    model: str | None = options.option(
        None,
        "Directory of an exported model; the model that is part of ETHOS if it is not "
        "given",
        metavar="DIR",
    )
    baseline_model: str | None = options.option(
        None, "Directory of another exported model to compare with", metavar="DIR"
    )
    output: str = measure.output_option("colours")


def _luma(images: np.ndarray) -> np.ndarray:
    """Luma from 0 to 255: (N, S, S, 3) to (N, S, S, 1)."""
    return 255 * grey(images)[..., None]


def _gains(*gains: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: images * np.array(gains, np.float32)


CASTS: Final[dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    "as recorded": lambda images: images,
    "black and white": lambda images: np.repeat(_luma(images), 3, axis=-1),
    "twice the colour": lambda images: 2 * images - _luma(images),
    "yellow lamp": _gains(1.15, 1.0, 0.7),
    "blue shade": _gains(0.8, 1.0, 1.2),
    "green fluorescent light": _gains(0.85, 1.1, 0.85),
    "night vision": lambda images: _gains(0.3, 1.0, 0.4)(_luma(images)),
}
"""Functions from float32 (N, S, S, 3) in 0 to 255 to the same shape. The result may
exceed the range."""


def evaluate_casts(
    model: EvaluatedModel, faces: Sequence[samples.Sample], suffix: str
) -> dict[str, dict[str, float]]:
    """Mean NME_box and PSNR under each cast.

    Args:
      model: The model.
      faces: Samples of a split.
      suffix: Text that is appended to the names of the columns.

    Returns:
      For each cast, NME_box in %, and PSNR in dB of the restored image against the luma
      of the input.
    """
    errors: dict[str, list[np.ndarray]] = {name: [] for name in CASTS}
    psnr: dict[str, list[np.ndarray]] = {name: [] for name in CASTS}
    with progress.bar(len(faces), "frames") as bar:
        for start in range(0, len(faces), BATCH):
            batch = faces[start : start + BATCH]
            clean = DegradedBatch(CLEAN, batch, seed=0, number=start)
            truth = clean.truth(model.depth_size)
            images = clean.images(model.image_size).astype(np.float32)
            for name, cast in CASTS.items():
                tinted = np.clip(np.rint(cast(images)), 0, 255).astype(np.uint8)
                outputs = model.predict(tinted)
                nme = metrics.nme_box(
                    outputs["landmarks"], truth.landmarks, truth.known
                )
                errors[name].append(nme)
                restored = outputs["restored"][..., 0]
                psnr[name].append(metrics.psnr(restored, grey(tinted)))
            bar.update(len(batch))
    return {
        name: {
            f"NME_box %{suffix}": round(float(np.concatenate(errors[name]).mean()), 2),
            f"restored PSNR dB{suffix}": round(
                float(np.concatenate(psnr[name]).mean()), 1
            ),
        }
        for name in CASTS
    }


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("colours", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    samples.count(chosen.data_dir, chosen.split)
    model = evaluate.load(chosen.model, "litert", None)
    split = (chosen.data_dir, chosen.split)
    faces = list(samples.read_samples(*split, limit=chosen.limit))
    figures = evaluate_casts(model, faces, "")
    baseline: measure.Figures = {}
    if chosen.baseline_model is not None:
        other = evaluate.load(chosen.baseline_model, "litert", None)
        baseline = evaluate_casts(other, faces, ", previous model")
    measure.save(
        "colours",
        chosen,
        what=f"Colour casts on {len(faces)} frames of the {chosen.split} split. "
        "NME_box, and PSNR of the restored image against the luma of the input, which "
        "a colour cast should not change.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
