"""Error of landmarks between two corrected frames, on rendered clips with exact truth.

    python -m benchmarks.interpolation

The viewer's correction mode computes the frames between two corrected frames of a
person. Here the corrections are the exact landmarks of rendered, moving heads of the
built-in type, of which the shipped model has seen none. The rows compare the estimates
of `gui.correction.interpolation` with straight lines and with the model alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from benchmarks import measure
from ethos_data import options, progress
from ethos_data.errors import cli
from ethos_data.heads.figure import sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.scene import render_frames, sample_scene
from ethos_data.topology import face_box, face_size
from ethos_model.predict import FacePredictor
from gui.correction import interpolation
from gui.correction.interpolation import Tracks

GAPS: Final = (5, 10, 25, 50)
"""Distances of the two corrected frames, in frames."""

FRAMES: Final = max(GAPS) + 1

SIZE: Final = 300
"""Nominal height of a frame, in pixels. The median face has 132 pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    output: str = measure.output_option("interpolation")
    people: int = options.option(8, "Number of people, one clip each", minimum=1)
    seed: int = options.option(78, "Random seed. The weights were chosen with seed 77")
    model: str | None = options.option(
        None, "Directory of an exported model (default: the shipped one)", metavar="DIR"
    )


def clips(count: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Renders clips of different people.

    Yields:
      Frames uint8 (FRAMES, H, W, 3) and exact landmarks float64 (FRAMES, 68, 2), in
      source pixels.
    """
    model = HeadModel.builtin()
    for person in range(count):
        rng = np.random.default_rng((seed, person))
        figure = sample_figure(model, rng)
        scene = sample_scene(figure, rng, num_frames=FRAMES, size=SIZE)
        frames = list(render_frames(figure, scene))
        points = np.stack([frame.landmarks[:, :2] for frame in frames])
        yield np.stack([frame.image for frame in frames]), points.astype(np.float64)


def estimates(
    frames: np.ndarray, first: np.ndarray, last: np.ndarray, predictor: FacePredictor
) -> dict[str, np.ndarray]:
    """The landmarks of all frames by each method.

    Args:
      frames: uint8 (T, H, W, 3) RGB.
      first: (68, 2), corrected landmarks of the first frame.
      last: (68, 2), corrected landmarks of the last frame.
      predictor: The model.

    Returns:
      float64 (T, 68, 2) by the name of the row.
    """
    tracks = Tracks.of(frames, first, last)
    predictions = np.stack(
        [
            predictor.predict(frame, [box])[0].landmarks[:, :2]
            for frame, box in zip(frames, tracks.boxes, strict=True)
        ]
    ).astype(np.float64)
    return {
        "straight lines": interpolation.linear(first, last, len(frames)),
        "model alone": predictions,
        "tracking": tracks.points,
        "model and its error": interpolation.predicted(predictions, first, last),
        "both (the viewer)": tracks.with_predictions(predictions),
    }


def errors(chosen: Options) -> dict[str, dict[int, float]]:
    """Mean error in % of the face size, by method and gap."""
    predictor = FacePredictor(chosen.model)
    sums: dict[tuple[str, int], list[float]] = defaultdict(list)
    with progress.bar(chosen.people, "people") as bar:
        for frames, truth in clips(chosen.people, chosen.seed):
            size = face_size(face_box(truth))[:, None]
            for gap in GAPS:
                for start in range(0, FRAMES - gap, max(gap, 10)):
                    part = slice(start, start + gap + 1)
                    inside = slice(start + 1, start + gap)
                    found = estimates(
                        frames[part], truth[start], truth[start + gap], predictor
                    )
                    for name, points in found.items():
                        away = np.linalg.norm(points[1:-1] - truth[inside], axis=-1)
                        sums[name, gap].append(float((away / size[inside]).mean()))
            bar.update()
    result: dict[str, dict[int, float]] = {}
    for (name, gap), values in sums.items():
        result.setdefault(name, {})[gap] = 100 * float(np.mean(values))
    return result


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("interpolation", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    rows = {
        name: {f"{gap} frames": round(by_gap[gap], 2) for gap in GAPS}
        for name, by_gap in errors(chosen).items()
    }
    measure.save(
        "interpolation",
        chosen,
        what="Mean error of the landmarks between two corrected frames, in % of the "
        "face size, by the distance of the corrected frames. Rendered heads of a type "
        f"that the model has not seen, {chosen.people} people.",
        figures=rows,
        baseline={},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
