"""Reports as text: the short table that a command prints, and CSV."""

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
    Frame,
    MeanFaceResult,
    Report,
)

_NAMES: Final = {
    "clean": "clean",
    "downsample4": "4x downsampled",
    "dark5": "a fifth of the light",
    "blur15": "15 px motion blur",
    "mean_face": "(the mean face)",
    "loose_box": "displaced, scaled",
}

KINDS: Final = {
    "trained": "known degradations",
    "unseen": "unknown ones",
    "box": "displaced face box",
}
"""What a person calls the kinds of condition that have severities."""

_NO_ERROR: Final = 0.5
"""% of depth below which true and derived depth are the same but for resampling."""


def label(name: str) -> str:
    """What a person calls a condition: "motion_blur" -> "motion blur"."""
    return _NAMES.get(name, name.replace("_", " "))


def table(report: Report) -> str:
    """A report on one screen: the four main conditions, severities, and the rest."""
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
    main = [one for one in report.conditions if not one.severity]
    other = report.baseline_model is not None
    head = (
        f"{'in %':<21}{'NME_box':>8}{'95 % interval':>16}{'NME_iod':>9}{'AUC@8':>7}"
        f"{'FR@8':>6}{'z':>6}{'depth':>7}{'jitter':>8}"
    )
    lines = [head + f"{'other':>8}" * other]
    shown: list[ConditionResult | MeanFaceResult] = [*main, report.mean_face]
    for one in shown:
        name = label(one.name)
        line = (
            f"{name:<21}{one.nme_box:8.2f}{interval(one.nme_box_interval):>16}"
            f"{one.nme_iod:9.2f}{one.auc:7.1f}{one.failure_rate:6.1f}"
            f"{one.z_error:6.2f}{one.depth_error:7.2f}"
        )
        if isinstance(one, ConditionResult):
            jitter = report.jitter.get(one.key)
            line += f"{'' if jitter is None else f'{jitter:.2f}':>8}"
            if one.baseline_nme_box is not None:
                line += f"{one.baseline_nme_box:8.2f}"
        lines.append(line)
    if other:
        lines.append(f"other: NME_box of {report.baseline_model}")
    return lines


def interval(ends: tuple[float, float]) -> str:
    """`2.31 to 2.58`; a dash where there are too few people for an interval."""
    return f"{ends[0]:.2f} to {ends[1]:.2f}" if np.isfinite(ends).all() else "-"


def _severities(report: Report) -> list[str]:
    lines = []
    for kind, title in KINDS.items():
        chosen = [one for one in report.conditions if one.kind == kind]
        if not chosen:
            continue
        numbers = sorted({one.severity for one in chosen})
        lines += ["", f"{title:<21}" + _row(numbers, "severity {}", 11)]
        for name in dict.fromkeys(one.name for one in chosen):
            by_severity = {one.severity: one for one in chosen if one.name == name}
            values = [by_severity[n].nme_box for n in numbers if n in by_severity]
            lines.append(f"{label(name):<21}" + _row(values, "{:.2f}", 11))
        mce = report.mce.get(kind)
        if mce is None:
            continue
        line = f"mCE: {mce['mean_face']:.1f} % of the mean face's error"
        if "baseline" in mce:
            line += f", {mce['baseline']:.1f} % of the other model's"
        lines.append(line)
    return lines


def _row(values: list, text: str, width: int) -> str:
    return "".join(f"{text.format(value):>{width}}" for value in values)


def _notes(report: Report) -> list[str]:
    clean = report.condition("clean")
    best, worst = int(report.points.argmin()), int(report.points.argmax())
    lines = ["", "more:"]
    middle = [
        one for one in report.conditions if one.severity == 3 and one.kind != "box"
    ]
    if middle:
        hardest = max(middle, key=lambda one: one.nme_box)
        lines.append(
            f"- severity 3: at most {hardest.over_clean:.1f} % above clean "
            f"({label(hardest.name)}; 95 %: {interval(hardest.over_clean_interval)})"
        )
    worse = [one for one in report.conditions if one.kind not in ("clean", "box")]
    nearer = [one for one in worse if one.restored_psnr > one.input_psnr]
    farther = [one for one in worse if one.psnr_gain_interval[1] < 0]
    if worse:
        gain = sum(one.restored_psnr - one.input_psnr for one in worse) / len(worse)
        lines.append(
            f"- restored picture: better than the degraded one in {len(nearer)} of "
            f"{len(worse)} conditions,"
        )
        lines.append(
            f"  PSNR {gain:+.1f} dB on average; worse beyond doubt (95 %) in "
            f"{len(farther)}"
        )
    lines += [
        f"- uncertainty: {clean.within_1_sigma:.1f} % of coordinates within 1 stated "
        "sigma (68.3 is honest)",
        f"- points: the best is {best} with {report.points[best]:.2f} %, the worst "
        f"{worst} with {report.points[worst]:.2f} %",
    ]
    x, y = clean.shift_x, clean.shift_y
    lines.append(
        f"- labels: on average {abs(x):.2f} % to the {'right' if x > 0 else 'left'} of "
        f"the prediction and {abs(y):.2f} % {'below' if y > 0 else 'above'} it"
    )
    if report.mean_face.derived_depth_error > _NO_ERROR:
        lines.append(
            "- depth: derived from the true points it would be wrong by "
            f"{report.mean_face.derived_depth_error:.2f} %"
        )
    return lines


def markdown(report: Report) -> str:
    """The conditions without severities as a table for a README or a model card."""
    rows = ["| | NME_box % | 95 % interval | NME_iod % | AUC@8 % | failed % |"]
    rows.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    main = [one for one in report.conditions if not one.severity]
    shown: list[ConditionResult | MeanFaceResult] = [*main, report.mean_face]
    for one in shown:
        rows.append(
            f"| {label(one.name)} | {one.nme_box:.2f} | "
            f"{interval(one.nme_box_interval)} | {one.nme_iod:.2f} | {one.auc:.1f} | "
            f"{one.failure_rate:.1f} |"
        )
    return "\n".join(rows) + "\n"


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([f"{v:.5g}" if isinstance(v, float) else v for v in row])
    return text.getvalue()


def conditions_csv(report: Report) -> str:
    """A row a condition, the mean face last."""
    names = [field.name for field in dataclasses.fields(ConditionResult)]

    def row(one: ConditionResult | MeanFaceResult) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        for name in names:
            if name.endswith("_interval"):
                start = name.removesuffix("_interval")
                ends = getattr(one, name, ("", ""))
                cells |= zip((f"{start}_low", f"{start}_high"), ends, strict=True)
            else:
                cells[name] = getattr(one, name, "")
        return cells

    rows = [row(one) for one in report.conditions]
    rows.append(row(report.mean_face) | {"kind": "baseline", "name": "mean_face"})
    return _csv(list(rows[0]), [list(one.values()) for one in rows])


def points_csv(report: Report) -> str:
    """A row a landmark: its number, its group, its mean error on clean frames in %."""
    group = {i: name for name, points in topology.GROUPS.items() for i in points}
    rows = [(i, group[i], float(error)) for i, error in enumerate(report.points)]
    return _csv(("point", "group", "error"), rows)


def frames_csv(report: Report) -> str:
    """A row a frame under the clean condition."""
    names = [field.name for field in dataclasses.fields(Frame)]
    rows = ([getattr(one, name) for name in names] for one in report.frame_list)
    return _csv(names, rows)
