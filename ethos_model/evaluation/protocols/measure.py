"""Predicts the faces of a protocol and measures their errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from typing import Protocol as Interface

import numpy as np

from ethos_data import topology
from ethos_data.corpora.source import Listing
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.visibility import UNLABELLED
from ethos_model.evaluation.protocols.protocol import (
    VISIBLE_CONTOUR,
    Item,
    Protocol,
)
from ethos_model.footage.measures.outline import with_outline
from ethos_model.predict import Predictor

LABELS: Final = "labels"
DETECTOR: Final = "detector"
FACE_BOXES: Final = (LABELS, DETECTOR)
"""Where the face box of a prediction comes from."""

MIN_OVERLAP: Final = 0.4
"""Intersection over union with the box of the labels from which a face is found."""

Progress = Callable[[int, int], None]


class Finder(Interface):
    """The method of `FaceFinder` that is used here."""

    def find(self, frame_rgb: np.ndarray) -> Sequence: ...


@dataclasses.dataclass(frozen=True)
class FaceError:
    """The errors of a face.

    Attributes:
      path: Name of the image or video, relative to the data set.
      frame: Number of the frame, from 0.
      subsets: Subsets of the face, without the full set.
      found: Whether the detector has found the face; True if the labels give the box.
      nme_iod: For each model: NME_iod in %. NaN if an outer corner of the eyes has no
        label, infinite if the face was not found.
      nme_box: For each model: NME_box in %.
    """

    path: str
    frame: int
    subsets: tuple[str, ...]
    found: bool
    nme_iod: tuple[float, ...]
    nme_box: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Measurements:
    """The errors of all faces.

    Attributes:
      faces: The faces that were evaluated, in the order of the data set.
      left_out: Path and reason of each image or video that cannot be used.
    """

    faces: tuple[FaceError, ...]
    left_out: tuple[tuple[str, str], ...]


def normalised_errors(
    predicted: np.ndarray, true: np.ndarray, *, divides_by_all: bool = False
) -> tuple[float, float]:
    """Returns NME_iod and NME_box of a face, in %.

    Args:
      predicted: (68, 2) or (68, 3), source pixels.
      true: (68, 2) or (68, 3), source pixels. NaN where there is no label.
      divides_by_all: Whether the sum of the errors is divided by 68 instead of the
        number of labels.

    Returns:
      NME_iod: the mean distance divided by the distance of the outer corners of the
      eyes, NaN if one of them has no label; and NME_box: divided by sqrt(w * h) of the
      box of the labels.
    """
    predicted = np.asarray(predicted, np.float64)[:, :2]
    true = np.asarray(true, np.float64)[:, :2]
    distance = np.linalg.norm(predicted - true, axis=1)
    count = len(distance) if divides_by_all else np.isfinite(distance).sum()
    mean = np.nansum(distance) / count
    right, left = topology.OUTER_EYE_CORNERS
    iod = np.linalg.norm(true[right] - true[left])
    return 100 * mean / iod, 100 * mean / topology.face_size(label_box(true))


def label_box(true: np.ndarray) -> np.ndarray:
    """Returns the tight box of the labelled landmarks: x0, y0, x1, y1.

    Args:
      true: (68, 2) or (68, 3), source pixels. NaN where there is no label.
    """
    xy = np.asarray(true, np.float64)[:, :2]
    return np.concatenate([np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)])


def measure(
    protocol: Protocol,
    listing: Listing,
    items: Sequence[Item],
    predictors: Sequence[Predictor],
    *,
    finder: Finder | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Measurements:
    """Evaluates the faces of a protocol.

    Args:
      protocol: The protocol.
      listing: The files of the data set.
      items: The images or videos, from `protocol.find`.
      predictors: One or more models.
      finder: Detector that gives the face box; None for the box of the labels.
      limit: Maximum number of faces, evenly spread; None for all.
      progress: Function that is called with the number of frames that are done and the
        number of all frames.
    """
    plan = _selected(items, limit)
    total = sum(count for _, count in plan)
    faces: list[FaceError] = []
    left_out: list[tuple[str, str]] = []
    done = 0
    show = progress or (lambda done, total: None)
    for item, count in plan:
        before = len(faces)
        try:
            for video in _read(protocol, listing, item, count):
                for face in _video_errors(protocol, item, video, predictors, finder):
                    faces.append(face)
                    show(done + len(faces) - before, total)
        except CorpusError as error:
            left_out.append((error.path, error.reason))
        done += count
        show(done, total)
    return Measurements(tuple(faces), tuple(left_out))


def _selected(items: Sequence[Item], limit: int | None) -> list[tuple[Item, int]]:
    """Returns the items to evaluate with the number of frames of each."""
    frames = [max(item.source.frames, 1) for item in items]
    total = sum(frames)
    if limit is None or limit >= total:
        return list(zip(items, frames, strict=True))
    # Frame k of the selection belongs to the item in which its place lies.
    places = np.arange(limit) * total // limit
    chosen = np.searchsorted(np.cumsum(frames), places, side="right")
    counts = np.bincount(chosen, minlength=len(items)).tolist()
    return [(item, n) for item, n in zip(items, counts, strict=True) if n]


def _read(
    protocol: Protocol, listing: Listing, item: Item, count: int
) -> Iterator[Video]:
    source = item.source
    if source.problem:
        raise CorpusError(listing.path(source.path), source.problem)
    frames = None if count >= source.frames else count
    yield from protocol.read(listing.corpus_dir, source, 1, frames)


def _video_errors(
    protocol: Protocol,
    item: Item,
    video: Video,
    predictors: Sequence[Predictor],
    finder: Finder | None,
) -> Iterator[FaceError]:
    """Yields the errors of the frames of a video."""
    for index, number in enumerate(video.frame_numbers.tolist()):
        if number in item.excluded:
            continue
        true = video.landmarks[index, :, :2].astype(np.float64)
        if video.visible is not None:
            true[video.visible[index] == UNLABELLED] = np.nan
        _check_labels(protocol, video.path, true)
        box = label_box(true)
        frame = video.frames[index]
        face_box = box if finder is None else _found_box(finder, frame, box)
        errors = [
            _errors(protocol, predictor, frame, face_box, true)
            for predictor in predictors
        ]
        yield FaceError(
            item.source.path,
            number,
            item.subsets,
            face_box is not None,
            tuple(iod for iod, _ in errors),
            tuple(box for _, box in errors),
        )


def _check_labels(protocol: Protocol, path: str, true: np.ndarray) -> None:
    known = np.isfinite(true).all(axis=1)
    if not known.any() or not (np.ptp(true[known], axis=0) > 0).all():
        raise CorpusError(path, "has no labelled landmarks that span a box")
    if protocol.has_iod and not known[list(topology.OUTER_EYE_CORNERS)].all():
        raise CorpusError(path, "the outer corners of the eyes have no label")


def _found_box(finder: Finder, frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Returns the detected face box that fits the labels best; None if none does."""
    boxes = [np.asarray(detection.box) for detection in finder.find(frame)]
    if not boxes:
        return None
    overlaps = topology.iou(np.stack(boxes), box)
    best = int(np.argmax(overlaps))
    return boxes[best] if overlaps[best] > MIN_OVERLAP else None


def _errors(
    protocol: Protocol,
    predictor: Predictor,
    frame: np.ndarray,
    face_box: np.ndarray | None,
    true: np.ndarray,
) -> tuple[float, float]:
    if face_box is None:
        return float("inf"), float("inf")
    (face,) = predictor.predict(frame, [face_box])
    if protocol.outline.startswith(VISIBLE_CONTOUR):
        face = with_outline(face)
    return normalised_errors(
        face.landmarks, true, divides_by_all=protocol.divides_by_all
    )
