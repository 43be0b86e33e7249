"""Fits the maps from the boxes of detectors to the face box.

    python -m benchmarks.detect_calibration CORPUS [--yunet FILE.onnx]

CORPUS contains npz videos with landmarks. The first and the last frame of each video
are searched. The detection that overlaps the box of the landmarks most is its pair. The
shift and the scale are fitted by least squares in units of the detector's box, on the
people of the first half of the alphabet. The overlap with the box of the landmarks is
measured on the other people. The maps are constants in
`ethos_model/footage/detectors.py`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence

import numpy as np

from benchmarks import measure
from ethos_data import options
from ethos_data.corpora import npz_video
from ethos_data.errors import cli
from ethos_data.topology import face_box, iou
from ethos_model.footage.detectors import YUNET, BoxMap, Detector, make_detector
from ethos_model.footage.preprocessing import searched_image
from ethos_model.footage.regions import overview

MIN_OVERLAP = 0.2
"""IoU from which a detection is taken to be the labelled face."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    corpus_dir: str = options.required(
        "Directory with npz videos", positional=True, metavar="CORPUS"
    )
    yunet: str | None = options.option(
        None, "YuNet .onnx file whose map is fitted as well", metavar="FILE"
    )
    max_videos: int | None = options.option(None, "Maximum number of videos", minimum=2)
    output: str = measure.output_option("detect_calibration")


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Boxes of a detector and the boxes of the labels.

    Attributes:
      raw: float64 (N, 4), boxes of the detector, in source pixels.
      faces: float64 (N, 4), boxes of the landmarks, in source pixels.
      fitted: bool (N,), whether the person belongs to those that are used to fit.
      frames: Number of searched frames.
    """

    raw: np.ndarray
    faces: np.ndarray
    fitted: np.ndarray
    frames: int


def pairs(detector: Detector, corpus_dir: str, max_videos: int | None) -> Pairs:
    """Searches the corpus, each frame as the finder does but at full size only."""
    raw, faces, fitted, frames = [], [], [], 0
    videos = npz_video.list_videos(corpus_dir)[:max_videos]
    people = sorted({path.rsplit("/", 1)[-1].rsplit("_", 1)[0] for path in videos})
    first_half = set(people[: len(people) // 2])
    for path in videos:
        video = npz_video.read_video(path)
        for index in sorted({0, len(video.frames) - 1}):
            frames += 1
            frame = video.frames[index]
            region = overview(*frame.shape[:2])[0]
            boxes, _ = detector.detect(searched_image(frame, region))
            boxes = (boxes + 0.5) / region.scale - 0.5
            face = face_box(video.landmarks[index])
            overlaps = iou(boxes, face) if len(boxes) else np.zeros(1)
            if overlaps.max() > MIN_OVERLAP:
                raw.append(boxes[overlaps.argmax()])
                faces.append(face)
                fitted.append(video.person_id in first_half)
    return Pairs(np.array(raw), np.array(faces), np.array(fitted), frames)


def fit(raw: np.ndarray, faces: np.ndarray) -> BoxMap:
    """Fits centre and size by least squares, in units of the detector's box.

    There is one constant for each coordinate, so the solution is the mean.
    """
    extent = raw[:, 2:] - raw[:, :2]
    shift = ((faces[:, 2:] + faces[:, :2]) - (raw[:, 2:] + raw[:, :2])) / 2 / extent
    scale = (faces[:, 2:] - faces[:, :2]) / extent
    values = np.concatenate([shift.mean(axis=0), scale.mean(axis=0)])
    return BoxMap(*(round(float(value), 3) for value in values))


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Fits the maps, prints them and writes the result."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    figures, baseline = {}, {}
    for spec in (YUNET, chosen.yunet):
        if spec is None:
            continue
        detector = make_detector(spec)
        found = pairs(detector, chosen.corpus_dir, chosen.max_videos)
        box_map = fit(found.raw[found.fitted], found.faces[found.fitted])
        print(f"{detector.name}: {box_map}", flush=True)
        raw, faces = found.raw[~found.fitted], found.faces[~found.fitted]
        before, after = iou(raw, faces), iou(box_map.to_face_box(raw), faces)
        figures[detector.name] = {
            "faces found": len(found.raw),
            "frames": found.frames,
            "median IoU": round(float(np.median(after)), 3),
            "5th percentile": round(float(np.percentile(after, 5)), 3),
        }
        baseline[detector.name] = {
            "median IoU before": round(float(np.median(before)), 3),
            "5th percentile before": round(float(np.percentile(before, 5)), 3),
        }
    measure.save(
        "detect_calibration",
        chosen,
        what="Overlap (IoU) of detected boxes with the box of the landmarks, before "
        "and after the fitted map. The map is fitted on half of the people and "
        "measured on the others.",
        figures=figures,
        baseline=baseline,
    )
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the flags of this benchmark."""
    return measure.make_parser("detect_calibration", __doc__, Options)


if __name__ == "__main__":
    sys.exit(main())
