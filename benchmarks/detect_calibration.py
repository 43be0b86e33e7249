"""Fits the maps from the boxes of detectors to the face box.

    python -m benchmarks.detect_calibration CORPUS_DIR --yunet FILE.onnx

The first and the last frame of every video are searched. The detection that overlaps
most with the box of the landmarks is paired with it. Shift and scale are fitted by
least squares, in units of the detector's box, on the people of the first half of the
alphabet, and measured on the other people. Copy them to ethos_model/footage.
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
from ethos_data.corpora.video import person_id_of, video_id_of
from ethos_data.errors import EthosError, cli
from ethos_data.topology import face_box, iou
from ethos_model.footage import finder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    corpus_dir: str = options.required(
        "Directory with npz videos that have landmarks", positional=True, metavar="DIR"
    )
    yunet: str | None = options.option(
        None, "ONNX file of YuNet, which is fitted too", metavar="FILE"
    )
    max_videos: int | None = options.option(None, "Maximum number of videos", minimum=1)
    output: str = measure.output_option("detect_calibration")


def pairs(
    detector: finder.MtcnnDetector | finder.YunetDetector,
    corpus_dir: str,
    max_videos: int | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Pairs of detected boxes and face boxes.

    Args:
      detector: The detector.
      corpus_dir: Directory with npz videos.
      max_videos: Maximum number of videos; None for all.

    Returns:
      Detected boxes (N, 4) and face boxes (N, 4) in source pixels, whether each pair is
      used for the fit (N,), and the number of frames that were searched.
    """
    raw, true, to_fit, frames = [], [], [], 0
    videos = npz_video.list_videos(corpus_dir)[:max_videos]
    people = sorted({person_id_of(video_id_of(path)) for path in videos})
    if len(people) < 2:
        raise EthosError(f"{corpus_dir}: the videos must show at least two people")
    fitted_on = set(people[: len(people) // 2])
    for path in videos:
        video = npz_video.read_video(path)
        for index in sorted({0, len(video.frames) - 1}):
            frames += 1
            boxes, _ = detector.raw(video.frames[index])
            face = face_box(video.landmarks[index])
            overlaps = iou(boxes, face) if len(boxes) else np.zeros(1)
            if overlaps.max() > 0.2:
                raw.append(boxes[overlaps.argmax()])
                true.append(face)
                to_fit.append(video.person_id in fitted_on)
    return np.array(raw), np.array(true), np.array(to_fit), frames


def fit(raw: np.ndarray, true: np.ndarray) -> finder.BoxMap:
    """Least-squares fit of centre and size, each in units of the detector's box.

    Each of them has one constant per coordinate, so the solution is the mean.

    Args:
      raw: (N, 4), detected boxes, source pixels.
      true: (N, 4), face boxes, source pixels.
    """
    extent = raw[:, 2:] - raw[:, :2]
    shift = ((true[:, 2:] + true[:, :2]) - (raw[:, 2:] + raw[:, :2])) / 2 / extent
    scale = (true[:, 2:] - true[:, :2]) / extent
    values = np.concatenate([shift.mean(axis=0), scale.mean(axis=0)])
    return finder.BoxMap(*(round(float(v), 3) for v in values))


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("detect_calibration", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    detectors: list[finder.MtcnnDetector | finder.YunetDetector] = []
    if chosen.yunet is not None:
        detectors.append(finder.YunetDetector(chosen.yunet))
    detectors.append(finder.MtcnnDetector())
    figures, baseline = {}, {}
    for detector in detectors:
        raw, true, to_fit, frames = pairs(
            detector, chosen.corpus_dir, chosen.max_videos
        )
        box_map = fit(raw[to_fit], true[to_fit])
        before = iou(raw, true)[~to_fit]
        after = iou(box_map.to_face_box(raw), true)[~to_fit]
        figures[detector.name] = {
            f"found, of {frames:,}": len(raw),
            "median IoU": round(float(np.median(after)), 2),
            "5th percentile": round(float(np.percentile(after, 5)), 2),
        }
        baseline[detector.name] = {
            "median IoU before": round(float(np.median(before)), 2),
            "5th percentile before": round(float(np.percentile(before, 5)), 2),
        }
        print(f"{detector.name}: {box_map}")
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


if __name__ == "__main__":
    sys.exit(main())
