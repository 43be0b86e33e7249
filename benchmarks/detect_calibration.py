"""Fits the maps from detectors' boxes to the face box (ethos_model/footage/finder.py).

    python -m benchmarks.detect_calibration CORPUS_DIR [--yunet FILE.onnx]

CORPUS_DIR holds npz videos with landmarks. Of every video the first and the last frame
are searched; the detection that overlaps the landmarks' box most is its pair. Shift and
scale are fitted by least squares in units of the detector's box, on the people of the
first half of the alphabet, and judged (median IoU with the landmarks' box) on the
others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from ethos_data.corpora import npz_video
from ethos_data.errors import cli
from ethos_data.topology import face_box, iou
from ethos_model.footage import finder


def pairs(
    detector: finder.MtcnnDetector | finder.YunetDetector,
    corpus_dir: str,
    max_videos: int | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Raw boxes (N, 4), face boxes (N, 4), whether to fit (N,), and frames searched."""
    raw, true, to_fit, frames = [], [], [], 0
    videos = npz_video.list_videos(corpus_dir)[:max_videos]
    people = sorted({path.rsplit("/", 1)[-1].rsplit("_", 1)[0] for path in videos})
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
    """Least squares of centre and size, each in units of the detector's box.

    With one constant for each coordinate the least-squares answer is the mean.
    """
    extent = raw[:, 2:] - raw[:, :2]
    shift = ((true[:, 2:] + true[:, :2]) - (raw[:, 2:] + raw[:, :2])) / 2 / extent
    scale = (true[:, 2:] - true[:, :2]) / extent
    values = np.concatenate([shift.mean(axis=0), scale.mean(axis=0)])
    return finder.BoxMap(*(round(float(v), 3) for v in values))


def run(corpus_dir: str, *, yunet: str | None, max_videos: int | None) -> None:
    """Prints the fitted map and the overlap before and after for each detector."""
    detectors: list[finder.MtcnnDetector | finder.YunetDetector] = []
    if yunet is not None:
        detectors.append(finder.YunetDetector(yunet))
    detectors.append(finder.MtcnnDetector())
    for detector in detectors:
        raw, true, to_fit, frames = pairs(detector, corpus_dir, max_videos)
        box_map = fit(raw[to_fit], true[to_fit])
        before = iou(raw, true)[~to_fit]
        after = iou(box_map.to_face_box(raw), true)[~to_fit]
        print(f"{detector.name}: found {len(raw)} of {frames} faces; {box_map}")
        for name, values in (("before", before), ("after", after)):
            median, low = np.median(values), np.percentile(values, 5)
            print(f"  IoU {name}: median {median:.3f}, 5th percentile {low:.3f}")


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus_dir")
    parser.add_argument("--yunet", help="YuNet .onnx file to fit as well")
    parser.add_argument("--max_videos", type=int)
    args = parser.parse_args(argv)
    run(args.corpus_dir, yunet=args.yunet, max_videos=args.max_videos)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
