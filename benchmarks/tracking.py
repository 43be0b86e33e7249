"""Measures how steadily faces are tracked in given videos.

    python -m benchmarks.tracking VIDEO ... [--model DIR] [--detector FILE.onnx]

For each video it reports in how many frames a face is found, as how many different
people, and in how many frames a face is unsure. Jitter is measured on a still clip: the
first frame with a face is repeated for two seconds, each time with new sensor noise of
4 grey levels and JPEG compression at quality 80. It is the mean length of the second
difference of x and y over time, in % of the face size, with and without smoothing.
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
from ethos_model.footage.finder import Detection
from ethos_model.footage.reader import open_video
from ethos_model.footage.regions import Region
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from gui.viewer.session import Loaded, Setup, load

STILL_FRAMES = 50
NOISE = 4.0
"""Standard deviation of the noise, in grey levels."""
QUALITY = 80
"""JPEG quality."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    videos: tuple[str, ...] = options.required(
        "Videos to measure", positional=True, metavar="VIDEO"
    )
    model: str | None = options.option(
        None, "Directory of an exported model; the included one if it is not given"
    )
    detector: str = options.option(
        "yunet", 'Face detector: "yunet", or a YuNet .onnx file'
    )
    output: str = measure.output_option("tracking")


class FixedFinder:
    """Reports one box in every frame."""

    def __init__(self, box: np.ndarray) -> None:
        self._box = box

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]:
        return [Detection(self._box, 1.0)]


def still_clip(frame: np.ndarray) -> list[np.ndarray]:
    """Repeats a frame, each time with its own noise and compression."""
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
    smoothing: bool,
) -> float:
    """Returns the mean second difference on a still clip, in % of the face size."""
    tracker = FaceTracker(
        loaded.predictor, FixedFinder(box), TrackerOptions(smoothing=smoothing)
    )
    tracked = [tracker.update(image, i / 25) for i, image in enumerate(clip)]
    # The filter settles during the first frames.
    landmarks = np.array([t[0].face.landmarks[:, :2] for t in tracked[5:] if t])
    second = np.linalg.norm(np.diff(landmarks, 2, axis=0), axis=-1)
    return 100 * float(second.mean()) / float(face_size(face_box(landmarks[0])))


def run(path: str, loaded: Loaded) -> tuple[str, dict[str, float], dict[str, float]]:
    """Measures one video; returns its name, its figures and its baseline."""
    tracker = FaceTracker(loaded.predictor, loaded.finder)
    frames = with_face = unsure = 0
    ids: set[int] = set()
    first = None
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
        smoothed = jitter(loaded, clip, first[1], smoothing=True)
        figures["smoothed jitter %"] = round(smoothed, 2)
        raw = jitter(loaded, clip, first[1], smoothing=False)
        baseline["jitter without smoothing %"] = round(raw, 2)
    return name, figures, baseline


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("tracking", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and writes the result."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    loaded = load(Setup(chosen.model, chosen.detector))
    figures, baseline = {}, {}
    for path in chosen.videos:
        name, measured, compared = run(path, loaded)
        print(f"{name}: {measured}", flush=True)
        figures[name], baseline[name] = measured, compared
    measure.save(
        "tracking",
        chosen,
        what="Tracking of faces in given videos. Jitter is the mean second difference "
        "of the landmarks in % of the face size, when one frame is repeated for 2 s "
        "with new sensor noise (4 grey levels) and JPEG compression (quality 80).",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
