"""Measures how often a hidden face is still found, by the number of cells across it.

    python -m benchmarks.hiding gui/assets/sample.mp4 talking_faces/*.mp4
    python -m benchmarks.hiding gui/assets/sample.mp4 --picture docs/images/hidden.png

A few frames of each video are hidden in the same way as `ethos-annotate --hide_faces`
does it, with different numbers of cells. Then the finder searches the frame, and the
landmark network looks at the true place of the face.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from benchmarks import measure, pictures
from ethos_data import topology
from ethos_data.errors import cli
from ethos_data.options import from_flags, option, required
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.hiding.cover import CELLS, KINDS, Cover, hide
from ethos_model.footage.hiding.plan import plan_hiding
from ethos_model.footage.reader import open_video
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from ethos_model.footage.tracks import FrameFaces, TrackedFace
from ethos_model.predict import FacePredictor

CELL_COUNTS: Final = (8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.5)

MAX_HEIGHT: Final = 480
"""Larger frames are reduced to this height, in pixels, to save time."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    videos: tuple[str, ...] = required(
        "Videos with faces", positional=True, metavar="VIDEO"
    )
    frames: int = option(5, "Number of frames per video, evenly spaced", minimum=1)
    picture: str | None = option(
        None, "PNG file for the first frame, hidden in each way", metavar="FILE"
    )
    output: str = measure.output_option("hiding")


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """A frame and its largest face.

    Attributes:
      image: uint8 (H, W, 3), RGB.
      face: The face.
      cover: The area that is hidden.
    """

    image: np.ndarray
    face: TrackedFace
    cover: Cover


def samples(chosen: Options, tracker: FaceTracker) -> Iterator[Sample]:
    """Yields the frames in which a face is found."""
    for path in chosen.videos:
        with open_video(path) as source:
            count = source.info.frame_count or chosen.frames
        for number in range(chosen.frames):
            with open_video(path) as source:
                source.seek(int((number + 0.5) * count / chosen.frames))
                frame = source.read()
            if frame is None:
                continue
            image = frame.image
            scale = MAX_HEIGHT / image.shape[0]
            if scale < 1:
                size = (round(scale * image.shape[1]), MAX_HEIGHT)
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            tracker.reset()
            faces = tracker.update(image, 0.0)
            if faces:
                plan = plan_hiding([FrameFaces(0, 0.0, tuple(faces[:1]))])
                yield Sample(image, faces[0], plan.covers[0][0])


def figures(
    items: Sequence[Sample], kind: str, cells: float | None, finder: FaceFinder
) -> dict[str, float]:
    """Shares of the faces that are still found, in %."""
    predictor = FacePredictor()
    lost = TrackerOptions().lost_uncertainty
    found, sigmas = [], []
    for item in items:
        image = item.image
        if kind:
            image = hide(image, [item.cover], kind, cells=cells)
        box = np.asarray(item.face.box, np.float64)
        found.append(any(topology.iou(d.box, box) > 0 for d in finder.find(image)))
        (face,) = predictor.predict(image, [box])
        size = float(topology.face_size(topology.face_box(face.landmarks)))
        sigmas.append(float(np.median(face.uncertainty)) / size)
    return {
        "found by the finder %": round(100 * float(np.mean(found)), 1),
        "recognised by the network %": round(
            100 * float(np.mean(np.array(sigmas) < lost)), 1
        ),
        "median uncertainty, % of the face size": round(
            100 * float(np.median(sigmas)), 1
        ),
    }


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("hiding", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and writes the result or the picture."""
    chosen = from_flags(Options, parser().parse_args(argv))
    predictor = FacePredictor()
    finder = FaceFinder(predictor=predictor)
    items = list(samples(chosen, FaceTracker(predictor, finder)))
    if chosen.picture is not None:
        first = items[0]
        hidden = [hide(first.image, [first.cover], kind) for kind in KINDS]
        pictures.write_png(chosen.picture, np.concatenate([first.image, *hidden], 1))
        return 0
    results = {
        f"{kind}, {cells:g} cells": figures(items, kind, cells, finder)
        for kind in ("pixelate", "blur")
        for cells in CELL_COUNTS
    }
    results["box"] = figures(items, "box", None, finder)
    measure.save(
        "hiding",
        chosen,
        what=f"{len(items)} faces of {len(chosen.videos)} videos, hidden with a number "
        "of cells across the face. `ethos-annotate --hide_faces` leaves "
        f"{CELLS['pixelate']:g} cells of a pixelated face and {CELLS['blur']:g} of a "
        "blurred face. The network recognises a face if its uncertainty is below the "
        "limit of the tracker, given the true place of the face.",
        figures=results,
        baseline={"not hidden": figures(items, "", None, finder)},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
