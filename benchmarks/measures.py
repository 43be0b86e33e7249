"""Error of head pose, openness and blinks on rendered heads, whose truth is exact.

    python -m benchmarks.measures --head_model ict_facekit_light.npz
    python -m benchmarks.measures --head_model ict_facekit_light.npz --seed 1 \\
        --calibrate

This writes measures_pose.json and measures_openness.json. The heads are the built-in
ones and, with `--head_model`, those of a morphable model. Yaw is uniform up to 75
degrees, pitch and roll up to 30. Each head is measured from its exact landmarks, and
from the landmarks that the network finds in the clean and in degraded frames, inside
the true face box.

The zero of the pitch is a convention, and each head model has its own. It is set to the
pose that the fit gives to the mean neutral head, seen from the front, with exact
landmarks: one constant per head model. True angles are relative to the line of sight to
the head, as defined in `ethos_model.footage.measures.pose`.

`--calibrate` writes nothing. It prints the factors of the standard deviations that are
constants in `pose.py` and `openness.py`. Use another seed than for the results.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from benchmarks import measure, rendered_faces
from benchmarks.rendered_faces import CONDITIONS, Faces
from ethos_data import options
from ethos_data.errors import cli
from ethos_model.evaluation.report.tables import label

ANGLES: Final = ("yaw", "pitch", "roll")

MAX_YAW: Final = 60.0
"""Yaw in degrees up to which the overall errors are computed."""

_INNER: Final = 20.0
"""Pitch and roll in degrees of most faces in ordinary video."""

DEGRADED: Final = tuple(c for c in CONDITIONS if c not in ("exact", "clean"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    head_model: str | None = options.option(
        None, "npz file of a morphable head to measure as well", metavar="FILE"
    )
    num_people: int = options.option(60, "Number of people per head model", minimum=2)
    num_tracks: int = options.option(
        10, "Number of videos per head model for the blinks", minimum=0
    )
    seed: int = options.option(2, "Random seed of the heads", minimum=0)
    calibrate: bool = options.option(
        False, "Only print the factors of the standard deviations"
    )
    output_dir: str = options.option(
        str(measure.DIRECTORY),
        "Directory to write the JSON files to",
        group="output",
        metavar="DIR",
        default_text="benchmarks/results",
    )


def _title(condition: str) -> str:
    return "exact landmarks" if condition == "exact" else label(condition)


def pose_slices(faces: Faces) -> dict[str, np.ndarray]:
    """Subsets of faces by their true angles, bool (N,), by name."""
    size = np.abs(faces.true_angles)
    ordinary = size[:, 0] < MAX_YAW
    slices = {"yaw up to 60°": ordinary}
    slices |= {
        f"yaw {low} to {high}°": (size[:, 0] >= low) & (size[:, 0] < high)
        for low, high in ((0, 15), (15, 30), (30, 45), (45, 60), (60, 90))
    }
    slices["pitch and roll up to 20°"] = ordinary & (size[:, 1:] < _INNER).all(axis=1)
    for k, name in ((1, "pitch"), (2, "roll")):
        for low, high in ((0, 10), (10, 20), (20, 40)):
            inside = (size[:, k] >= low) & (size[:, k] < high)
            slices[f"{name} {low} to {high}°"] = ordinary & inside
    return slices


def pose_row(
    faces: Faces, conditions: Sequence[str], mask: np.ndarray
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and baseline of one subset of faces."""
    figures: dict[str, Any] = {"faces": int(mask.sum())}
    baseline: dict[str, Any] = {}
    errors = np.concatenate([faces.pose_errors(c)[mask] for c in conditions])
    sigmas = np.concatenate([faces.sigmas[c][mask] for c in conditions])
    exact = np.abs(faces.pose_errors("exact")[mask])
    simple = np.concatenate([np.abs(faces.pnp_errors(c)[mask]) for c in conditions])
    for k, name in enumerate(ANGLES):
        figures[f"{name} error °"] = round(float(np.abs(errors[:, k]).mean()), 2)
    for k, name in enumerate(ANGLES):
        within = np.abs(errors[:, k]) <= sigmas[:, k]
        figures[f"{name} within 1 sigma %"] = round(100 * float(within.mean()))
    for k, name in enumerate(ANGLES):
        figures[f"{name}, exact landmarks °"] = round(float(exact[:, k].mean()), 2)
        baseline[f"{name}, PnP °"] = round(float(simple[:, k].mean()), 2)
    return figures, baseline


def pose_table(
    groups: Mapping[str, Faces],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and baseline of the pose: each head model, then slices of all heads."""
    figures, baseline = {}, {}
    for name, faces in groups.items():
        ordinary = np.abs(faces.true_angles[:, 0]) < MAX_YAW
        for condition in CONDITIONS:
            row = f"{name}, {_title(condition)}"
            figures[row], baseline[row] = pose_row(faces, [condition], ordinary)
    together = rendered_faces.concatenate(list(groups.values()))
    for title, conditions in (("clean", ["clean"]), ("degraded", DEGRADED)):
        for name, mask in pose_slices(together).items():
            if not mask.any():
                continue
            row = f"all heads, {title}, {name}"
            figures[row], baseline[row] = pose_row(together, conditions, mask)
    return figures, baseline


def openness_table(
    groups: Mapping[str, Faces],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and baseline of the openness, for eyes and mouths that are visible."""
    figures: dict[str, Any] = {}
    baseline: dict[str, Any] = {}
    for name, faces in groups.items():
        ordinary = np.abs(faces.true_angles[:, 0]) < MAX_YAW
        for condition in CONDITIONS:
            row = figures.setdefault(f"{name}, {_title(condition)}", {})
            for part, columns in (("eye", [0, 1]), ("mouth", [2])):
                mask = faces.visible_openings[:, columns] & ordinary[:, None]
                true = faces.true_openness[:, columns][mask]
                value, sigma = (
                    array[condition][:, columns][mask]
                    for array in (faces.openness, faces.openness_sigma)
                )
                error = np.abs(value - true)
                row[f"{part} error"] = round(float(error.mean()), 3)
                row[f"{part} correlation"] = round(
                    float(np.corrcoef(value, true)[0, 1]), 2
                )
                if condition != "exact":
                    within = 100 * float((error <= sigma).mean())
                    row[f"{part} within 1 sigma %"] = round(within)
                if part == "eye":
                    ratio = np.abs(faces.aspect_ratio[condition][mask] - true)
                    baseline[f"{name}, {_title(condition)}"] = {
                        "eye aspect ratio error": round(float(ratio.mean()), 3)
                    }
    return figures, baseline


def calibration(groups: Mapping[str, Faces]) -> list[str]:
    """Factors that make the stated standard deviations correct, one line each.

    The present factors must not be in the stated values, so they are divided out.
    """
    faces = rendered_faces.concatenate(list(groups.values()))
    ordinary = np.abs(faces.true_angles[:, 0]) < MAX_YAW
    lines = []
    for k, name in enumerate(ANGLES):
        error, sigma, turn = (
            np.concatenate([values[ordinary] for values in arrays])
            for arrays in (
                [np.abs(faces.pose_errors(c)[:, k]) for c in CONDITIONS[1:]],
                [faces.raw_sigmas[c][:, k] for c in CONDITIONS[1:]],
                [faces.turns[c] for c in CONDITIONS[1:]],
            )
        )
        factor, growth = _factor_and_growth(error / sigma, turn)
        lines.append(f"{name}: factor {factor:.2f}, growth {growth:.2f}")
    for part, columns in (("eye", [0, 1]), ("mouth", [2])):
        mask = faces.visible_openings[:, columns] & ordinary[:, None]
        true = faces.true_openness[:, columns][mask]
        ratios = [
            np.abs(faces.openness[c][:, columns][mask] - true)
            / faces.raw_openness_sigma[c][:, columns][mask]
            for c in CONDITIONS[1:]
        ]
        factor = np.quantile(np.concatenate(ratios), 0.683)
        lines.append(f"{part}: factor {factor:.2f}")
    return lines


def _factor_and_growth(ratio: np.ndarray, turn: np.ndarray) -> tuple[float, float]:
    """Fits factor and growth so that 68.3 % of the errors are within one sigma.

    Args:
      ratio: (N,), absolute error divided by the standard deviation of the fit.
      turn: (N,), sin**2 of the angle between face and line of sight.

    Returns:
      The factor, and the growth with the most equal share of errors within one sigma in
      ten groups of faces with an increasing angle.
    """
    groups = np.array_split(np.argsort(turn), 10)
    best = (np.inf, 1.0, 0.0)
    for growth in np.arange(0, 10, 0.25):
        scaled = ratio / (1 + growth * turn)
        factor = float(np.quantile(scaled, 0.683))
        spread = float(np.std([(scaled[group] <= factor).mean() for group in groups]))
        best = min(best, (spread, factor, float(growth)))
    return best[1], best[2]


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return measure.make_parser("measures", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    models = rendered_faces.models(chosen.head_model)
    groups = {
        name: rendered_faces.measure_people(model, chosen.num_people, chosen.seed)
        for name, model in models.items()
    }
    if chosen.calibrate:
        print("\n".join(calibration(groups)))
        return 0
    command = measure.command_line("measures", chosen)
    directory = pathlib.Path(chosen.output_dir)
    frames = len(next(iter(groups.values())).true_angles)
    figures, baseline = pose_table(groups)
    measure.write(
        str(directory / "measures_pose.json"),
        what=f"Mean absolute error of the head pose on {frames} rendered frames of "
        f"{chosen.num_people} people per head model, and the share of the errors "
        "within the stated standard deviation. Pitch and roll up to 30°, yaw up to 60° "
        "where no slice is named. The landmarks are those of the network; the columns "
        "'exact landmarks' show the error that is left if the landmarks are right. "
        "Baseline: cv2.solvePnP with the mean head, the same landmarks and the true "
        "focal length.",
        command=command,
        figures=figures,
        baseline=baseline,
    )
    figures, baseline = openness_table(groups)
    for name, model in models.items():
        if chosen.num_tracks:
            blinks = rendered_faces.count_blinks(model, chosen.num_tracks, chosen.seed)
            figures[f"{name}, video"] = blinks
    measure.write(
        str(directory / "measures_openness.json"),
        what="Mean absolute error of the openness (0 closed, 1 wide open) of eyes and "
        "mouths that are visible, on the same frames, and blinks in rendered video at "
        "25 frames/s. Other drops are short closures that are not blinks, mostly quick "
        "changes of the expression. Baseline: eye aspect ratio in the image "
        "(Soukupová and Čech, 2016), divided by the same constant.",
        command=command,
        figures=figures,
        baseline=baseline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
