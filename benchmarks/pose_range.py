"""Landmarks, their sigma and their visibility at every pose, on rendered heads.

    python -m benchmarks.pose_range --head_model ict_facekit_light.npz

This writes pose_range.json and pose_range_roll.json. The heads are the built-in ones
and, with `--head_model`, those of a morphable model. Each slice of the yaw has the same
number of frames; pitch is uniform up to 30 and roll up to 15 degrees. The network
receives the true face box. For the second file, frames with a yaw of at most 60 degrees
are turned in the image plane.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import measure, rendered_faces
from ethos_data import options, topology
from ethos_data.errors import cli
from ethos_data.heads.figure import sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.pose import Pose
from ethos_data.heads.render import Rendering
from ethos_data.heads.scene import render_frames, sample_scene
from ethos_data.progress import bar
from ethos_model.predict import Face, FacePredictor

SLICES: Final = tuple((low, low + 15) for low in range(0, 90, 15))
"""Ranges of the yaw to either side, in degrees."""

ROLLS: Final = (0, 30, 45, 90, 135, 180)
"""Angles by which frames are turned, in degrees."""

_TURNED_YAW: Final = 60
"""Largest yaw of the frames that are turned, in degrees."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    head_model: str | None = options.option(
        None, "npz file of a morphable head to measure as well", metavar="FILE"
    )
    model: str | None = options.option(
        None, "Directory of an exported model; without it, the shipped model"
    )
    num_people: int = options.option(40, "Number of people per head model", minimum=1)
    seed: int = options.option(41, "Random seed of the heads", minimum=0)
    output_dir: str = options.option(
        str(measure.DIRECTORY),
        "Directory to write the JSON files to",
        group="output",
        metavar="DIR",
        default_text="benchmarks/results",
    )


@dataclasses.dataclass(frozen=True)
class Scores:
    """Predictions for N faces. Distances are in % of the face size.

    Attributes:
      distance: Errors of the landmarks, (N, 68).
      ratio: Errors in x and y in stated sigmas, (N, 68, 2).
      visible: bool (N, 68), whether the frame shows the landmark.
      probability: Stated probability of that, (N, 68); NaN if the model states none.
    """

    distance: np.ndarray
    ratio: np.ndarray
    visible: np.ndarray
    probability: np.ndarray


def rendered(model: HeadModel, num_people: int, seed: int) -> Iterator[Rendering]:
    """Renders one frame of each person in each of `SLICES`."""
    with bar(num_people * len(SLICES), "frames") as progress:
        for person in range(num_people):
            rng = np.random.default_rng((seed, person, 0x9056))
            figure = sample_figure(model, rng)
            scene = sample_scene(
                figure, rng, num_frames=len(SLICES), size=rendered_faces.SIZE
            )
            poses = [
                Pose(
                    float(rng.uniform(*limits) * rng.choice([-1, 1])),
                    float(rng.uniform(-30, 30)),
                    float(rng.uniform(-15, 15)),
                )
                for limits in SLICES
            ]
            scene = dataclasses.replace(scene, poses=tuple(poses))
            for frame in render_frames(figure, scene):
                yield frame
                progress.update(1)


def scores(faces: Sequence[Face], frames: Sequence[Rendering]) -> Scores:
    """Compares predictions with rendered frames."""
    distances, ratios, probabilities = [], [], []
    for face, frame in zip(faces, frames, strict=True):
        error = face.landmarks[:, :2] - frame.landmarks[:, :2]
        size = topology.face_size(topology.face_box(frame.landmarks))
        distances.append(100 * np.hypot(*error.T) / size)
        ratios.append(np.abs(error) / face.uncertainty[:, None])
        unknown = np.full(topology.NUM_LANDMARKS, np.nan)
        probabilities.append(unknown if face.visible is None else face.visible)
    return Scores(
        np.array(distances),
        np.array(ratios),
        np.array([frame.visible for frame in frames]),
        np.array(probabilities),
    )


def area_under_roc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve, 0 to 1; NaN without both classes.

    It is the probability that a positive example has a higher score than a negative one
    (Fawcett, "An introduction to ROC analysis", 2006). Equal scores count half.

    Args:
      positive: bool (N,).
      score: (N,).
    """
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return math.nan
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    above = ranks[positive].sum() - count * (count + 1) / 2
    return float(above / (count * others))


def row(part: Scores) -> dict[str, float | None]:
    """A row of the table."""
    seen, known = part.visible, ~np.isnan(part.probability)
    within = (part.ratio <= 1).mean(axis=-1)
    area = area_under_roc(seen[known], part.probability[known])
    return {
        "frames": len(seen),
        "visible landmarks, NME_box %": _mean(part.distance[seen]),
        "hidden landmarks, NME_box %": _mean(part.distance[~seen]),
        "within one sigma, %": round(100 * float(within.mean())),
        "of visible, %": round(100 * float(within[seen].mean())),
        "area under the ROC curve": None if math.isnan(area) else round(area, 3),
    }


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 2) if len(values) else None


def turned(frame: Rendering, degrees: float) -> Rendering:
    """Turns a frame in the image plane. It grows, so that nothing is cut off."""
    height, width = frame.image.shape[:2]
    side = math.ceil(math.hypot(height, width))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1)
    matrix[:, 2] += ((side - width) / 2, (side - height) / 2)
    image = cv2.warpAffine(frame.image, matrix, (side, side))
    landmarks = frame.landmarks.copy()
    landmarks[:, :2] = frame.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return dataclasses.replace(frame, image=image, landmarks=landmarks)


def predict(predictor: FacePredictor, frames: Sequence[Rendering]) -> list[Face]:
    """Predicts the face of each frame inside its true box."""
    return [
        predictor.predict(frame.image, [topology.face_box(frame.landmarks)])[0]
        for frame in frames
    ]


def _part(whole: Scores, rows: np.ndarray) -> Scores:
    fields = dataclasses.fields(Scores)
    return Scores(*(getattr(whole, field.name)[rows] for field in fields))


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return measure.make_parser("pose_range", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    predictor = FacePredictor(chosen.model)
    by_yaw, by_roll = {}, {}
    for name, model in rendered_faces.models(chosen.head_model).items():
        frames = list(rendered(model, chosen.num_people, chosen.seed))
        whole = scores(predict(predictor, frames), frames)
        number = np.arange(len(frames)) % len(SLICES)
        for k, (low, high) in enumerate(SLICES):
            by_yaw[f"{name}, yaw {low} to {high}°"] = row(_part(whole, number == k))
        upright = [
            frame
            for frame, k in zip(frames, number, strict=True)
            if SLICES[k][1] <= _TURNED_YAW
        ]
        for angle in ROLLS:
            others = [turned(frame, angle) for frame in upright]
            found = scores(predict(predictor, others), others)
            by_roll[f"{name}, turned by {angle}°"] = row(found)
    command = measure.command_line("pose_range", chosen)
    directory = pathlib.Path(chosen.output_dir)
    what = (
        f"Landmarks of {chosen.num_people} rendered people per head model inside the "
        "true face box"
    )
    measure.write(
        str(directory / "pose_range.json"),
        what=f"{what}, by yaw to either side; pitch up to 30°, roll up to 15°. The "
        "area under the ROC curve tells how well the stated probability separates "
        "visible from hidden landmarks.",
        command=command,
        figures=by_yaw,
        baseline={},
    )
    measure.write(
        str(directory / "pose_range_roll.json"),
        what=f"{what}, in frames that are turned in the image plane; yaw up to "
        f"{_TURNED_YAW}°.",
        command=command,
        figures=by_roll,
        baseline={},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
