"""Which uncertainty the landmark network states for faces and for other things.

    python -m benchmarks.certainty --corpus CORPUS

The limits of the finder (`max_uncertainty`) and of the tracker (`lost_uncertainty`)
separate the two. Without a corpus, rendered people are used. Squares without a face
have the size of the frame's face and a random position. Turned frames show how well
faces on their side and upside down are found and read.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import finding, labelled_frames, measure
from benchmarks.labelled_frames import Sample
from ethos_data import options, topology
from ethos_data.errors import cli
from ethos_data.progress import bar
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.tracker import TrackerOptions
from ethos_model.predict import FacePredictor

SMALL_FACE: Final = 24.0
"""Face size of hard faces, in pixels. They also have a JPEG quality of 12."""

SQUARES: Final = 3
"""Number of squares per frame. Those that touch the face are left out."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    corpus: str | None = labelled_frames.corpus_option()
    split: str = labelled_frames.split_option()
    frames: int = options.option(100, "Maximum number of frames", minimum=1)
    model: str | None = options.option(
        None, "Directory of an exported model; without it, the shipped model"
    )
    previous: str | None = options.option(
        None, "Result of another model to compare with", metavar="FILE"
    )
    output: str = measure.output_option("certainty")


def relative_sigma(
    predictor: FacePredictor, frame: np.ndarray, box: np.ndarray
) -> float:
    """Median stated uncertainty of the landmarks in a box, divided by their size."""
    (face,) = predictor.predict(frame, [box])
    size = float(topology.face_size(topology.face_box(face.landmarks)))
    return float(np.median(face.uncertainty)) / max(size, 1e-6)


def hard(sample: Sample) -> Sample:
    """Reduces a frame until its face is small, and compresses it."""
    scale = SMALL_FACE / float(topology.face_size(sample.boxes[0]))
    small = cv2.resize(
        sample.frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    frame = finding.jpeg(12)(small, 0)
    # The edges of pixels, not their centres, are scaled.
    return Sample(sample.name, frame, (sample.boxes + 0.5) * scale - 0.5)


def squares(sample: Sample) -> list[np.ndarray]:
    """Random boxes of the size of the face that do not touch it, each (4,)."""
    rng = np.random.default_rng(sample.seed)
    height, width = sample.frame.shape[:2]
    half = (sample.boxes[0, 2:] - sample.boxes[0, :2]) / 2
    centers = rng.uniform((0, 0), (width, height), (SQUARES, 2))
    boxes = np.concatenate([centers - half, centers + half], axis=1)
    return [box for box in boxes if topology.iou(box, sample.boxes[0]) < 0.02]


def certainty_row(values: Sequence[float]) -> dict[str, float]:
    """A row of the table for the relative uncertainties of some boxes."""
    sigmas = np.array(values)
    limit = TrackerOptions().lost_uncertainty
    return {
        "boxes": len(sigmas),
        "sigma, median %": round(100 * float(np.median(sigmas)), 1),
        "sigma, 2nd percentile %": round(100 * float(np.quantile(sigmas, 0.02)), 1),
        "sigma, 98th percentile %": round(100 * float(np.quantile(sigmas, 0.98)), 1),
        "below the tracker's limit %": round(100 * float((sigmas < limit).mean()), 1),
    }


def turned(sample: Sample, turns: int) -> Sample:
    """Turns a frame by quarter turns to the left."""
    height, width = sample.frame.shape[:2]
    frame = np.ascontiguousarray(np.rot90(sample.frame, turns))
    right, bottom = width - 1, height - 1
    x0, y0, x1, y1 = sample.boxes.T
    sides = (
        (x0, y0, x1, y1),
        (y0, right - x1, y1, right - x0),
        (right - x1, bottom - y1, right - x0, bottom - y0),
        (bottom - y1, x0, bottom - y0, x1),
    )[turns]
    return Sample(sample.name, frame, np.stack(sides, axis=1))


def turned_row(
    predictor: FacePredictor, finder: FaceFinder, samples: Sequence[Sample], turns: int
) -> dict[str, float]:
    """A row of the table for frames that are turned."""
    counts = np.zeros(2, int)  # faces that were found, other detections
    overlaps = []
    for sample in samples:
        other = turned(sample, turns)
        hits = [
            topology.iou(d.box, other.boxes[0]) > finding.MIN_OVERLAP
            for d in finder.find(other.frame)
        ]
        counts += (any(hits), len(hits) - sum(hits))
        (face,) = predictor.predict(other.frame, [other.boxes[0]])
        box = topology.face_box(face.landmarks).astype(np.float64)
        overlaps.append(float(topology.iou(box, other.boxes[0])))
    return {
        "frames": len(samples),
        "found %": round(100 * float(counts[0]) / len(samples), 1),
        "other detections per frame": round(float(counts[1]) / len(samples), 3),
        "overlap of landmarks and label": round(float(np.mean(overlaps)), 3),
    }


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return measure.make_parser("certainty", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    samples = labelled_frames.samples(chosen.corpus, chosen.split, chosen.frames)
    predictor = FacePredictor(chosen.model)
    finder = FaceFinder(predictor=predictor)
    kinds: dict[str, Callable[[Sample], list[tuple[np.ndarray, np.ndarray]]]] = {
        "faces": lambda s: [(s.frame, s.boxes[0])],
        "faces of 24 px, JPEG quality 12": lambda s: [
            (h.frame, h.boxes[0]) for h in [hard(s)]
        ],
        "squares without a face": lambda s: [(s.frame, box) for box in squares(s)],
    }
    figures = {}
    with bar(len(kinds) + 4, "rows") as progress:
        for name, boxes_of in kinds.items():
            values = [
                relative_sigma(predictor, frame, box)
                for sample in samples
                for frame, box in boxes_of(sample)
            ]
            figures[name] = certainty_row(values)
            progress.update()
        for turns in range(4):
            name = f"frames turned by {90 * turns}°"
            figures[name] = turned_row(predictor, finder, samples, turns)
            progress.update()
    baseline = {}
    if chosen.previous is not None:
        before = measure.load(chosen.previous).figures
        baseline = {f"{name}, before": row for name, row in before.items()}
    kind = "rendered people" if chosen.corpus is None else f"{chosen.split} people"
    measure.save(
        "certainty",
        chosen,
        what=f"Uncertainty that the network states in boxes of {kind}, median over the "
        "landmarks in % of the face size, and faces found in turned frames (overlap: "
        "IoU of the box of the predicted landmarks in the true box with that box).",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
