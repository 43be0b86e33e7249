"""Turns measurements into a `Report`: means, intervals, slices and calibration."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ethos_model import metrics
from ethos_model.evaluation import slices
from ethos_model.evaluation.baseline import MeanFace
from ethos_model.evaluation.bootstrap import mean_interval
from ethos_model.evaluation.conditions import CLEAN, Condition
from ethos_model.evaluation.gather import EvaluatedModel, Measurements
from ethos_model.evaluation.results import (
    CUMULATIVE_GRID,
    Calibration,
    ConditionResult,
    FrameResult,
    MeanFaceResult,
    Report,
    SliceResult,
)
from ethos_model.evaluation.scores import SIGMAS, ConditionScores

_MEANS: Final = (
    "nme_iod",
    "shift_x",
    "shift_y",
    "z_error",
    "depth_error",
    "restored_psnr",
    "input_psnr",
    "restored_ssim",
    "input_ssim",
    "within_1_sigma",
    "stated_sigma",
)
"""Metrics that a condition's result contains as plain means."""

_MIN_COORDINATES: Final = 500
"""Bins of the calibration with fewer coordinates are left out, as too noisy."""


def report(
    measurements: Measurements,
    mean: MeanFace,
    model: EvaluatedModel,
    *,
    data_dir: str,
    split: str,
    baseline: EvaluatedModel | None = None,
) -> Report:
    """Summarises the measurements of one pass over a split.

    Args:
      measurements: Result of `gather`.
      mean: The mean face.
      model: The evaluated model.
      data_dir: Directory of the data set.
      split: Split of the data set.
      baseline: The baseline model; None without one.
    """
    frames = measurements.frames
    results = condition_results(measurements)
    mean_result = mean_face_result(measurements, mean)
    nme = measurements.baseline_nme.get(CLEAN)
    examples = sorted(measurements.examples, key=lambda e: (e.video_id, e.frame))
    return Report(
        model=model.name,
        data_dir=data_dir,
        split=split,
        baseline_model=None if baseline is None else baseline.name,
        frames=len(frames),
        people=len({frame.person_id for frame in frames}),
        image_size=model.image_size,
        mean_face=mean_result,
        conditions=results,
        mce=mean_corruption_errors(results, mean_result),
        slices=slice_results(frames, np.concatenate(nme) if nme else None),
        points=measurements.scores[CLEAN].points,
        mean_points=mean.landmarks,
        calibration=calibrations(measurements.scores),
        cumulative={
            condition.key: cumulative(scores.column("nme_box"))
            for condition, scores in measurements.scores.items()
            if not condition.severity
        },
        jitter={c.key: float(np.mean(v)) for c, v in measurements.jitter.items()},
        frame_results=tuple(frames),
        worst=tuple(itertools.chain.from_iterable(measurements.worst.values())),
        examples=tuple(examples),
    )


def _mean(values: np.ndarray) -> float:
    """Mean of the finite values; NaN if there are none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def condition_results(measurements: Measurements) -> tuple[ConditionResult, ...]:
    """The result under each condition, in the order of evaluation."""
    people = [frame.person_id for frame in measurements.frames]
    clean = measurements.scores[CLEAN].column("nme_box")

    def gain(scores: ConditionScores, metric: str) -> tuple[float, float]:
        restored, degraded = (
            scores.column(f"{image}_{metric}") for image in ("restored", "input")
        )
        return mean_interval(restored - degraded, people)

    results = []
    for condition, scores in measurements.scores.items():
        nme = scores.column("nme_box")
        low, high = mean_interval(nme, people, over=clean)
        baseline_nme = measurements.baseline_nme.get(condition)
        results.append(
            ConditionResult(
                kind=condition.kind,
                name=condition.name,
                severity=condition.severity,
                nme_box=float(nme.mean()),
                nme_box_interval=mean_interval(nme, people),
                over_clean=100 * float(nme.mean() / clean.mean() - 1),
                over_clean_interval=(100 * (low - 1), 100 * (high - 1)),
                psnr_gain_interval=gain(scores, "psnr"),
                ssim_gain_interval=gain(scores, "ssim"),
                auc=metrics.auc(nme),
                failure_rate=metrics.failure_rate(nme),
                baseline_nme_box=(
                    float(np.concatenate(baseline_nme).mean()) if baseline_nme else None
                ),
                **{name: _mean(scores.column(name)) for name in _MEANS},
            )
        )
    return tuple(results)


def mean_face_result(measurements: Measurements, mean: MeanFace) -> MeanFaceResult:
    """The result of the mean face in place of the model."""
    columns = {
        name: np.concatenate(batches)
        for name, batches in measurements.mean_face.items()
    }
    nme = columns.pop("nme_box")
    people = [frame.person_id for frame in measurements.frames]
    return MeanFaceResult(
        frames=mean.frames,
        split=mean.split,
        nme_box=float(nme.mean()),
        nme_box_interval=mean_interval(nme, people),
        auc=metrics.auc(nme),
        failure_rate=metrics.failure_rate(nme),
        **{name: _mean(values) for name, values in columns.items()},
    )


def mean_corruption_errors(
    results: Sequence[ConditionResult], mean_face: MeanFaceResult
) -> dict[str, dict[str, float]]:
    """Mean corruption error in % of each baseline, by kind of condition.

    Clean frames and shifted face boxes are not corruptions.

    Args:
      results: Results by condition.
      mean_face: Result of the mean face.

    Returns:
      By kind, `mean_face` and, with a baseline model, `baseline`.
    """
    errors: dict[str, dict[str, float]] = {}
    for kind in ("source", "trained", "unseen"):
        selected = [result for result in results if result.kind == kind]
        if not selected:
            continue
        nme: dict[Any, float] = {result.key: result.nme_box for result in selected}
        errors[kind] = {
            "mean_face": metrics.mce(nme, dict.fromkeys(nme, mean_face.nme_box))
        }
        baseline_nme: dict[Any, float] = {
            result.key: result.baseline_nme_box
            for result in selected
            if result.baseline_nme_box is not None
        }
        if len(baseline_nme) == len(selected):
            errors[kind]["baseline"] = metrics.mce(nme, baseline_nme)
    return errors


def slice_results(
    frames: Sequence[FrameResult], baseline_nme: np.ndarray | None
) -> dict[str, tuple[SliceResult, ...]]:
    """Results on subsets of the clean frames: face size, yaw and natural quality.

    Args:
      frames: Results of the clean frames.
      baseline_nme: (N,), NME_box of the baseline model on the same frames, %. None
        without a baseline model.

    Returns:
      The slices that are not empty, by title.
    """

    def column(name: str) -> np.ndarray:
        return np.array([getattr(frame, name) for frame in frames])

    size, yaw = column("face_size"), np.abs(column("yaw"))
    quality = [
        slices.lowest("darkest {percent} (luma < {limit})", column("brightness")),
        slices.lowest("most blurred {percent}", column("sharpness")),
        slices.lowest("smallest {percent} (< {limit} px)", size),
    ]
    ordinary = ~np.any([part.mask for part in quality], axis=0)
    quality.append(slices.Slice("none of these", ordinary))
    titles = {
        "Face size": slices.between(" px", size, slices.SIZE_EDGES),
        "Yaw": slices.between("°", yaw, slices.YAW_EDGES),
        "Natural quality": quality,
    }
    nme, mean_nme = column("nme_box"), column("mean_face_nme_box")
    people = column("person_id")

    def result(part: slices.Slice) -> SliceResult:
        mask = part.mask
        return SliceResult(
            name=part.name,
            frames=int(mask.sum()),
            people=len(set(people[mask].tolist())),
            nme_box=float(nme[mask].mean()),
            nme_box_interval=mean_interval(nme[mask], people[mask]),
            mean_face_nme_box=float(mean_nme[mask].mean()),
            baseline_nme_box=(
                None if baseline_nme is None else float(baseline_nme[mask].mean())
            ),
        )

    return {
        title: tuple(result(part) for part in parts if part.mask.any())
        for title, parts in titles.items()
    }


def cumulative(nme: np.ndarray) -> np.ndarray:
    """Share of frames in % whose error is at most each value of `CUMULATIVE_GRID`."""
    return 100 * np.searchsorted(np.sort(nme), CUMULATIVE_GRID, "right") / len(nme)


def calibrations(
    scores: dict[Condition, ConditionScores],
) -> tuple[Calibration, ...]:
    """Predicted sigma against actual error, by kind of condition."""
    kinds: dict[str, list[ConditionScores]] = {}
    for condition, condition_scores in scores.items():
        kinds.setdefault(condition.kind, []).append(condition_scores)
    return tuple(_calibration(kind, parts) for kind, parts in kinds.items())


def _calibration(kind: str, scores: Sequence[ConditionScores]) -> Calibration:
    normal = statistics.NormalDist()
    within = np.sum([part.within for part in scores], axis=0)
    within = 100 * np.asarray(within) / sum(part.coordinates for part in scores)
    count, stated, square = (
        np.stack([getattr(part, name) for part in scores]).sum(axis=0)
        for name in ("bin_count", "bin_stated", "bin_square")
    )
    return Calibration(
        kind=kind,
        coverage=tuple(
            (k, float(share), 100 * (2 * normal.cdf(k) - 1))
            for k, share in zip(SIGMAS, within, strict=True)
        ),
        bins=tuple(
            (
                int(count[i]),
                float(stated[i] / count[i]),
                float(np.sqrt(square[i] / count[i])),
            )
            for i in np.flatnonzero(count >= _MIN_COORDINATES)
        ),
        rank_correlation=_rank_correlation(
            np.concatenate([part.column("stated_sigma") for part in scores]),
            np.concatenate([part.column("nme_box") for part in scores]),
        ),
    )


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation; NaN if one of the arguments is constant."""
    from scipy import stats  # Importing it takes half a second.

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(stats.spearmanr(a, b).statistic)
