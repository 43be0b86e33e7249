"""Measures the finder and the model together on whole frames.

    python -m benchmarks.whole_frames CORPUS DATA [--split validation] [--limit 200]

CORPUS contains npz videos, DATA is the same corpus converted. `ethos-evaluate` cuts
windows from the true landmarks and degrades the stored crop. This benchmark degrades
the frames of the corpus as a whole. The model then predicts twice: with the box of the
true landmarks, and with the box that the finder finds in the degraded frame. The first
shows that a stored crop represents its frame. The second is what a viewer gets. If a
frame shows several faces, the detection that overlaps the true box most counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
import zlib
from collections.abc import Sequence

import numpy as np

from benchmarks import measure
from ethos_data import options, topology
from ethos_data.corpora import npz_video
from ethos_data.degrade import source
from ethos_data.errors import cli
from ethos_model import metrics
from ethos_model.evaluation import samples
from ethos_model.evaluation.bootstrap import mean_interval
from ethos_model.footage.finder import FaceFinder
from ethos_model.predict import FacePredictor

MIN_OVERLAP = 0.3
"""IoU from which a detection is taken to be the labelled face."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    corpus_dir: str = options.required(
        "Directory with npz videos", positional=True, metavar="CORPUS"
    )
    data_dir: str = options.required(
        "Directory of the same corpus, converted", positional=True, metavar="DATA"
    )
    model: str | None = options.option(
        None, "Directory of an exported model; the included one if it is not given"
    )
    split: str = options.option("test", "Split whose frames are measured")
    detector: str = options.option(
        "yunet", 'Face detector: "yunet", or a YuNet .onnx file'
    )
    limit: int | None = options.option(None, "Maximum number of frames", minimum=1)
    output: str = measure.output_option("whole_frames")


def best_box(
    finder: FaceFinder, frame: np.ndarray, face: np.ndarray
) -> np.ndarray | None:
    """The detected box that overlaps `face` (4,) most, or None if none is near."""
    boxes = [detection.box for detection in finder.find(frame)]
    best = max(boxes, key=lambda box: topology.iou(box, face), default=None)
    if best is None or topology.iou(best, face) <= MIN_OVERLAP:
        return None
    return best


def run(chosen: Options) -> tuple[dict[str, np.ndarray], list[str]]:
    """Measures all conditions.

    Returns:
      For each condition, NME_box in % with the true and with the detected box, float64
      (N, 2), NaN for a face that is not found. Then the person of each frame.
    """
    videos = npz_video.list_videos(chosen.corpus_dir)
    paths = {pathlib.Path(path).stem: path for path in videos}
    predictor = FacePredictor(chosen.model)
    finder = FaceFinder(chosen.detector, predictor=predictor)
    conditions = {"clean": lambda frame, seed: frame} | source.CONDITIONS
    errors: dict[str, list[list[float]]] = {name: [] for name in conditions}
    people = []
    for sample in samples.read_samples(
        chosen.data_dir, chosen.split, limit=chosen.limit
    ):
        video = npz_video.read_video(paths[sample.video_id])
        frame, landmarks = video.frames[sample.frame], video.landmarks[sample.frame]
        face = topology.face_box(landmarks)
        people.append(sample.person_id)
        seed = zlib.crc32(f"{sample.video_id}/{sample.frame}".encode())
        for name, degrade in conditions.items():
            degraded = degrade(frame, seed)
            row = []
            for box in (face, best_box(finder, degraded, face)):
                if box is None:
                    row.append(float("nan"))
                    continue
                (predicted,) = predictor.predict(degraded, [box])
                row.append(float(metrics.nme_box(predicted.landmarks, landmarks)))
            errors[name].append(row)
    return {name: np.array(rows) for name, rows in errors.items()}, people


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("whole_frames", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and writes the result."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    errors, people = run(chosen)
    figures: dict[str, dict[str, float | str]] = {}
    baseline: dict[str, dict[str, float | str]] = {}
    for name, values in errors.items():
        for column, box, cells in ((1, "detected", figures), (0, "true", baseline)):
            low, high = mean_interval(values[:, column], people)
            cells[name] = {
                f"NME_box %, {box} box": round(float(np.nanmean(values[:, column])), 2),
                f"95 % interval, {box} box": f"{low:.2f} to {high:.2f}",
            }
        found = np.isfinite(values[:, 1]).mean()
        figures[name]["faces found %"] = round(100 * float(found), 1)
    measure.save(
        "whole_frames",
        chosen,
        what=f"Finder and model on {len(people)} whole frames of {len(set(people))} "
        f"people, split {chosen.split}, degraded before the finder searches them.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
