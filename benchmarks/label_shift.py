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
from typing import Any, Final

import cv2
import numpy as np

from ethos_data import corpus
from ethos_data import landmarks as topology
from ethos_data.errors import cli

_RIGHT_EYE, _LEFT_EYE = topology.GROUPS["right_eye"], topology.GROUPS["left_eye"]
_NAMES: Final = ("right eye", "left eye", "nose", "right corner", "left corner")
_MIRRORED: Final = [1, 0, 2, 4, 3]
_SAME_FACE: Final = 0.15  # face sizes on the mean: what is farther off is another face
_PADDED_TO: Final = 32  # pixels: YuNet wants whole cells


def five(labels: np.ndarray) -> np.ndarray:
    """What a detector calls five points of 68: (68, 2 or 3) to (5, 2)."""
    xy = labels[:, :2]
    eyes = [xy[list(eye)].mean(axis=0) for eye in (_RIGHT_EYE, _LEFT_EYE)]
    return np.stack([*eyes, xy[30], xy[48], xy[54]])


def detected(detector: Any, frame_rgb: np.ndarray) -> np.ndarray:
    """All faces' points (N, 5, 2), pixels; the person's right eye first."""
    height, width = frame_rgb.shape[:2]
    detector.setInputSize((width, height))
    _, faces = detector.detect(cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2BGR))
    return np.empty((0, 5, 2)) if faces is None else faces[:, 4:14].reshape(-1, 5, 2)


def unbiased(detector: Any, frame: np.ndarray, wanted: np.ndarray, near: float) -> Any:
    """The mean of what is seen in a frame and in its mirror image: (5, 2) or None."""
    found = []
    for mirrored in (False, True):
        seen = frame[:, ::-1] if mirrored else frame
        points = detected(detector, np.ascontiguousarray(seen))
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
    detector = cv2.FaceDetectorYN.create(options.yunet, "", (320, 320), 0.6)
    paths = corpus.list_videos(options.corpus_dir)
    step = -(-len(paths) // (options.max_videos or len(paths)))
    shifts, sizes = [], []
    for path in paths[::step]:
        video = corpus.read_video(path, max_frames=1)
        labels, frame = video.landmarks[0], video.frames[0]
        height, width = frame.shape[:2]
        border = ((0, -height % _PADDED_TO), (0, -width % _PADDED_TO), (0, 0))
        size = float(topology.face_size(topology.face_box(labels)))
        wanted = five(labels)
        points = unbiased(detector, np.pad(frame, border), wanted, _SAME_FACE * size)
        if points is not None:
            shifts.append((wanted - points)[:, 0])
            sizes.append(size)
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
