"""Measures detector and model together on whole frames of a corpus.

    python -m benchmarks.whole_frames --corpus_dir CORPUS --data_dir DATA

`ethos-evaluate` cuts windows from the true landmarks and degrades the stored crop. This
benchmark degrades whole frames of the corpus. It predicts with the box of the true
landmarks and with that of a detector, which searches the degraded frame. The first
column shows that the stored crop can replace its frame, the second is the accuracy of
the viewer. The frames are those of a split of the converted corpus, so the people are
not in the training split. If a frame shows several faces, the detection that overlaps
most with the true face counts.
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
from ethos_data import options, progress, topology
from ethos_data.corpora import npz_video
from ethos_data.degrade import source
from ethos_data.errors import cli
from ethos_model import metrics
from ethos_model.evaluation import samples
from ethos_model.evaluation.bootstrap import mean_interval
from ethos_model.evaluation.report.tables import label
from ethos_model.footage import finder
from ethos_model.predict import FacePredictor


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    corpus_dir: str = options.required("Directory with npz videos", metavar="DIR")
    data_dir: str = options.required(
        "Directory of the same corpus, converted by ethos-convert", metavar="DIR"
    )
    model: str | None = options.option(
        None,
        "Directory of an exported model; the model that is part of ETHOS if it is not "
        "given",
        metavar="DIR",
    )
    split: str = options.option("test", "Split of the data set")
    detector: str = options.option("mtcnn", "mtcnn, or ONNX file of YuNet")
    limit: int | None = options.option(None, "Maximum number of frames", minimum=1)
    output: str = measure.output_option("whole_frames")


def detected_box(
    detector: finder.Detector, frame: np.ndarray, true: np.ndarray
) -> np.ndarray | None:
    """The detection that overlaps most with the true face box; None below 0.3."""
    boxes = np.array([detection.box for detection in detector.detect(frame)])
    if not len(boxes):
        return None
    overlaps = topology.iou(boxes, true)
    return boxes[overlaps.argmax()] if overlaps.max() > 0.3 else None


def measure_errors(
    chosen: Options,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Predicts every frame with the true box and with the detected box.

    Args:
      chosen: The options.

    Returns:
      For each condition, NME_box in % with the true box and with the detected box,
      (N, 2), NaN where no face is found; and the person in each frame.
    """
    paths = {pathlib.Path(p).stem: p for p in npz_video.list_videos(chosen.corpus_dir)}
    predictor = FacePredictor(chosen.model)
    detector = finder.make_detector(chosen.detector)
    conditions = {"clean": lambda frame, seed: frame} | source.CONDITIONS
    errors: dict[str, list[list[float]]] = {name: [] for name in conditions}
    people = []
    total = samples.count(chosen.data_dir, chosen.split, limit=chosen.limit)
    with progress.bar(total, "frames") as bar:
        for sample in samples.read_samples(
            chosen.data_dir, chosen.split, limit=chosen.limit
        ):
            video = npz_video.read_video(paths[sample.video_id])
            frame, true = video.frames[sample.frame], video.landmarks[sample.frame]
            true_box = topology.face_box(true)
            people.append(sample.person_id)
            seed = zlib.crc32(f"{sample.video_id}/{sample.frame}".encode())
            for name, degrade in conditions.items():
                degraded = degrade(frame, seed)
                row = []
                for box in (true_box, detected_box(detector, degraded, true_box)):
                    nme = np.nan
                    if box is not None:
                        face = predictor.predict(degraded, [box])[0]
                        nme = float(metrics.nme_box(face.landmarks, true))
                    row.append(nme)
                errors[name].append(row)
            bar.update()
    return {name: np.array(rows) for name, rows in errors.items()}, people


def _column(
    errors: np.ndarray, people: Sequence[str], suffix: str
) -> dict[str, float | str]:
    low, high = mean_interval(errors, people)
    return {
        f"NME_box %, {suffix} box": round(float(np.nanmean(errors)), 2),
        f"95 % interval, {suffix} box": f"{low:.2f} to {high:.2f}",
    }


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("whole_frames", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    errors, people = measure_errors(chosen)
    figures, baseline = {}, {}
    for name, values in errors.items():
        found = 100 * np.isfinite(values[:, 1]).mean()
        figures[label(name)] = _column(values[:, 1], people, "detected") | {
            "faces found %": round(float(found), 1)
        }
        baseline[label(name)] = _column(values[:, 0], people, "true")
    measure.save(
        "whole_frames",
        chosen,
        what=f"Detector and model on whole frames: {len(people)} frames of "
        f"{len(set(people))} people, {chosen.split} split, degraded before the "
        f"detector {pathlib.Path(chosen.detector).stem} searches them.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
