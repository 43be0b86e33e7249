"""Reports as text: the table that the command prints, Markdown and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from ethos_data import topology
from ethos_model.evaluation.results import (
    ConditionResult,
    FrameResult,
    MeanFaceResult,
    Report,
)

_LABELS: Final = {
    "clean": "clean",
    "downsample4": "4x downsampled",
    "dark5": "a fifth of the light",
    "blur15": "15 px motion blur",
    "mean_face": "(the mean face)",
    "loose_box": "shifted and scaled",
}

KINDS: Final = {
    "trained": "trained degradations",
    "unseen": "unseen degradations",
    "box": "inaccurate face box",
}
"""Titles of the kinds of condition that have severities."""

_NO_ERROR: Final = 0.5
"""Depth error in % below which true and derived depth differ only by resampling."""


def label(name: str) -> str:
    """Readable name of a condition, for example "motion blur" for "motion_blur"."""
    return _LABELS.get(name, name.replace("_", " "))


def table(report: Report) -> str:
    """A report that fits on one screen: conditions, severities and notes."""
    lines = [
        f"{report.model} on {report.data_dir}, split {report.split}: {report.frames:,} "
        f"frames of {report.people} people",
        "",
    ]
    lines += _main(report)
    lines += _severities(report)
    lines += _notes(report)
    return "\n".join(lines)


def _main(report: Report) -> list[str]:
    with_baseline = report.baseline_model is not None
    head = (
        f"{'in %':<21}{'NME_box':>8}{'95 % interval':>16}{'NME_iod':>9}{'AUC@8':>7}"
        f"{'FR@8':>6}{'z':>6}{'depth':>7}{'jitter':>8}"
    )
    lines = [head + f"{'baseline':>10}" * with_baseline]
    results: list[ConditionResult | MeanFaceResult] = [
        *report.main_conditions(),
        report.mean_face,
    ]
    for result in results:
        line = (
            f"{label(result.name):<21}{result.nme_box:8.2f}"
            f"{interval(result.nme_box_interval):>16}"
            f"{number(result.nme_iod):>9}{result.auc:7.1f}{result.failure_rate:6.1f}"
            f"{number(result.z_error):>6}{number(result.depth_error):>7}"
        )
        if isinstance(result, ConditionResult):
            jitter = report.jitter.get(result.key)
            line += f"{'' if jitter is None else f'{jitter:.2f}':>8}"
            if result.baseline_nme_box is not None:
                line += f"{result.baseline_nme_box:10.2f}"
        lines.append(line)
    if with_baseline:
        lines.append(f"baseline: NME_box of {report.baseline_model}")
    return lines


def number(value: float) -> str:
    """A number with two decimals; a dash if it is not known."""
    return f"{value:.2f}" if np.isfinite(value) else "-"


def interval(ends: tuple[float, float]) -> str:
    """An interval, for example `2.31 to 2.58`; a dash if it is not known."""
    return f"{ends[0]:.2f} to {ends[1]:.2f}" if np.isfinite(ends).all() else "-"


def _severities(report: Report) -> list[str]:
    lines = []
    for kind, title in KINDS.items():
        results = [result for result in report.conditions if result.kind == kind]
        if not results:
            continue
        severities = sorted({result.severity for result in results})
        lines += ["", f"{title:<21}" + _row(severities, "severity {}", 11)]
        for name in dict.fromkeys(result.name for result in results):
            nme = {r.severity: r.nme_box for r in results if r.name == name}
            values = [nme[severity] for severity in severities if severity in nme]
            lines.append(f"{label(name):<21}" + _row(values, "{:.2f}", 11))
        mce = report.mce.get(kind)
        if mce is None:
            continue
        line = f"mCE: {mce['mean_face']:.1f} % of the error of the mean face"
        if "baseline" in mce:
            line += f", {mce['baseline']:.1f} % of the error of the baseline model"
        lines.append(line)
    return lines


def _row(values: list, text: str, width: int) -> str:
    return "".join(f"{text.format(value):>{width}}" for value in values)


def _notes(report: Report) -> list[str]:
    clean = report.condition("clean")
    best, worst = int(np.nanargmin(report.points)), int(np.nanargmax(report.points))
    x, y = clean.shift_x, clean.shift_y
    lines = ["", "notes:", *_robustness(report)]
    lines += [
        f"- uncertainty: {clean.within_1_sigma:.1f} % of the coordinates are within "
        "one predicted sigma (68.3 % is ideal)",
        f"- landmarks: number {best} has the smallest error, "
        f"{report.points[best]:.2f} %; number {worst} has the largest, "
        f"{report.points[worst]:.2f} %",
        f"- labels: on average {abs(x):.2f} % to the {'right' if x > 0 else 'left'} of "
        f"the prediction and {abs(y):.2f} % {'below' if y > 0 else 'above'} it",
    ]
    if report.mean_face.derived_depth_error > _NO_ERROR:
        lines.append(
            "- depth: the depth derived from the true landmarks has an error of "
            f"{report.mean_face.derived_depth_error:.2f} %"
        )
    return lines


def _robustness(report: Report) -> list[str]:
    """Notes on the largest increase of the error and on the restored images."""
    lines = []
    medium = [r for r in report.conditions if r.severity == 3 and r.kind != "box"]
    if medium:
        hardest = max(medium, key=lambda result: result.nme_box)
        lines.append(
            f"- severity 3: NME_box is at most {hardest.over_clean:.1f} % above clean "
            f"({label(hardest.name)}; 95 %: {interval(hardest.over_clean_interval)})"
        )
    degraded = [r for r in report.conditions if r.kind not in ("clean", "box")]
    if degraded:
        gains = [r.restored_psnr - r.input_psnr for r in degraded]
        better = sum(gain > 0 for gain in gains)
        worse = sum(r.psnr_gain_interval[1] < 0 for r in degraded)
        lines += [
            f"- restored image: higher PSNR than the input in {better} of "
            f"{len(degraded)} conditions,",
            f"  on average {sum(gains) / len(degraded):+.1f} dB; significantly lower "
            f"(95 %) in {worse}",
        ]
    return lines


def markdown(report: Report) -> str:
    """The conditions without severities as a table for a README or a model card."""
    lines = ["| | NME_box % | 95 % interval | NME_iod % | AUC@8 % | failed % |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    results: list[ConditionResult | MeanFaceResult] = [
        *report.main_conditions(),
        report.mean_face,
    ]
    for result in results:
        lines.append(
            f"| {label(result.name)} | {result.nme_box:.2f} | "
            f"{interval(result.nme_box_interval)} | {number(result.nme_iod)} | "
            f"{result.auc:.1f} | {result.failure_rate:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([f"{v:.5g}" if isinstance(v, float) else v for v in row])
    return text.getvalue()


def conditions_csv(report: Report) -> str:
    """One row per condition, and the mean face in the last row."""
    names = [field.name for field in dataclasses.fields(ConditionResult)]

    def row(result: ConditionResult | MeanFaceResult) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        for name in names:
            if name.endswith("_interval"):
                start = name.removesuffix("_interval")
                ends = getattr(result, name, ("", ""))
                cells |= zip((f"{start}_low", f"{start}_high"), ends, strict=True)
            else:
                cells[name] = getattr(result, name, "")
        return cells

    rows = [row(result) for result in report.conditions]
    rows.append(row(report.mean_face) | {"kind": "baseline", "name": "mean_face"})
    return _csv(list(rows[0]), [list(cells.values()) for cells in rows])


def points_csv(report: Report) -> str:
    """One row per landmark: number, group, and mean error on clean frames in %.

    The error is nan if no frame has a label of the landmark.
    """
    group = {i: name for name, numbers in topology.GROUPS.items() for i in numbers}
    rows = [(i, group[i], float(error)) for i, error in enumerate(report.points)]
    return _csv(("point", "group", "error"), rows)


def frames_csv(report: Report) -> str:
    """One row per clean frame, see `FrameResult`."""
    names = [field.name for field in dataclasses.fields(FrameResult)]
    rows = ([getattr(frame, name) for name in names] for frame in report.frame_results)
    return _csv(names, rows)
