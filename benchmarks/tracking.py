"""Measures how reliably faces are tracked in given videos.

    python -m benchmarks.tracking VIDEO ...

For each video, the result contains the number of frames with a reported face, the
number of different faces (ids) and the number of frames with an unsure face. Jitter is
measured at rest: the first frame with a face is repeated for two seconds, each time
with new sensor noise and JPEG compression. It is the mean second difference of x and y
from frame to frame, in % of the face size, with and without smoothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence

import cv2
import numpy as np

from benchmarks import measure
from ethos_data import options
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    videos: tuple[str, ...] = options.required(
        "Videos to track faces in", positional=True, metavar="VIDEO"
    )
    model: str | None = options.option(
        None,
        "Directory of an exported model; the model that is part of ETHOS if it is not "
        "given",
        metavar="DIR",
    )
    detector: str = options.option("mtcnn", "mtcnn, or ONNX file of YuNet")
    output: str = measure.output_option("tracking")


class FixedDetector:
    """A detector that returns the same box for every frame."""

    name = "fixed"

    def __init__(self, box: np.ndarray) -> None:
        self._box = box

    def detect(self, frame_rgb: np.ndarray) -> list[Detection]:
        return [Detection(self._box, 1.0)]


def still_clip(frame: np.ndarray) -> list[np.ndarray]:
    """Copies of a frame, each with new sensor noise and JPEG compression."""
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
    """Mean second difference of the landmarks in a still clip, % of the face size."""
    detector: Detector = FixedDetector(box)
    tracker_options = TrackerOptions(smoothing=smoothing)
    tracker = FaceTracker(loaded.predictor, detector, tracker_options)
    tracked = [tracker.update(image, i / 25) for i, image in enumerate(clip)]
    # The first frames are left out, because the filter needs them to settle.
    points = np.array(
        [faces[0].face.landmarks[:, :2] for faces in tracked[5:] if faces]
    )
    second = np.linalg.norm(np.diff(points, 2, axis=0), axis=-1)
    return 100 * float(second.mean()) / float(face_size(face_box(points[0])))


def measure_video(
    path: str, loaded: Loaded
) -> tuple[str, dict[str, float], dict[str, float]]:
    """Tracks the faces of a video.

    Args:
      path: The video.
      loaded: Model and detector.

    Returns:
      Name of the video, and its row of the figures and of the baseline.
    """
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
    figures: dict[str, float] = {
        "frames with a reported face": with_face,
        "ids": len(ids),
        "unsure frames": unsure,
    }
    baseline: dict[str, float] = {"frames": frames}
    if first is not None:
        clip = still_clip(first[0])
        smooth = jitter(loaded, clip, first[1], OneEuroOptions())
        raw = jitter(loaded, clip, first[1], None)
        figures["smoothed jitter %"] = round(smooth, 2)
        baseline["jitter without smoothing %"] = round(raw, 2)
    return name, figures, baseline


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("tracking", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    loaded = load(Setup(chosen.model, chosen.detector))
    figures, baseline = {}, {}
    for path in chosen.videos:
        name, figures_row, baseline_row = measure_video(path, loaded)
        figures[name], baseline[name] = figures_row, baseline_row
    measure.save(
        "tracking",
        chosen,
        what="Tracking of faces in given videos. Jitter at rest is the mean second "
        "difference of the landmarks in % of the face size, when one frame is repeated "
        f"for {STILL_FRAMES} frames with new sensor noise ({NOISE:g} grey levels) and "
        f"JPEG compression (quality {QUALITY}).",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
