"""From everything that was gathered to a `Report`: means, intervals, slices."""

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
from ethos_model.evaluation.gather import Gathered, Network
from ethos_model.evaluation.results import (
    CUMULATIVE_GRID,
    Calibration,
    ConditionResult,
    Frame,
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

_FEWEST: Final = 500
"""Coordinates below which a bin of the calibration says nothing."""


def _mean(values: np.ndarray) -> float:
    """Mean of what is known; NaN if nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def condition_results(found: Gathered) -> tuple[ConditionResult, ...]:
    """One result a condition, in the order of evaluation."""
    people = [frame.person_id for frame in found.frames]
    clean = found.scores[CLEAN].column("nme_box")

    def gain(scores: ConditionScores, of: str) -> tuple[float, float]:
        difference = scores.column(f"restored_{of}") - scores.column(f"input_{of}")
        return mean_interval(difference, people)

    results = []
    for condition, scores in found.scores.items():
        nme = scores.column("nme_box")
        low, high = mean_interval(nme, people, over=clean)
        beside = found.baseline_nme.get(condition)
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
                    float(np.concatenate(beside).mean()) if beside else None
                ),
                **{name: _mean(scores.column(name)) for name in _MEANS},
            )
        )
    return tuple(results)


def mean_face_result(found: Gathered, mean: MeanFace) -> MeanFaceResult:
    """The mean face in the place of the model."""
    column = {name: np.concatenate(one) for name, one in found.mean_face.items()}
    nme = column.pop("nme_box")
    return MeanFaceResult(
        frames=mean.frames,
        split=mean.split,
        nme_box=float(nme.mean()),
        nme_box_interval=mean_interval(nme, [f.person_id for f in found.frames]),
        auc=metrics.auc(nme),
        failure_rate=metrics.failure_rate(nme),
        **{name: _mean(values) for name, values in column.items()},
    )


def mean_corruption_errors(
    results: Sequence[ConditionResult], mean_face: MeanFaceResult
) -> dict[str, dict[str, float]]:
    """mCE in % against each baseline, by kind of condition. Clean is no corruption."""
    found: dict[str, dict[str, float]] = {}
    for kind in ("source", "trained", "unseen"):
        chosen = [one for one in results if one.kind == kind]
        if not chosen:
            continue
        nme: dict[Any, float] = {one.key: one.nme_box for one in chosen}
        found[kind] = {
            "mean_face": metrics.mce(nme, dict.fromkeys(nme, mean_face.nme_box))
        }
        beside: dict[Any, float] = {
            one.key: one.baseline_nme_box
            for one in chosen
            if one.baseline_nme_box is not None
        }
        if len(beside) == len(chosen):
            found[kind]["baseline"] = metrics.mce(nme, beside)
    return found


def slice_results(
    frames: Sequence[Frame], baseline_nme: np.ndarray | None
) -> dict[str, tuple[SliceResult, ...]]:
    """The clean frames by what is natural about them.

    Args:
      frames: of the clean condition.
      baseline_nme: (N,) of the baseline model on the same frames, %; None without one.
    """

    def column(name: str) -> np.ndarray:
        return np.array([getattr(frame, name) for frame in frames])

    size, turned = column("face_size"), np.abs(column("yaw"))
    quality = [
        slices.lowest("darkest {percent} (luma < {limit})", column("brightness")),
        slices.lowest("most blurred {percent}", column("sharpness")),
        slices.lowest("smallest {percent} (< {limit} px)", size),
    ]
    ordinary = ~np.any([one.chosen for one in quality], axis=0)
    quality.append(slices.Slice("none of these", ordinary))
    titles = {
        "Face size": slices.between(" px", size, slices.SIZE_EDGES),
        "Yaw": slices.between("°", turned, slices.YAW_EDGES),
        "Natural quality": quality,
    }
    nme, mean_nme = column("nme_box"), column("mean_face_nme_box")
    people = column("person_id")
    return {
        title: tuple(
            SliceResult(
                name=one.name,
                frames=int(one.chosen.sum()),
                people=len(set(people[one.chosen].tolist())),
                nme_box=float(nme[one.chosen].mean()),
                nme_box_interval=mean_interval(nme[one.chosen], people[one.chosen]),
                mean_face_nme_box=float(mean_nme[one.chosen].mean()),
                baseline_nme_box=(
                    None
                    if baseline_nme is None
                    else float(baseline_nme[one.chosen].mean())
                ),
            )
            for one in every
            if one.chosen.any()
        )
        for title, every in titles.items()
    }


def cumulative(nme: np.ndarray) -> np.ndarray:
    """Share of frames in % with an error of at most each of `CUMULATIVE_GRID`."""
    return 100 * np.searchsorted(np.sort(nme), CUMULATIVE_GRID, "right") / len(nme)


def calibrations(
    scores: dict[Condition, ConditionScores],
) -> tuple[Calibration, ...]:
    """Stated against actual error, by kind of condition."""
    found = []
    normal = statistics.NormalDist()
    for kind in dict.fromkeys(condition.kind for condition in scores):
        chosen = [one for condition, one in scores.items() if condition.kind == kind]
        within = np.sum([one.within for one in chosen], axis=0)
        within = 100 * np.asarray(within) / sum(one.coordinates for one in chosen)
        count, stated, square = (
            np.stack([getattr(one, name) for one in chosen]).sum(axis=0)
            for name in ("bin_count", "bin_stated", "bin_square")
        )
        bins = tuple(
            (int(count[i]), float(stated[i] / count[i]), float(rms))
            for i in np.flatnonzero(count >= _FEWEST)
            for rms in [np.sqrt(square[i] / count[i])]
        )
        found.append(
            Calibration(
                kind=kind,
                coverage=tuple(
                    (k, float(share), 100 * (2 * normal.cdf(k) - 1))
                    for k, share in zip(SIGMAS, within, strict=True)
                ),
                bins=bins,
                rank_correlation=_rank_correlation(
                    np.concatenate([one.column("stated_sigma") for one in chosen]),
                    np.concatenate([one.column("nme_box") for one in chosen]),
                ),
            )
        )
    return tuple(found)


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where one of them never changes."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    ranks = np.stack([np.argsort(np.argsort(values)) for values in (a, b)])
    return float(np.corrcoef(*ranks)[0, 1])


def report(
    found: Gathered,
    mean: MeanFace,
    network: Network,
    *,
    data_dir: str,
    split: str,
    baseline: Network | None = None,
) -> Report:
    """Everything that was gathered, as plain numbers."""
    results = condition_results(found)
    mean_result = mean_face_result(found, mean)
    beside = found.baseline_nme.get(CLEAN)
    examples = sorted(found.examples, key=lambda one: (one.video_id, one.frame))
    return Report(
        model=network.name,
        data_dir=data_dir,
        split=split,
        baseline_model=None if baseline is None else baseline.name,
        frames=len(found.frames),
        people=len({frame.person_id for frame in found.frames}),
        image_size=network.image_size,
        mean_face=mean_result,
        conditions=results,
        mce=mean_corruption_errors(results, mean_result),
        slices=slice_results(found.frames, np.concatenate(beside) if beside else None),
        points=found.scores[CLEAN].points / len(found.frames),
        mean_points=mean.landmarks,
        calibration=calibrations(found.scores),
        cumulative={
            condition.key: cumulative(scores.column("nme_box"))
            for condition, scores in found.scores.items()
            if not condition.severity
        },
        jitter={c.key: float(np.mean(v)) for c, v in found.jitter.items()},
        frame_list=tuple(found.frames),
        worst=tuple(itertools.chain.from_iterable(found.worst.values())),
        examples=tuple(examples),
    )
