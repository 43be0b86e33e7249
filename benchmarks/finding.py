"""Measures how many faces the finder finds in clean, degraded and large frames.

    python -m benchmarks.finding
    python -m benchmarks.finding --corpus CORPUS --clips talking/*.mp4 --yunet FILE.onnx

Without a corpus, rendered people are searched. A corpus is a directory of npz videos,
of which one frame per video of the people of one split is used. A label is the box of
the landmarks. In clips, which have no labels, one frame per second is used, and the
faces that a thorough search finds in the clean frame are the labels.

For large frames, reduced faces are pasted into frames of 1920 x 1080: rendered ones, or
those of `--backgrounds`. The labels are the pasted faces. In live video, such a frame
is searched in parts. These rows state what is found within one second of 25 frames, and
the processor time of this second.

A face is found if a detection has an IoU above 0.4 with its label. All other detections
count as false, also those of people without a label. Times are processor times of one
frame.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import labelled_frames, measure
from benchmarks.labelled_frames import Sample
from ethos_data import options, progress
from ethos_data.degrade import source
from ethos_data.errors import cli
from ethos_data.topology import iou
from ethos_model.footage.detectors import make_detector
from ethos_model.footage.finder import Detection, FaceFinder, Finder
from ethos_model.footage.regions import OVERVIEW_SIDE, Region
from ethos_model.footage.schedule import SearchSchedule

MIN_OVERLAP: Final = 0.4
"""IoU from which a detection counts as the labelled face."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    corpus: str | None = labelled_frames.corpus_option()
    split: str = labelled_frames.split_option()
    clips: tuple[str, ...] = options.option((), "Videos to search", metavar="VIDEO")
    backgrounds: tuple[str, ...] = options.option(
        (), "Videos whose frames are used as large frames", metavar="VIDEO"
    )
    frames: int = options.option(240, "Maximum number of small frames", minimum=1)
    large_frames: int = options.option(24, "Number of large frames", minimum=0)
    yunet: str | None = options.option(
        None, "YuNet .onnx file to compare with", metavar="FILE"
    )
    previous: str | None = options.option(
        None, "Result of an earlier version to compare with", metavar="FILE"
    )
    output: str = measure.output_option("finding")


Degradation = Callable[[np.ndarray, int], np.ndarray]


def downsampled(factor: int) -> Degradation:
    """Reduces the resolution and enlarges the frame to its size again."""

    def degrade(frame: np.ndarray, seed: int) -> np.ndarray:
        height, width = frame.shape[:2]
        size = (max(1, round(width / factor)), max(1, round(height / factor)))
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    return degrade


def darkened(gain: float) -> Degradation:
    """Takes light away and adds noise: 1,000 electrons at white before the loss, read
    noise of 1.2 grey levels, as `ethos_data.degrade.source.dark5` does."""

    def degrade(frame: np.ndarray, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        signal = frame.astype(np.float32) * np.float32(gain)
        sigma = np.sqrt(signal * np.float32(255 / 1000) + np.float32(1.2**2))
        noisy = signal + sigma * rng.standard_normal(frame.shape, np.float32)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return degrade


def blurred(length: int) -> Degradation:
    """Adds straight motion blur of `length` pixels in a random direction."""

    def degrade(frame: np.ndarray, seed: int) -> np.ndarray:
        angle = np.random.default_rng(seed).uniform(0, np.pi)
        kernel = source.line_kernel(length, angle)
        return cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REFLECT_101)

    return degrade


def jpeg(quality: int) -> Degradation:
    """Compresses the frame."""

    def degrade(frame: np.ndarray, seed: int) -> np.ndarray:
        flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
        _, data = cv2.imencode(".jpg", frame[..., ::-1], flags)
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        return np.ascontiguousarray(image[..., ::-1])

    return degrade


CLEAN: Final[Degradation] = lambda frame, seed: frame  # noqa: E731

CONDITIONS: Final[dict[str, Degradation]] = {
    "clean": CLEAN,
    "4x downsampled": downsampled(4),
    "8x downsampled": downsampled(8),
    "0.2 of the light": darkened(0.2),
    "0.05 of the light": darkened(0.05),
    "15 px motion blur": blurred(15),
    "25 px motion blur": blurred(25),
    "JPEG quality 5": jpeg(5),
}

LARGE_CONDITIONS: Final[dict[str, tuple[tuple[int, int], Degradation]]] = {
    "20 to 30 px": ((20, 30), CLEAN),
    "20 to 30 px, 0.2 of the light": ((20, 30), darkened(0.2)),
    "20 to 30 px, 0.05 of the light": ((20, 30), darkened(0.05)),
    "30 to 50 px": ((30, 50), CLEAN),
    "50 to 100 px": ((50, 100), CLEAN),
}
"""Range of the face sizes and degradation of the large frames, by condition."""


LIVE: Final[dict[tuple[int, int], tuple[int, int]]] = {
    (1920, 1080): (20, 30),
    (3840, 2160): (30, 40),
}
"""Range of the face sizes by the size of the frame, in live video."""


class LiveFinder:
    """Searches a frame as the tracker does it in one second of video."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]:
        schedule = SearchSchedule()
        return [
            detection
            for index in range(25)
            if (due := schedule.due(frame_rgb, index / 25))
            for detection in self._finder.find(frame_rgb, due)
        ]


class PlainFinder:
    """A detector on the frame reduced to 640 pixels, as many applications use it."""

    def __init__(self, detector: str) -> None:
        self._detector = make_detector(detector)

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]:
        height, width = frame_rgb.shape[:2]
        scale = min(1.0, OVERVIEW_SIDE / max(height, width))
        size = (round(width * scale), round(height * scale))
        image = cv2.resize(frame_rgb, size, interpolation=cv2.INTER_AREA)
        boxes, scores = self._detector.detect(image)
        boxes = self._detector.box_map.to_face_box((boxes + 0.5) / scale - 0.5)
        return [
            Detection(box, float(score))
            for box, score in zip(boxes, scores, strict=True)
            if score >= self._detector.min_score
        ]


def score(
    finder: Finder, samples: Sequence[Sample], degrade: Degradation, label: str
) -> dict[str, float]:
    """Searches degraded frames.

    Returns:
      Share of the faces that are found, false faces and processor time per frame.
    """
    found = faces = false = 0
    seconds = 0.0
    with progress.bar(len(samples), "frames", description=label) as bar:
        for sample in samples:
            frame = degrade(sample.frame, sample.seed)
            started = time.process_time()
            detections = finder.find(frame)
            seconds += time.process_time() - started
            faces += len(sample.boxes)
            if detections:
                boxes = np.array([detection.box for detection in detections])
                near = iou(boxes[:, None], sample.boxes[None]) > MIN_OVERLAP
                found += int(near.any(axis=0).sum())
                false += int((~near.any(axis=1)).sum())
            bar.update()
    frames = len(samples)
    return {
        "found %": round(100 * found / faces, 1),
        "false per frame": round(false / frames, 3),
        "processor ms": round(1000 * seconds / frames, 1),
    }


def run(
    chosen: Options, finders: dict[str, Finder]
) -> dict[str, dict[str, dict[str, float]]]:
    """Measures all conditions with several finders.

    Returns:
      Figures by finder and condition.
    """
    figures: dict[str, dict[str, dict[str, float]]] = {name: {} for name in finders}

    def measure_row(row: str, samples: Sequence[Sample], degrade: Degradation) -> None:
        for name, finder in finders.items():
            figures[name][row] = score(finder, samples, degrade, f"{name}, {row}")

    small = labelled_frames.samples(chosen.corpus, chosen.split, chosen.frames)
    for condition, degrade in CONDITIONS.items():
        measure_row(condition, small, degrade)
    if chosen.clips:
        clips = list(labelled_frames.clip_samples(chosen.clips, chosen.frames))
        for condition, degrade in CONDITIONS.items():
            measure_row(f"clips, {condition}", clips, degrade)
    scenes = list(labelled_frames.backgrounds(chosen.backgrounds, chosen.large_frames))
    for condition, (sizes, degrade) in LARGE_CONDITIONS.items():
        large = [
            labelled_frames.large_sample(scene, small, sizes, seed)
            for seed, scene in enumerate(scenes)
        ]
        if large:
            measure_row(f"1920 x 1080, {condition}", large, degrade)
    for size, face_sizes in LIVE.items():
        large = [
            labelled_frames.large_sample(cv2.resize(scene, size), small, face_sizes, k)
            for k, scene in enumerate(scenes)
        ]
        row = "{} x {}, {} to {} px, one second of live video"
        row = row.format(*size, *face_sizes)
        if large:
            live = LiveFinder(finders["ETHOS"])
            figures["ETHOS"][row] = score(live, large, CLEAN, row)
    return figures


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("finding", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and writes the result."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    finders: dict[str, Finder] = {"ETHOS": FaceFinder()}
    if chosen.yunet is not None:
        finders["YuNet"] = PlainFinder(chosen.yunet)
    figures = run(chosen, finders)
    baseline: dict[str, dict[str, float]] = {row: {} for row in figures["ETHOS"]}
    others = {name: rows for name, rows in figures.items() if name != "ETHOS"}
    if chosen.previous is not None:
        others["before"] = measure.load(chosen.previous).figures
    for name, rows in others.items():
        for row, cells in rows.items():
            for column, value in cells.items():
                baseline.setdefault(row, {})[f"{name}: {column}"] = value
    people = "rendered people" if chosen.corpus is None else f"{chosen.split} people"
    measure.save(
        "finding",
        chosen,
        what=f"Faces found (IoU above {MIN_OVERLAP}) in frames of {people}, in clips, "
        "and in large frames with pasted faces. Detections of people without a label "
        "count as false.",
        figures=figures["ETHOS"],
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
