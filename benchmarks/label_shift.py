"""To which side do a corpus' labels lie? A detector's five points as a second opinion.

    python -m benchmarks.label_shift CORPUS_DIR --yunet yunet_n_640_640.onnx

A detector that is shown a frame and its mirror image, and whose answers are averaged,
has no preference for a side, whatever it was trained on and wherever its pixels' origin
is. On the first frame of each video the labels' eyes (mean of six points), tip of the
nose and corners of the mouth are compared with its five points. In y nothing can be
said: a face that stands on its head is not found.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_data.corpora import npz_video
from ethos_data.errors import EthosError, cli
from ethos_model.footage import finder

_RIGHT_EYE, _LEFT_EYE = topology.GROUPS["right_eye"], topology.GROUPS["left_eye"]
_NAMES: Final = ("right eye", "left eye", "nose", "right corner", "left corner")
_MIRRORED: Final = [1, 0, 2, 4, 3]
_SAME_FACE: Final = 0.15  # face sizes on the mean: what is farther off is another face


def five(labels: np.ndarray) -> np.ndarray:
    """What a detector calls five points of 68: (68, 2 or 3) to (5, 2)."""
    xy = labels[:, :2]
    eyes = [xy[list(eye)].mean(axis=0) for eye in (_RIGHT_EYE, _LEFT_EYE)]
    return np.stack([*eyes, xy[30], xy[48], xy[54]])


def unbiased(
    detector: finder.YunetDetector, frame: np.ndarray, wanted: np.ndarray, near: float
) -> np.ndarray | None:
    """The mean of what is seen in a frame and in its mirror image.

    Args:
      detector: of faces and their five points.
      frame: uint8 (H, W, 3) RGB.
      wanted: (5, 2), where the points are about, pixels.
      near: mean distance along an axis that is still the same face, pixels.

    Returns:
      (5, 2), pixels; None if one of the two searches misses the face.
    """
    found = []
    for mirrored in (False, True):
        seen = frame[:, ::-1] if mirrored else frame
        points = detector.points(np.ascontiguousarray(seen))
        if mirrored:
            points = points[:, _MIRRORED]
            points[..., 0] = frame.shape[1] - 1 - points[..., 0]
        away = np.abs(points - wanted).mean(axis=(1, 2))
        if not len(away) or away.min() > near:
            return None
        found.append(points[away.argmin()])
    return np.mean(found, axis=0)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("corpus_dir")
    parser.add_argument("--yunet", required=True, help="the detector's .onnx file")
    parser.add_argument("--max_videos", type=int, help="spread over the corpus")
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    detector = finder.YunetDetector(options.yunet)
    paths = npz_video.list_videos(options.corpus_dir)
    if not paths:
        raise EthosError(f"{options.corpus_dir}: holds no npz file")
    step = -(-len(paths) // (options.max_videos or len(paths)))
    shifts, sizes = [], []
    for path in paths[::step]:
        video = npz_video.read_video(path, max_frames=1)
        labels, frame = video.landmarks[0], video.frames[0]
        size = float(topology.face_size(topology.face_box(labels)))
        wanted = five(labels)
        points = unbiased(detector, frame, wanted, _SAME_FACE * size)
        if points is not None:
            shifts.append((wanted - points)[:, 0])
            sizes.append(size)
    if not shifts:
        raise EthosError(f"{options.corpus_dir}: YuNet finds no labelled face")
    shift, size = np.array(shifts), np.array(sizes)
    percent = 100 * shift / size[:, None]
    mean = percent.mean(axis=1)
    error = mean.std() / np.sqrt(len(mean))
    terms = np.stack([np.ones_like(size), size], axis=1)
    pixels, part = np.linalg.lstsq(terms, shift.mean(axis=1), rcond=None)[0]
    print(f"{len(mean)} of {len(paths[::step])} frames, labels to the right of YuNet:")
    print(f"{mean.mean():.2f} +- {error:.2f} % of the face size, median", end=" ")
    print(f"{np.median(mean):.2f}; about {pixels:.2f} pixels and {100 * part:.2f} %")
    for name, value in zip(_NAMES, percent.mean(axis=0), strict=True):
        print(f"  {name}: {value:.2f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
