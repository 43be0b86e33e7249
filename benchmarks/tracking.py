"""How faithfully faces are followed: presence, doubt and jitter on given videos.

    python -m benchmarks.tracking VIDEO ... --model MODEL_DIR [--detector FILE.onnx]

For each video: in how many frames a face is reported, as how many different faces, and
how many are unsure. Jitter is measured at rest: one frame (the first with a face) is
repeated for two seconds, each time with new sensor noise of 4 levels and JPEG
compression at quality 80. It is the mean length of the second difference of x and y
from frame to frame, in % of the face size, with and without smoothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import cv2
import numpy as np

from ethos_data.errors import cli
from ethos_data.topology import face_box, face_size
from ethos_model.footage.finder import Detection, Detector
from ethos_model.footage.reader import open_video
from ethos_model.footage.smoother import OneEuroOptions
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from gui.viewer.session import Loaded, Setup, load

STILL_FRAMES = 50
NOISE = 4.0
QUALITY = 80


class FixedDetector:
    """Says what it was told: the face at rest is where it is."""

    name = "fixed"

    def __init__(self, box: np.ndarray) -> None:
        self._box = box

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        return [Detection(self._box, 1.0)]


def still_clip(frame: np.ndarray) -> list[np.ndarray]:
    """A frame again and again, each time through a sensor and a codec of its own."""
    clip = []
    for index in range(STILL_FRAMES):
        noise = np.random.default_rng(index).normal(0, NOISE, frame.shape)
        noisy = np.clip(frame + noise, 0, 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        clip.append(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)))
    return clip


def jitter(
    loaded: Loaded,
    clip: Sequence[np.ndarray],
    box: np.ndarray,
    smoothing: OneEuroOptions | None,
) -> float:
    """Mean second difference at rest, % of the face size."""
    detector: Detector = FixedDetector(box)
    options = TrackerOptions(smoothing=smoothing)
    tracker = FaceTracker(loaded.predictor, detector, options)
    found = [tracker.update(image, i / 25) for i, image in enumerate(clip)]
    # The first frames let the filter settle.
    points = np.array([faces[0].face.landmarks[:, :2] for faces in found[5:] if faces])
    second = np.linalg.norm(np.diff(points, 2, axis=0), axis=-1)
    return 100 * float(second.mean()) / float(face_size(face_box(points[0])))


def measure(path: str, loaded: Loaded) -> str:
    """One line of results."""
    tracker = FaceTracker(loaded.predictor, loaded.detector)
    frames = with_face = unsure = 0
    ids, first = set(), None
    with open_video(path) as source:
        name = source.info.name
        while (frame := source.read()) is not None:
            faces = tracker.update(frame.image, frame.timestamp)
            frames += 1
            with_face += bool(faces)
            unsure += any(face.unsure for face in faces)
            ids |= {face.id for face in faces}
            if faces and first is None:
                first = (frame.image, faces[0].box)
    line = f"{name}: face in {with_face} of {frames} frames, {len(ids)} ids"
    line += f", {unsure} frames unsure"
    if first is not None:
        clip = still_clip(first[0])
        raw = jitter(loaded, clip, first[1], None)
        smooth = jitter(loaded, clip, first[1], OneEuroOptions())
        line += f"; jitter at rest {raw:.2f} % raw, {smooth:.2f} % smoothed"
    return line


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("videos", nargs="+", metavar="VIDEO")
    parser.add_argument("--model", help="folder of an exported model")
    parser.add_argument("--detector", default="mtcnn")
    args = parser.parse_args(argv)
    loaded = load(Setup(args.model, args.detector))
    for path in args.videos:
        print(measure(path, loaded), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
