"""Evaluates every frame of a split under every condition in one pass.

Each frame is read once. Only its scores are kept (see `scores`), so the memory does not
grow with the number of conditions times the size of the network's outputs.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from ethos_data.depth import depth_maps
from ethos_data.errors import EthosError
from ethos_model import metrics
from ethos_model.evaluation import slices, still
from ethos_model.evaluation.baseline import MeanFace
from ethos_model.evaluation.conditions import CLEAN, Condition
from ethos_model.evaluation.degraded import DegradedBatch
from ethos_model.evaluation.results import Example, FrameResult, WorstCase
from ethos_model.evaluation.samples import Sample
from ethos_model.evaluation.scores import ConditionScores, Truth

BATCH: Final = 32
"""Number of frames per batch."""

DERIVED_EVERY: Final = 8
"""The error of the depth derived from true landmarks is measured on one frame in 8,
because deriving it takes as long as all conditions together."""

WORST_CASES: Final = 7
"""Number of worst frames kept per condition, each from another video."""

EXAMPLES: Final = 4
"""Number of frames, evenly spread over the split, that the report shows in full."""


@dataclasses.dataclass(frozen=True)
class EvaluatedModel:
    """A model under evaluation.

    Attributes:
      name: Name of the model in the report.
      predict: Function from uint8 (N, S, S, 3) to landmarks (N, 68, 3), uncertainty
        (N, 68), depth (N, D, D, 1) and restored (N, D, D, 1), like the signature
        "serving_default" of the SavedModel.
      image_size: Side S of the input, in pixels.
      depth_size: Side D of the depth map, in pixels.
    """

    name: str
    predict: Callable[[np.ndarray], Mapping[str, np.ndarray]]
    image_size: int
    depth_size: int


@dataclasses.dataclass
class Measurements:
    """Everything that one pass over a split collects.

    Attributes:
      frames: Properties and clean scores of every frame, in stored order.
      scores: Scores of the model by condition.
      baseline_nme: By condition, a list with NME_box (N,) of the baseline model for
        each batch.
      mean_face: By metric, a list with the values (N,) of the mean face for each batch.
      jitter: By condition, the jitter of each still clip, % of the face size.
      worst: By condition, the worst frame of each of the worst videos, worst first.
      examples: Complete outputs for a few frames under each source condition.
    """

    frames: list[FrameResult] = dataclasses.field(default_factory=list)
    scores: dict[Condition, ConditionScores] = dataclasses.field(default_factory=dict)
    baseline_nme: dict[Condition, list[np.ndarray]] = dataclasses.field(
        default_factory=dict
    )
    mean_face: dict[str, list[np.ndarray]] = dataclasses.field(default_factory=dict)
    jitter: dict[Condition, list[float]] = dataclasses.field(default_factory=dict)
    worst: dict[Condition, list[WorstCase]] = dataclasses.field(default_factory=dict)
    examples: list[Example] = dataclasses.field(default_factory=list)


def gather(
    model: EvaluatedModel,
    samples: Iterable[Sample],
    conditions: Sequence[Condition],
    mean: MeanFace,
    *,
    total: int,
    baseline: EvaluatedModel | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Measurements:
    """Predicts and scores every sample under every condition.

    Args:
      model: Model under evaluation.
      samples: Samples of a split.
      conditions: Conditions to evaluate, clean first.
      mean: The mean face.
      total: Number of samples.
      baseline: Another model, of which only NME_box is measured.
      seed: Random seed of all degradations.
      progress: Function that is called after each batch with the number of frames that
        are done and `total`.
    """
    measurements = Measurements(scores={c: ConditionScores() for c in conditions})
    depth_size = model.depth_size
    mean_depth = np.nan_to_num(mean.depth(depth_size))
    clip_distance = max(1, total // still.CLIPS)
    example_indices = {total * (2 * i + 1) // (2 * EXAMPLES) for i in range(EXAMPLES)}
    done = 0
    for number, batch in enumerate(_batches(samples)):
        clean = DegradedBatch(CLEAN, batch, seed=seed, number=number)
        clean_truth = clean.truth(depth_size)
        _score_mean_face(measurements, clean_truth, mean, mean_depth)
        examples = [i for i in range(len(batch)) if done + i in example_indices]
        for condition in conditions:
            degraded = DegradedBatch(condition, batch, seed=seed, number=number)
            moved = condition.kind == "box"
            truth = degraded.truth(depth_size) if moved else clean_truth
            _evaluate(measurements, model, condition, degraded, batch, truth, examples)
            if baseline is not None:
                outputs = baseline.predict(degraded.images(baseline.image_size))
                nme = metrics.nme_box(
                    outputs["landmarks"], truth.landmarks, truth.known
                )
                measurements.baseline_nme.setdefault(condition, []).append(nme)
        for sample in batch[-done % clip_distance :: clip_distance]:
            _measure_jitter(measurements, model, sample, conditions, seed)
        done += len(batch)
        if progress:
            progress(done, total)
    return measurements


def _batches(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    rest = iter(samples)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch


def _evaluate(
    measurements: Measurements,
    model: EvaluatedModel,
    condition: Condition,
    degraded: DegradedBatch,
    batch: Sequence[Sample],
    truth: Truth,
    examples: Sequence[int],
) -> None:
    """Predicts and scores a batch under one condition.

    Args:
      measurements: Where the scores are added.
      model: Model under evaluation.
      condition: Condition of the batch.
      degraded: The batch under this condition.
      batch: The clean samples of the batch.
      truth: Ground truth in the windows of the condition.
      examples: Indices of the samples whose outputs are kept.
    """
    images = degraded.images(model.image_size)
    outputs = model.predict(images)
    if not np.isfinite(outputs["landmarks"]).all():
        raise EthosError(
            f"{model.name}: the predicted landmarks are not finite "
            f"(condition {condition.key})"
        )
    measurements.scores[condition].add(outputs, truth, images)
    if condition == CLEAN:
        _add_frames(measurements, batch, truth)
    if condition.kind in ("clean", "source"):
        _add_worst(measurements, condition, batch, truth, outputs, images)
    if condition.kind == "source":
        measurements.examples += [
            _example(condition, batch[i], truth, outputs, images, i) for i in examples
        ]


def _measure_jitter(
    measurements: Measurements,
    model: EvaluatedModel,
    sample: Sample,
    conditions: Sequence[Condition],
    seed: int,
) -> None:
    for condition in conditions:
        if condition.kind in ("clean", "source"):
            value = still.jitter(
                model.predict, sample, condition, model.image_size, seed=seed
            )
            measurements.jitter.setdefault(condition, []).append(value)


def _score_mean_face(
    measurements: Measurements, truth: Truth, mean: MeanFace, mean_depth: np.ndarray
) -> None:
    """Scores the mean face, and the depth derived from the true landmarks."""
    predicted = np.broadcast_to(mean.landmarks, truth.landmarks.shape)
    derived = np.full_like(truth.depth, np.nan)
    some = slice(None, None, DERIVED_EVERY)
    derived[some] = np.nan_to_num(depth_maps(truth.landmarks[some], derived.shape[-1]))
    depth = (truth.depth, truth.depth_mask, truth.face_size)
    for name, values in {
        "nme_box": metrics.nme_box(predicted, truth.landmarks, truth.known),
        "nme_iod": metrics.nme_iod(predicted, truth.landmarks, truth.known),
        "z_error": metrics.z_error(predicted, truth.landmarks, truth.known_z),
        "depth_error": metrics.depth_error(mean_depth, *depth),
        "derived_depth_error": metrics.depth_error(derived, *depth),
    }.items():
        measurements.mean_face.setdefault(name, []).append(values)


def _add_frames(
    measurements: Measurements, batch: Sequence[Sample], truth: Truth
) -> None:
    """Adds the properties and the clean scores of the frames of a batch."""
    clean = measurements.scores[CLEAN]
    yaws = slices.yaw(truth.landmarks)
    for i, sample in enumerate(batch):
        measurements.frames.append(
            FrameResult(
                person_id=sample.person_id,
                video_id=sample.video_id,
                frame=sample.frame,
                face_size=sample.source_face_size,
                yaw=float(yaws[i]),
                brightness=slices.brightness(sample),
                sharpness=slices.sharpness(sample),
                nme_box=float(clean.last("nme_box")[i]),
                nme_iod=float(clean.last("nme_iod")[i]),
                stated_sigma=float(clean.last("stated_sigma")[i]),
                mean_face_nme_box=float(measurements.mean_face["nme_box"][-1][i]),
            )
        )


def _add_worst(
    measurements: Measurements,
    condition: Condition,
    batch: Sequence[Sample],
    truth: Truth,
    outputs: Mapping[str, np.ndarray],
    images: np.ndarray,
) -> None:
    """Updates the worst frames of a condition with those of a batch."""
    nme = measurements.scores[condition].last("nme_box")
    sigma = measurements.scores[condition].last("stated_sigma")
    cases = list(measurements.worst.get(condition, []))
    for i in np.argsort(-nme):
        cases.append(
            WorstCase(
                condition=condition.key,
                person_id=batch[i].person_id,
                video_id=batch[i].video_id,
                frame=batch[i].frame,
                nme_box=float(nme[i]),
                stated_sigma=float(sigma[i]),
                image=images[i].copy(),
                true=np.where(truth.known[i][:, None], truth.landmarks[i], np.nan),
                predicted=np.array(outputs["landmarks"][i]),
            )
        )
    cases.sort(key=lambda case: -case.nme_box)
    # Only the worst frame of each video, because the others look similar.
    by_video: dict[str, WorstCase] = {}
    for case in cases:
        by_video.setdefault(case.video_id, case)
    measurements.worst[condition] = list(by_video.values())[:WORST_CASES]


def _example(
    condition: Condition,
    sample: Sample,
    truth: Truth,
    outputs: Mapping[str, np.ndarray],
    images: np.ndarray,
    i: int,
) -> Example:
    return Example(
        condition=condition.key,
        video_id=sample.video_id,
        frame=sample.frame,
        image=images[i].copy(),
        predicted=np.array(outputs["landmarks"][i]),
        restored=np.array(outputs["restored"][i, ..., 0]),
        clean=truth.grey[i],
        depth=np.array(outputs["depth"][i, ..., 0]),
        true_depth=np.where(truth.depth_mask[i], truth.depth[i], np.nan),
    )
