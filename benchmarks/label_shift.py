"""Measures the horizontal offset of a corpus' labels with a detector's five points.

    python -m benchmarks.label_shift CORPUS_DIR --yunet yunet_n_640_640.onnx

The mean of what a detector finds in a frame and in its mirror image prefers neither
side, whatever the detector was trained on and wherever the origin of its pixels is. On
the first frame of each video, its five points are compared with those of the labels:
the eyes (means of six landmarks), the tip of the nose and the corners of the mouth. The
vertical offset cannot be measured in this way, because the detector does not find faces
that are upside down.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import measure
from ethos_data import options, progress, topology
from ethos_data.corpora import npz_video
from ethos_data.errors import EthosError, cli
from ethos_model.footage.detectors import OpenCVDetector

NAMES: Final = ("right eye", "left eye", "nose", "right corner", "left corner")
"""Names of the five points, in the detector's order."""

_MIRRORED: Final = [1, 0, 2, 4, 3]
_RIGHT_EYE, _LEFT_EYE = topology.GROUPS["right_eye"], topology.GROUPS["left_eye"]
_NOSE_TIP, _RIGHT_CORNER, _LEFT_CORNER = 30, 48, 54

_SAME_FACE: Final = 0.15
"""Largest mean distance along an axis, in face sizes, between the labels and a detected
face that counts as the same face."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    corpus_dir: str = options.required(
        "Directory with npz videos that have landmarks", positional=True, metavar="DIR"
    )
    yunet: str = options.required("ONNX file of the YuNet detector", metavar="FILE")
    max_videos: int | None = options.option(
        None, "Maximum number of videos, evenly spread over the corpus", minimum=1
    )
    output: str = measure.output_option("label_shift")


def five_points(labels: np.ndarray) -> np.ndarray:
    """The detector's five points of 68 landmarks.

    Args:
      labels: (68, 2) or (68, 3).

    Returns:
      (5, 2), in the order of `NAMES`.
    """
    xy = labels[:, :2]
    eyes = [xy[list(eye)].mean(axis=0) for eye in (_RIGHT_EYE, _LEFT_EYE)]
    return np.stack([*eyes, xy[_NOSE_TIP], xy[_RIGHT_CORNER], xy[_LEFT_CORNER]])


def unbiased_points(
    detector: OpenCVDetector,
    frame: np.ndarray,
    expected: np.ndarray,
    max_distance: float,
) -> np.ndarray | None:
    """The mean of the points that are found in a frame and in its mirror image.

    Args:
      detector: The detector.
      frame: uint8 (H, W, 3), RGB.
      expected: (5, 2), approximate positions, source pixels.
      max_distance: Largest mean distance along an axis from the expected positions, in
        source pixels.

    Returns:
      (5, 2), source pixels. None if the face is not found in both images.
    """
    results = []
    for mirrored in (False, True):
        image = frame[:, ::-1] if mirrored else frame
        points = detector.points(np.ascontiguousarray(image))
        if mirrored:
            points = points[:, _MIRRORED]
            points[..., 0] = frame.shape[1] - 1 - points[..., 0]
        distance = np.abs(points - expected).mean(axis=(1, 2))
        if not len(distance) or distance.min() > max_distance:
            return None
        results.append(points[distance.argmin()])
    return np.mean(results, axis=0)


def measure_corpus(chosen: Options) -> tuple[np.ndarray, np.ndarray]:
    """Compares the labels with the detector.

    Args:
      chosen: The options.

    Returns:
      (N, 5), offsets of the labels to the right, and (N,), face sizes, in source
      pixels.
    """
    cv2.setNumThreads(1)
    detector = OpenCVDetector(chosen.yunet)
    paths = npz_video.list_videos(chosen.corpus_dir)
    if not paths:
        raise EthosError(f"{chosen.corpus_dir}: contains no npz files")
    step = -(-len(paths) // (chosen.max_videos or len(paths)))
    shifts, sizes = [], []
    with progress.bar(len(paths[::step]), "videos") as bar:
        for path in paths[::step]:
            video = npz_video.read_video(path, max_frames=1)
            labels, frame = video.landmarks[0], video.frames[0]
            size = float(topology.face_size(topology.face_box(labels)))
            expected = five_points(labels)
            points = unbiased_points(detector, frame, expected, _SAME_FACE * size)
            if points is not None:
                shifts.append((expected - points)[:, 0])
                sizes.append(size)
            bar.update()
    if not shifts:
        raise EthosError(f"{chosen.corpus_dir}: YuNet finds no labelled face")
    return np.array(shifts), np.array(sizes)


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("label_shift", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    shift, size = measure_corpus(chosen)
    percent = 100 * shift / size[:, None]
    mean = percent.mean(axis=1)
    # Splits the offset into a constant number of pixels and a share of the face size.
    terms = np.stack([np.ones_like(size), size], axis=1)
    pixels, share = np.linalg.lstsq(terms, shift.mean(axis=1), rcond=None)[0]
    rows = {
        name: {"offset %": round(float(value), 2)}
        for name, value in zip(NAMES, percent.mean(axis=0), strict=True)
    }
    rows["all five points"] = {
        "offset %": round(float(mean.mean()), 2),
        "standard error %": round(float(mean.std() / np.sqrt(len(mean))), 2),
        "median %": round(float(np.median(mean)), 2),
        "constant part, pixels": round(float(pixels), 2),
        "part relative to the face, %": round(100 * float(share), 2),
        "frames": len(mean),
    }
    measure.save(
        "label_shift",
        chosen,
        what="Offset of the labels to the right of the face, in % of the face size. "
        "The reference is the mean of the five points that YuNet finds in a frame and "
        "in its mirror image, which prefers neither side.",
        figures=rows,
        baseline={},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
