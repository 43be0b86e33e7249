"""Error and jitter of landmarks over time: of the network, filtered and smoothed.

    python -m benchmarks.landmark_smoothing

Heads that turn, speak and blink are rendered with exact landmarks, degraded, and
followed by the tracker from their true boxes. The landmarks of the network are compared
with those of the live filter (past frames only), of `smooth_track` (past and future
frames) and, as a baseline, of the One Euro filter (Casiez, Roussel and Vogel, 2012).

Jitter is measured on a still clip: one frame is repeated, each time with new sensor
noise of 4 grey levels and JPEG compression at quality 80. It is the mean length of the
second difference of x and y over time, in % of the face size.

The parameters of the filters were chosen with `--first_seed 1000`, on these heads and
on those of a morphable model.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import av
import numpy as np

from benchmarks import measure, rendered_faces
from ethos_data import options, progress
from ethos_data.errors import cli
from ethos_data.heads.figure import sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.scene import render_frames, sample_scene
from ethos_data.topology import face_box, face_size
from ethos_model.footage import smooth_track
from ethos_model.footage.finder import Detection
from ethos_model.footage.regions import Region
from ethos_model.footage.smoothing.live import LandmarkFilter
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from ethos_model.predict import FacePredictor
from gui.degradation import VideoDegradation

FPS: Final = 25.0

SIZE: Final = 200
"""Nominal height of a frame, in pixels. The median face size is 88 pixels."""

STILL_FRAMES: Final = 60
SETTLED: Final = 5
"""Number of frames of a still clip in which the filters settle."""

LAGS: Final = (1, 5, 50)
"""Numbers of frames after which the correlation of the errors is reported."""

Frames = Sequence[np.ndarray]
Smooth = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    people: int = options.option(8, "Number of people per head model", minimum=1)
    first_seed: int = options.option(2000, "Seed of the first person", minimum=0)
    frames: int = options.option(100, "Number of frames per clip", minimum=60)
    head_model: str | None = options.option(
        None, "npz file of a morphable head to measure as well", metavar="FILE"
    )
    output: str = measure.output_option("landmark_smoothing")


@dataclasses.dataclass(frozen=True, eq=False)
class Track:
    """The landmarks of a clip.

    Attributes:
      landmarks: (T, 68, 3), of the network, in source pixels.
      uncertainty: (T, 68), in source pixels.
      truth: (T, 68, 3), in source pixels.
    """

    landmarks: np.ndarray
    uncertainty: np.ndarray
    truth: np.ndarray

    @property
    def times(self) -> np.ndarray:
        return np.arange(len(self.landmarks)) / FPS


class TrueFinder:
    """Reports the true box of each frame."""

    def __init__(self) -> None:
        self.box = np.zeros(4)

    def find(
        self, frame_rgb: np.ndarray, regions: Sequence[Region] | None = None
    ) -> list[Detection]:
        return [Detection(self.box, 1.0)]


def _each(degradation: VideoDegradation) -> Callable[[Frames, Any], Frames]:
    return lambda frames, rng: [degradation.apply(f, i) for i, f in enumerate(frames)]


def _blurred(frames: Frames, rng: np.random.Generator, **others: float) -> Frames:
    """Motion blur of 5 to 20 px, or less in combination with `others`."""
    longest = 10.0 if others else 20.0
    return [
        VideoDegradation(
            motion_blur=float(rng.uniform(5, longest)),
            motion_angle=float(rng.uniform(0, 180)),
            **others,
        ).apply(frame, index)
        for index, frame in enumerate(frames)
    ]


def _coded(frames: Frames, crf: int) -> Frames:
    """H.264 with a constant rate factor."""
    height, width = (n - n % 2 for n in frames[0].shape[:2])
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", round(FPS), options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            image = np.ascontiguousarray(frame[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


CONDITIONS: Final[dict[str, Callable[[Frames, Any], Frames]]] = {
    "clean": lambda frames, rng: frames,
    "4x smaller, noise": _each(VideoDegradation(low_resolution=4, noise=8)),
    "0.08 of the light": _each(VideoDegradation(darkness=0.92)),
    "motion blur 5 to 20 px": _blurred,
    "noise 30": _each(VideoDegradation(noise=30)),
    "JPEG 8": _each(VideoDegradation(compression=92)),
    "H.264 crf 40": lambda frames, rng: _coded(frames, 40),
    "2x smaller, dim, blur, crf 30": lambda frames, rng: _coded(
        _blurred(frames, rng, low_resolution=2, darkness=0.7), 30
    ),
}
"""Degradations of the frames of a clip, given a random generator."""


def one_euro(
    times: np.ndarray, landmarks: np.ndarray, uncertainty: np.ndarray
) -> np.ndarray:
    """The One Euro filter with the settings that ETHOS used before.

    They are a cutoff of 0.4 Hz at rest, 8 Hz per face size per second, and 1 Hz for
    the speed.
    """
    del uncertainty

    def factor(seconds: float, cutoff: Any) -> Any:
        r = 2 * np.pi * cutoff * seconds
        return r / (r + 1)

    value, speed = landmarks[0], np.zeros_like(landmarks[0])
    result = [value]
    for before, time, new in zip(times, times[1:], landmarks[1:], strict=False):
        seconds = time - before
        a = factor(seconds, 1.0)
        speed = a * (new - value) / seconds + (1 - a) * speed
        length = np.linalg.norm(speed, axis=-1, keepdims=True)
        a = factor(seconds, 0.4 + 8 * length / face_size(face_box(new)))
        value = a * new + (1 - a) * value
        result.append(value)
    return np.stack(result)


def live(
    times: np.ndarray, landmarks: np.ndarray, uncertainty: np.ndarray
) -> np.ndarray:
    """The filter of the tracker."""
    smooth = LandmarkFilter()
    frames = zip(landmarks, uncertainty, times, strict=True)
    return np.stack([smooth(points, sigma, time) for points, sigma, time in frames])


METHODS: Final[dict[str, Smooth]] = {
    "live": live,
    "smooth_track": smooth_track,
    "One Euro": one_euro,
}


def follow(predictor: FacePredictor, frames: Frames, truth: np.ndarray) -> Track | None:
    """Follows the face of a clip. None if it is lost, so that frames are missing."""
    finder = TrueFinder()
    tracker = FaceTracker(predictor, finder, TrackerOptions(smoothing=False))
    faces = []
    for index, frame in enumerate(frames):
        finder.box = np.asarray(face_box(truth[index]), np.float64)
        faces += [face.face for face in tracker.update(frame, index / FPS)]
    if len(faces) != len(frames):
        return None
    return Track(
        np.array([face.landmarks for face in faces], np.float64),
        np.array([face.uncertainty for face in faces], np.float64),
        truth,
    )


def collect(
    chosen: Options, predictor: FacePredictor
) -> tuple[dict[str, list[Track]], list[Track]]:
    """Returns the tracks of each condition, and of the still clips."""
    moving: dict[str, list[Track]] = {name: [] for name in CONDITIONS}
    still: list[Track | None] = []
    models = rendered_faces.models(chosen.head_model).values()
    noise = _each(VideoDegradation(noise=4, compression=20))
    with progress.bar(chosen.people * len(models), "people") as bar:
        for model in models:
            for seed in range(chosen.first_seed, chosen.first_seed + chosen.people):
                images, truth = _render(model, seed, chosen.frames)
                for number, (name, degrade) in enumerate(CONDITIONS.items()):
                    rng = np.random.default_rng((seed, number))
                    track = follow(predictor, degrade(images, rng), truth)
                    moving[name] += [track] if track is not None else []
                middle = chosen.frames // 2
                repeated = noise([images[middle]] * STILL_FRAMES, None)
                places = np.repeat(truth[middle : middle + 1], STILL_FRAMES, 0)
                still.append(follow(predictor, repeated, places))
                bar.update()
    return moving, [track for track in still if track is not None]


def _render(model: HeadModel, seed: int, frames: int) -> tuple[Frames, np.ndarray]:
    rng = np.random.default_rng((seed, 0x7AC))
    figure = sample_figure(model, rng)
    scene = sample_scene(figure, rng, num_frames=frames, size=SIZE)
    rendered = list(render_frames(figure, scene))
    landmarks = np.array([frame.landmarks for frame in rendered], np.float64)
    return [frame.image for frame in rendered], landmarks


def error(landmarks: np.ndarray, truth: np.ndarray) -> float:
    """Returns NME_box, in %."""
    distance = np.linalg.norm((landmarks - truth)[..., :2], axis=-1)
    return 100 * float((distance / face_size(face_box(truth))[:, None]).mean())


def jitter(landmarks: np.ndarray) -> float:
    """Returns the mean second difference, in % of the face size."""
    second = np.diff(landmarks[SETTLED:, :, :2], 2, axis=0)
    size = float(face_size(face_box(landmarks)).mean())
    return 100 * float(np.linalg.norm(second, axis=-1).mean()) / size


def correlation(tracks: Sequence[Track], lag: int) -> float:
    """Returns the mean correlation of the errors of x and y of two frames."""
    values = []
    for track in tracks:
        size = face_size(face_box(track.truth))[:, None, None]
        errors = (track.landmarks - track.truth)[..., :2] / size
        values.append((errors[lag:] * errors[:-lag]).mean() / (errors**2).mean())
    return float(np.mean(values))


def error_row(tracks: Sequence[Track]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the figures and the baseline of one condition."""
    raw = float(np.mean([error(track.landmarks, track.truth) for track in tracks]))
    figures: dict[str, Any] = {"clips": len(tracks), "network %": round(raw, 2)}
    changes = {}
    for name, smooth in METHODS.items():
        errors = [
            error(smooth(track.times, track.landmarks, track.uncertainty), track.truth)
            for track in tracks
        ]
        changes[name] = round(100 * (float(np.mean(errors)) / raw - 1), 1)
    for name in ("live", "smooth_track"):
        figures[f"{name}, change %"] = changes[name]
    for lag in LAGS:
        column = f"correlation after {lag / FPS:g} s"
        figures[column] = round(correlation(tracks, lag), 2)
    return figures, {"One Euro, change %": changes["One Euro"]}


def still_row(tracks: Sequence[Track]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the figures and the baseline of the jitter at rest."""
    values = {"network": [jitter(track.landmarks) for track in tracks]}
    for name, smooth in METHODS.items():
        values[name] = [
            jitter(smooth(track.times, track.landmarks, track.uncertainty))
            for track in tracks
        ]
    means = {
        f"{name}, jitter %": round(float(np.mean(column)), 3)
        for name, column in values.items()
    }
    baseline = {"One Euro, jitter %": means.pop("One Euro, jitter %")}
    return {"clips": len(tracks), **means}, baseline


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("landmark_smoothing", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and writes the result."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    moving, still = collect(chosen, FacePredictor())
    figures: dict[str, dict[str, Any]] = {}
    baseline: dict[str, dict[str, Any]] = {}
    for name, tracks in moving.items():
        figures[name], baseline[name] = error_row(tracks)
    figures["at rest"], baseline["at rest"] = still_row(still)
    measure.save(
        "landmark_smoothing",
        chosen,
        what="Landmarks over time on rendered clips of moving heads, at 25 frames/s: "
        "NME_box of the network, its change by the live filter and by smooth_track, "
        "and the correlation of the network's errors in two frames. The part of the "
        "error that is the same in all frames cannot be removed. Last row: jitter on "
        "still clips. Baseline: the One Euro filter.",
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
