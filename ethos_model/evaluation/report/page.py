"""A report as one HTML page: no script, no file beside it, plots and pictures inside.

The page shows faces of the corpus and must be kept as the corpus is.
"""

from __future__ import annotations

import base64
import html
import itertools
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from ethos_model.evaluation.report import svg
from ethos_model.evaluation.report.style import STYLE
from ethos_model.evaluation.report.tables import KINDS, interval, label
from ethos_model.evaluation.results import (
    CUMULATIVE_GRID,
    ConditionResult,
    Example,
    MeanFaceResult,
    Report,
    WorstCase,
)


def page(report: Report) -> str:
    """The whole page."""
    columns = (
        _section("How often how bad", _cumulative(report))
        + _section("Where on the face", svg.face(report.mean_points, report.points)),
        _section("What degradations cost", *_severities(report)),
        _section("For whom", *_slices(report)),
    )
    sections = [
        _section("How good", _beside(_headline(report), _main_bars(report))),
        _beside(*columns),
        _section("Does the stated uncertainty hold", *_calibration(report)),
        _section("How much it moves; depth, restored picture, jitter", _other(report)),
        _section("What comes out", _examples(report.examples)),
        _section("Worst cases first", _worst(report.worst)),
    ]
    title = f"ETHOS: {html.escape(report.model)} on {html.escape(report.split)}"
    beside = (
        f", a red line the model {html.escape(report.baseline_model)}"
        if report.baseline_model
        else ""
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{STYLE}</style></head><body>
<h1>{title}</h1>
<p>{report.frames:,} frames of {report.people} people, input {report.image_size} px.
Errors are mean point errors in % of the face size, sqrt(w·h) of the true landmarks' box
(NME<sub>box</sub>). Intervals are 95 %, by bootstrap over people. In bar charts a grey
line is the mean face{beside}.</p>
<main>{"".join(sections)}</main>
</body></html>
"""


def _section(title: str, *contents: str) -> str:
    body = "".join(contents)
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def _beside(*contents: str) -> str:
    """Side by side where the screen is wide enough."""
    columns = "".join(f"<div>{part}</div>" for part in contents if part)
    return f'<div class="beside">{columns}</div>' if columns else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f"<table>{row(head, 'th')}{body}</table>"


def _number(value: float | None, digits: int = 2) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.{digits}f}"


def _headline(report: Report) -> str:
    rows = []
    main = [one for one in report.conditions if not one.severity]
    shown: list[ConditionResult | MeanFaceResult] = [*main, report.mean_face]
    for one in shown:
        low, high = one.nme_box_interval
        rows.append(
            (
                label(one.name),
                f"<b>{_number(one.nme_box)}</b>",
                f"{_number(low)}–{_number(high)}",
                _number(one.nme_iod),
                _number(one.auc, 1),
                _number(one.failure_rate, 1),
            )
        )
    head = ("", "NME_box %", "95 %", "NME_iod %", "AUC<sub>8</sub> %", "failed %")
    return _table(head, rows)


def _main_bars(report: Report) -> str:
    mean = report.mean_face.nme_box
    rows = [
        (label(one.name), one.nme_box, one.nme_box_interval, mean, one.baseline_nme_box)
        for one in report.conditions
        if not one.severity
    ]
    return svg.bars(rows, label="NME_box, %")


def _cumulative(report: Report) -> str:
    return svg.lines(
        {label(key): (CUMULATIVE_GRID, y) for key, y in report.cumulative.items()},
        x_label="NME_box, %",
        y_label="frames at most so bad, %",
        y_range=(0, 100),
    )


def _severities(report: Report) -> list[str]:
    clean = report.condition("clean").nme_box
    found = []
    for kind, title in KINDS.items():
        chosen = [one for one in report.conditions if one.kind == kind]
        if not chosen:
            continue
        series = {}
        for name, every in itertools.groupby(chosen, key=lambda one: one.name):
            by_severity = [(one.severity, one.nme_box) for one in every]
            xs, ys = zip((0, clean), *by_severity, strict=True)
            series[label(name)] = (xs, ys)
        heading = title.capitalize()
        if kind in report.mce:
            mce = report.mce[kind]
            heading += f": mCE {_number(mce['mean_face'], 1)} % of the mean face"
            if "baseline" in mce:
                heading += f", {_number(mce['baseline'], 1)} % of the other model"
        found.append(f"<h3>{heading}</h3>")
        # The dashed line is the bar of 15 % above clean.
        found.append(
            svg.lines(
                series,
                x_label="severity",
                y_label="NME_box, %",
                x_ticks=range(6),
                guide=((0, 5), (1.15 * clean, 1.15 * clean)),
            )
        )
    return found


def _slices(report: Report) -> list[str]:
    found = []
    for title, every in report.slices.items():
        rows = [
            (
                f"{one.name} ({one.frames})",
                one.nme_box,
                one.nme_box_interval,
                one.mean_face_nme_box,
                one.baseline_nme_box,
            )
            for one in every
        ]
        found.append(f"<h3>{title}</h3>" + svg.bars(rows, label="NME_box, %, clean"))
    return found


def _calibration(report: Report) -> list[str]:
    bins = {
        one.kind: ([s for _, s, _ in one.bins], [r for _, _, r in one.bins])
        for one in report.calibration
        if one.bins
    }
    widths = [k for k, _, _ in report.calibration[0].coverage]
    plots = [
        svg.lines(
            {
                one.kind: (widths, [share for _, share, _ in one.coverage])
                for one in report.calibration
            },
            x_label="stated standard deviations",
            y_label="coordinates within, %",
            y_range=(0, 100),
            guide=(widths, [wanted for _, _, wanted in report.calibration[0].coverage]),
        )
    ]
    if bins:
        every = [value for stated, _ in bins.values() for value in stated]
        ends = [min(every), max(every)]
        plots.append(
            svg.lines(
                bins,
                x_label="stated standard deviation, %",
                y_label="actual error (RMS), %",
                guide=(ends, ends),
            )
        )
    ranks = ", ".join(
        f"{one.kind} {_number(one.rank_correlation)}" for one in report.calibration
    )
    words = (
        "<p>Dashed: an honest Gaussian. Left: how many coordinates lie within so many "
        "stated deviations. Right: the error where about that deviation was stated. "
        "Rank correlation of a frame's stated deviation with its NME_box: "
        f"{ranks}.</p>"
    )
    return [_beside(*plots, words)]


def _other(report: Report) -> str:
    mean = report.mean_face
    rows = []
    for one in report.conditions:
        if one.severity not in (0, 3):
            continue
        clean = one.kind == "clean"
        degraded = not clean and one.kind != "box"  # else nothing can be restored
        over = f"{_number(one.over_clean)} ({interval(one.over_clean_interval)})"
        rows.append(
            (
                label(one.name) + (" 3" if one.severity else ""),
                "–" if clean else over,
                _number(one.z_error),
                _number(one.depth_error),
                f"{_number(one.restored_psnr, 1)} ({_number(one.input_psnr, 1)})",
                interval(one.psnr_gain_interval) if degraded else "–",
                f"{_number(one.restored_ssim, 3)} ({_number(one.input_ssim, 3)})",
                _number(one.within_1_sigma, 1),
                _number(report.jitter.get(one.key)),
            )
        )
    blank = ("",) * 5
    rows.append(
        ("the mean face", "", _number(mean.z_error), _number(mean.depth_error), *blank)
    )
    rows.append(
        ("derived from true points", "", "", _number(mean.derived_depth_error), *blank)
    )
    head = (
        "",
        "NME_box over clean % (95 %)",
        "z error %",
        "depth error %",
        "restored PSNR dB (shown)",
        "gain (95 %)",
        "restored SSIM (shown)",
        "within 1σ %",
        "jitter %",
    )
    return _table(head, rows)


def _examples(examples: Sequence[Example]) -> str:
    """Rows of shown, restored, clean, depth and true depth."""
    rows = []
    for one in examples:
        known = np.isfinite(one.true_depth)
        # Where there is no true depth the network was never told what to say.
        low, high = 0.0, 1.0
        if known.any():
            low, high = np.percentile(one.true_depth[known], (1, 99))
        maps = [
            np.where(known, (depth - low) / max(high - low, 1e-6), 0)
            for depth in (one.depth, one.true_depth)
        ]
        pictures = [svg.overlay(None, one.predicted, _picture(one.image))]
        pictures += [
            f'<img alt="" src="{_picture(grey)}">'
            for grey in (one.restored, one.clean, *maps)
        ]
        name = f"{label(one.condition)}, {html.escape(one.video_id)} #{one.frame}"
        rows.append(
            f'<figure><div class="strip">{"".join(pictures)}</div>'
            f"<figcaption>{name}</figcaption></figure>"
        )
    if not rows:
        return ""
    key = "<p>Shown with predicted points, restored, clean, depth, true depth.</p>"
    return f'{key}<div class="examples">{"".join(rows)}</div>'


def _worst(worst: Sequence[WorstCase]) -> str:
    """Rows of the worst frames, one for each condition that is shown."""
    found = [
        "<p>The worst frame of each video, its error and the deviation that was "
        'stated.<i class="true"></i>label <i class="predicted"></i>prediction</p>'
    ]
    for key, cases in itertools.groupby(worst, key=lambda case: case.condition):
        figures = "".join(
            f"<figure>{svg.overlay(case.true, case.predicted, _picture(case.image))}"
            f"<figcaption>{case.nme_box:.1f}&nbsp;%, stated "
            f"{case.stated_sigma:.1f}&nbsp;%<br>{html.escape(case.video_id)} "
            f"#{case.frame}</figcaption></figure>"
            for case in cases
        )
        found.append(f'<h3>{label(key)}</h3><div class="worst">{figures}</div>')
    return "".join(found)


def _picture(image: np.ndarray) -> str:
    """uint8 (S, S, 3) RGB, or float (S, S) in [0, 1], as a data URI."""
    if image.ndim == 2:
        bgr = (np.clip(np.nan_to_num(image), 0, 1) * 255).round().astype(np.uint8)
    else:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
