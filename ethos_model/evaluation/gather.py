"""One pass over a split: every frame under every condition, scored as it goes by.

Frames are read once and leave again; only scores stay (see `scores`), so the memory
does not grow with the number of conditions times the size of the network's outputs.
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
from ethos_model.evaluation.results import Example, Frame, WorstCase
from ethos_model.evaluation.samples import Sample
from ethos_model.evaluation.scores import ConditionScores, Truth
from ethos_model.evaluation.shown import Shown


@dataclasses.dataclass(frozen=True)
class Network:
    """A model under evaluation.

    Attributes:
      name: for the report.
      predict: uint8 (N, S, S, 3) to landmarks (N, 68, 3), uncertainty (N, 68), depth
        (N, D, D, 1) and restored (N, D, D, 1), as the SavedModel's serving_default.
      image_size: S, pixels.
      depth_size: D, pixels.
    """

    name: str
    predict: Callable[[np.ndarray], Mapping[str, np.ndarray]]
    image_size: int
    depth_size: int


BATCH: Final = 32

DERIVED_EVERY: Final = 8
"""The derived depth's own error is measured on every so manieth frame."""

WORST_CASES: Final = 7
"""Pictures kept of each condition that is shown, the worst frame of as many videos."""

EXAMPLES: Final = 4
"""Frames, spread over the split, whose depth and restored picture are shown."""


@dataclasses.dataclass
class Gathered:
    """What one pass collects.

    Attributes:
      frames: facts and clean scores of every frame, in stored order.
      scores: of the model, by condition.
      baseline_nme: NME_box (N,) of the baseline model in batches, by condition.
      mean_face: metric -> (N,) of the mean face in batches.
      jitter: NME-like %, one entry a still clip, by condition.
      worst: by condition, the worst frame of a video each, worst first.
      examples: what comes out, for a few frames under each condition of the source.
    """

    frames: list[Frame] = dataclasses.field(default_factory=list)
    scores: dict[Condition, ConditionScores] = dataclasses.field(default_factory=dict)
    baseline_nme: dict[Condition, list[np.ndarray]] = dataclasses.field(
        default_factory=dict
    )
    mean_face: dict[str, list[np.ndarray]] = dataclasses.field(default_factory=dict)
    jitter: dict[Condition, list[float]] = dataclasses.field(default_factory=dict)
    worst: dict[Condition, list[WorstCase]] = dataclasses.field(default_factory=dict)
    examples: list[Example] = dataclasses.field(default_factory=list)


def gather(
    network: Network,
    samples: Iterable[Sample],
    conditions: Sequence[Condition],
    mean: MeanFace,
    *,
    total: int,
    baseline: Network | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Gathered:
    """Predicts and scores every sample under every condition.

    Args:
      network: the model that is evaluated.
      samples: of a split.
      conditions: clean first.
      mean: the mean face.
      total: number of samples.
      baseline: another model, of which only NME_box is kept.
      seed: of all degradations.
      progress: called after each batch with the frames done and `total`.
    """
    found = Gathered(scores={c: ConditionScores() for c in conditions})
    depth_size = network.depth_size
    mean_depth = np.nan_to_num(mean.depth(depth_size))
    every = max(1, total // still.CLIPS)
    picked = {total * (2 * i + 1) // (2 * EXAMPLES) for i in range(EXAMPLES)}
    done = 0
    for number, batch in enumerate(_batches(samples)):
        clean_truth = Shown(CLEAN, batch, seed=seed, number=number).truth(depth_size)
        _score_mean_face(found, clean_truth, mean, mean_depth)
        for condition in conditions:
            shown = Shown(condition, batch, seed=seed, number=number)
            moved = condition.kind == "box"
            truth = shown.truth(depth_size) if moved else clean_truth
            images = shown.images(network.image_size)
            outputs = network.predict(images)
            if not np.isfinite(outputs["landmarks"]).all():
                raise EthosError(f"{condition.key}: the model's points are not finite")
            found.scores[condition].add(outputs, truth, images)
            if condition == CLEAN:
                _note_frames(found, batch, truth)
            if condition.kind in ("clean", "source"):
                _note_worst(found, condition, batch, truth, outputs, images)
            for i in range(len(batch)):
                if condition.kind == "source" and done + i in picked:
                    found.examples.append(
                        _example(condition, batch[i], truth, outputs, images, i)
                    )
            if baseline is not None:
                others = baseline.predict(shown.images(baseline.image_size))
                nme = metrics.nme_box(others["landmarks"], truth.landmarks)
                found.baseline_nme.setdefault(condition, []).append(nme)
        for sample in batch[-done % every :: every]:
            for condition in conditions:
                if condition.kind in ("clean", "source"):
                    found.jitter.setdefault(condition, []).append(
                        still.jitter(
                            network.predict,
                            sample,
                            condition,
                            network.image_size,
                            seed=seed,
                        )
                    )
        done += len(batch)
        if progress:
            progress(done, total)
    return found


def _batches(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    rest = iter(samples)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch


def _score_mean_face(
    found: Gathered,
    truth: Truth,
    mean: MeanFace,
    mean_depth: np.ndarray,
) -> None:
    """The mean face, and the depth that can be derived from the true landmarks."""
    guess = np.broadcast_to(mean.landmarks, truth.landmarks.shape)
    derived = np.full_like(truth.depth, np.nan)
    # Takes as long as all conditions together: a part of the frames must do.
    some = slice(None, None, DERIVED_EVERY)
    derived[some] = np.nan_to_num(depth_maps(truth.landmarks[some], derived.shape[-1]))
    depth = (truth.depth, truth.depth_mask, truth.face_size)
    for name, values in {
        "nme_box": metrics.nme_box(guess, truth.landmarks),
        "nme_iod": metrics.nme_iod(guess, truth.landmarks),
        "z_error": metrics.z_error(guess, truth.landmarks),
        "depth_error": metrics.depth_error(mean_depth, *depth),
        "derived_depth_error": metrics.depth_error(derived, *depth),
    }.items():
        found.mean_face.setdefault(name, []).append(values)


def _note_frames(found: Gathered, batch: Sequence[Sample], truth: Truth) -> None:
    clean = found.scores[CLEAN].frames
    yaws = slices.yaw(truth.landmarks)
    for i, sample in enumerate(batch):
        found.frames.append(
            Frame(
                person_id=sample.person_id,
                video_id=sample.video_id,
                frame=sample.frame,
                face_size=sample.source_face_size,
                yaw=float(yaws[i]),
                brightness=slices.brightness(sample),
                sharpness=slices.sharpness(sample),
                nme_box=float(clean["nme_box"][-1][i]),
                nme_iod=float(clean["nme_iod"][-1][i]),
                stated_sigma=float(clean["stated_sigma"][-1][i]),
                mean_face_nme_box=float(found.mean_face["nme_box"][-1][i]),
            )
        )


def _note_worst(
    found: Gathered,
    condition: Condition,
    batch: Sequence[Sample],
    truth: Truth,
    outputs: Mapping[str, np.ndarray],
    images: np.ndarray,
) -> None:
    nme = found.scores[condition].frames["nme_box"][-1]
    sigma = found.scores[condition].frames["stated_sigma"][-1]
    kept = found.worst.setdefault(condition, [])
    for i in np.argsort(-nme):
        kept.append(
            WorstCase(
                condition=condition.key,
                person_id=batch[i].person_id,
                video_id=batch[i].video_id,
                frame=batch[i].frame,
                nme_box=float(nme[i]),
                stated_sigma=float(sigma[i]),
                image=images[i].copy(),
                true=truth.landmarks[i],
                predicted=np.array(outputs["landmarks"][i]),
            )
        )
    kept.sort(key=lambda case: -case.nme_box)
    # A bad video's frames are alike: one of them says what there is to see.
    of_videos: dict[str, WorstCase] = {}
    for case in kept:
        of_videos.setdefault(case.video_id, case)
    kept[:] = list(of_videos.values())[:WORST_CASES]


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
