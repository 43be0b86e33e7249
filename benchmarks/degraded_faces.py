"""Measures of degraded faces of a data set, with the error of their landmarks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from ethos_data import crop, topology
from ethos_data.crop import Window
from ethos_data.progress import bar
from ethos_model import metrics
from ethos_model.evaluation import conditions, samples
from ethos_model.evaluation.conditions import Condition
from ethos_model.evaluation.samples import Sample
from ethos_model.footage.measures import FaceMeasures, measure
from ethos_model.predict import Face, FacePredictor

PAIRS: Final = 10
"""Number of pairs of degradations that are applied to each face."""


@dataclasses.dataclass(frozen=True, eq=False)
class DegradedFace:
    """A face under a condition.

    Attributes:
      person_id: Person that the face belongs to.
      kind: Kind of the condition (`ethos_model.evaluation.conditions`), or "pair" for
        two degradations at once.
      severity: 1 to 5; 0 if the condition has only one strength.
      error: NME_box, in %.
      sigma: Mean stated uncertainty divided by the face size.
      measures: Measures of the face.
    """

    person_id: str
    kind: str
    severity: int
    error: float
    sigma: float
    measures: FaceMeasures


BATCH: Final = 32
"""Number of faces that are degraded together."""

_NETWORK_SIZE: Final = 112
"""Side of the images to which the trained degradations are applied, in pixels."""


def collect(data_dir: str, split: str, limit: int | None) -> Iterator[DegradedFace]:
    """Yields the faces of a split under all conditions of the report, and pairs.

    Args:
      data_dir: Directory that ethos-convert wrote.
      split: "validation" or "test".
      limit: Maximum number of faces; None for all.
    """
    predictor = FacePredictor()
    chains: list[tuple[str, tuple[Condition, ...]]] = [
        (condition.kind, (condition,)) for condition in conditions.all_conditions()
    ]
    chains += [("pair", pair) for pair in _pairs()]
    total = samples.count(data_dir, split, limit=limit)
    faces = samples.read_samples(data_dir, split, limit=limit)
    with bar(total, "faces") as progress:
        for number, batch in enumerate(_batches(faces)):
            for kind, chain in chains:
                moved = [chain[0].move(sample, 0) for sample in batch]
                for frame, sample in _degraded(moved, chain, number):
                    yield _measured(predictor, frame, sample, kind, chain[0].severity)
            progress.update(len(batch))


def _batches(faces: Iterator[Sample]) -> Iterator[list[Sample]]:
    while batch := list(itertools.islice(faces, BATCH)):
        yield batch


def _pairs() -> list[tuple[Condition, ...]]:
    """Random pairs of different degradations at severity 3 to 5."""
    rng = np.random.default_rng(0)
    return [
        tuple(
            Condition("trained", str(name), int(rng.integers(3, 6)))
            for name in rng.choice(conditions.TRAINED, 2, replace=False)
        )
        for _ in range(PAIRS)
    ]


def _degraded(
    batch: Sequence[Sample], chain: Sequence[Condition], number: int
) -> Iterator[tuple[np.ndarray, Sample]]:
    """Yields degraded frames, and their samples with windows in these frames.

    The trained degradations act on the network's input, as in the report. Their frame
    is that input. The others act on the source frame.
    """
    if chain[0].kind != "trained":
        for sample in batch:
            frame = chain[0].degrade_source(sample, 0)
            yield (sample.image if frame is None else frame), sample
        return
    images = np.stack([sample.network_image(_NETWORK_SIZE) for sample in batch])
    sizes = np.array([sample.face_size for sample in batch])
    for place, condition in enumerate(chain):
        images = condition.degrade_input(images, sizes, seed=2 * number + place)
    window = Window(-0.5, -0.5, _NETWORK_SIZE)
    for image, sample in zip(images, batch, strict=True):
        yield image, dataclasses.replace(sample, image=image, window=window)


def _measured(
    predictor: FacePredictor,
    frame: np.ndarray,
    sample: Sample,
    kind: str,
    severity: int,
) -> DegradedFace:
    """Predicts and measures one face."""
    window = sample.window
    true = window.to_source(sample.landmarks)
    # The network's window is `crop.NETWORK_CONTEXT` times as large as the box.
    center = np.array([window.left, window.top]) + window.size / 2
    half = window.size / crop.NETWORK_CONTEXT / 2
    face = predictor.predict(frame, [np.concatenate([center - half, center + half])])[0]
    # The predictor moves the landmarks from where the labels are to where the face is.
    size = float(topology.face_size(topology.face_box(true)))
    true[:, 0] -= float(predictor.card.get("label_shift", 0)) / 100 * size
    error = float(metrics.nme_box(face.landmarks, true, sample.known))
    frame, face = _at_source_size(frame, face, sample.source_face_size / size)
    measures = measure(frame, face)
    return DegradedFace(
        person_id=sample.person_id,
        kind=kind,
        severity=severity,
        error=error,
        sigma=float(face.uncertainty.mean()) / measures.picture.size,
        measures=measures,
    )


def _at_source_size(
    frame: np.ndarray, face: Face, scale: float
) -> tuple[np.ndarray, Face]:
    """Scales a square frame and its face to the size of the face in the video."""
    side = round(frame.shape[0] * scale)
    scale = side / frame.shape[0]
    if scale == 1:
        return frame, face
    landmarks = face.landmarks * np.float32(scale)
    landmarks[:, :2] += (scale - 1) / 2
    return crop.resize(frame, side), dataclasses.replace(
        face, landmarks=landmarks, uncertainty=face.uncertainty * np.float32(scale)
    )
