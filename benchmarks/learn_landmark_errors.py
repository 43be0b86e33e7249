"""Learns which errors the landmarks of a face have in common.

    python -m benchmarks.learn_landmark_errors --head_model ict_facekit_light.npz

This writes `ethos_model/footage/assets/landmark_errors.npz`, which the fit of the head
uses (`ethos_model.footage.measures.landmark_errors`). Run it again after the landmark
network has been trained, then `python -m benchmarks.measures --calibrate`. The people
are rendered. Use another seed than for the calibration and for the results.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks import measure, rendered_faces
from benchmarks.measures import MAX_YAW
from benchmarks.rendered_faces import RenderedFace
from ethos_data import options
from ethos_data.errors import cli
from ethos_data.storage import files
from ethos_model import footage
from ethos_model.footage.measures import landmark_errors


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    head_model: str | None = options.option(
        None, "npz file of a morphable head to learn from as well", metavar="FILE"
    )
    num_people: int = options.option(120, "Number of people per head model", minimum=2)
    seed: int = options.option(11, "Random seed of the heads", minimum=0)
    output: str = options.option(
        str(pathlib.Path(footage.__file__).parent / landmark_errors.ASSET),
        "npz file to write",
        group="output",
        metavar="FILE",
        default_text=f"ethos_model/footage/{landmark_errors.ASSET}",
    )


def relative_errors(face: RenderedFace) -> Iterator[np.ndarray]:
    """Yields the errors (2, 68) of x and y under each condition, with y up.

    They are divided by the stated standard deviations.
    """
    true = face.frame.landmarks[:, :2]
    for found in face.predicted.values():
        error = (found.landmarks[:, :2] - true) / found.uncertainty[:, None]
        yield error.T * np.array([[1.0], [-1.0]])


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return measure.make_parser("learn_landmark_errors", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    errors = [
        error
        for model in rendered_faces.models(chosen.head_model).values()
        for face in rendered_faces.render_people(model, chosen.num_people, chosen.seed)
        if abs(face.scene.poses[face.index].yaw) < MAX_YAW
        for error in relative_errors(face)
    ]
    learned = landmark_errors.learn(np.array(errors))
    buffer = io.BytesIO()
    np.savez(
        buffer,
        patterns=learned.patterns.astype(np.float32),
        independent=learned.independent.astype(np.float32),
    )
    files.write(chosen.output, iter([buffer.getvalue()]))
    print(f"learned from {len(errors)} faces; wrote {chosen.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
