"""A report as one HTML page without scripts or further files.

The page contains images of faces from the corpus. It must be protected like the corpus.
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
    """The report as an HTML document."""
    columns = (
        _section("Distribution of the error", _cumulative(report))
        + _section(
            "Error of each landmark",
            "<p>The radius of a disc is the mean error of its landmark on clean "
            "frames, to scale.</p>",
            svg.face(report.mean_points, report.points),
        ),
        _section("Error by severity of the degradation", *_severities(report)),
        _section("Error by face size, pose and image quality", *_slices(report)),
    )
    sections = [
        _section("Accuracy", _columns(_headline(report), _main_bars(report))),
        _columns(*columns),
        _section("Calibration of the uncertainty", *_calibration(report)),
        _section("Robustness, depth, restored image and jitter", _other(report)),
        _section("Examples", _examples(report.examples)),
        _section("Worst frames", _worst(report.worst)),
    ]
    title = f"ETHOS: {html.escape(report.model)} on {html.escape(report.split)}"
    baseline = (
        " A red line shows the error of the baseline model "
        f"{html.escape(report.baseline_model)}."
        if report.baseline_model
        else ""
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{STYLE}</style></head><body>
<h1>{title}</h1>
<p>{report.frames:,} frames of {report.people} people. The input of the network has
{report.image_size} px. NME<sub>box</sub> is the mean landmark error in % of the face
size, sqrt(w·h) of the box of the true landmarks. Intervals are 95 % intervals by
bootstrap over people. In bar charts, a grey line shows the error of the mean face,
which does not depend on the image.{baseline}</p>
<main>{"".join(sections)}</main>
</body></html>
"""


def _section(title: str, *contents: str) -> str:
    body = "".join(contents)
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def _columns(*contents: str) -> str:
    """Arranges contents side by side where the screen is wide enough."""
    columns = "".join(f"<div>{part}</div>" for part in contents if part)
    return f'<div class="columns">{columns}</div>' if columns else ""


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
    results: list[ConditionResult | MeanFaceResult] = [
        *report.main_conditions(),
        report.mean_face,
    ]
    for result in results:
        low, high = result.nme_box_interval
        rows.append(
            (
                label(result.name),
                f"<b>{_number(result.nme_box)}</b>",
                f"{_number(low)}–{_number(high)}",
                _number(result.nme_iod),
                _number(result.auc, 1),
                _number(result.failure_rate, 1),
            )
        )
    head = (
        "",
        "NME<sub>box</sub> %",
        "95 % interval",
        "NME<sub>iod</sub> %",
        "AUC<sub>8</sub> %",
        "failed %",
    )
    notes = (
        "<p>NME<sub>iod</sub>: mean landmark error in % of the distance of the outer "
        "eye corners. AUC<sub>8</sub>: area under the cumulative distribution of "
        "NME<sub>box</sub> up to 8 %. Failed: frames with NME<sub>box</sub> above 8 %."
        "</p>"
    )
    return _table(head, rows) + notes


def _main_bars(report: Report) -> str:
    mean = report.mean_face.nme_box
    rows = [
        (label(r.name), r.nme_box, r.nme_box_interval, mean, r.baseline_nme_box)
        for r in report.main_conditions()
    ]
    return svg.bars(rows, label="NME_box, %")


def _cumulative(report: Report) -> str:
    return svg.lines(
        {label(key): (CUMULATIVE_GRID, y) for key, y in report.cumulative.items()},
        x_label="NME_box, %",
        y_label="frames with at most this error, %",
        y_range=(0, 100),
    )


def _severities(report: Report) -> list[str]:
    clean = report.condition("clean").nme_box
    parts = []
    for kind, title in KINDS.items():
        results = [result for result in report.conditions if result.kind == kind]
        if not results:
            continue
        series = {}
        for name, group in itertools.groupby(results, key=lambda r: r.name):
            by_severity = [(result.severity, result.nme_box) for result in group]
            xs, ys = zip((0, clean), *by_severity, strict=True)
            series[label(name)] = (xs, ys)
        heading = title.capitalize()
        if kind in report.mce:
            mce = report.mce[kind]
            heading += f": mCE {_number(mce['mean_face'], 1)} % of the mean face"
            if "baseline" in mce:
                heading += f", {_number(mce['baseline'], 1)} % of the baseline model"
        parts.append(f"<h3>{heading}</h3>")
        parts.append(
            svg.lines(
                series,
                x_label="severity",
                y_label="NME_box, %",
                x_ticks=range(6),
                guide=((0, 5), (1.15 * clean, 1.15 * clean)),
            )
        )
    if not parts:
        return []
    notes = (
        "<p>Trained degradations are part of the training mix, unseen degradations are "
        "not. Severity 0 is the clean frame. The dashed line is 15 % above the error "
        "on clean frames.</p>"
    )
    return [notes, *parts]


def _slices(report: Report) -> list[str]:
    parts = []
    for title, results in report.slices.items():
        rows = [
            (
                f"{result.name} ({result.frames})",
                result.nme_box,
                result.nme_box_interval,
                result.mean_face_nme_box,
                result.baseline_nme_box,
            )
            for result in results
        ]
        bars = svg.bars(rows, label="NME_box, %, clean frames")
        parts.append(f"<h3>{title}</h3>{bars}")
    return ["<p>The number of frames is given in brackets.</p>", *parts]


def _calibration(report: Report) -> list[str]:
    bins = {
        calibration.kind: (
            [stated for _, stated, _ in calibration.bins],
            [error for _, _, error in calibration.bins],
        )
        for calibration in report.calibration
        if calibration.bins
    }
    first = report.calibration[0]
    widths = [width for width, _, _ in first.coverage]
    plots = [
        svg.lines(
            {
                calibration.kind: (widths, [s for _, s, _ in calibration.coverage])
                for calibration in report.calibration
            },
            x_label="predicted standard deviations",
            y_label="coordinates within, %",
            y_range=(0, 100),
            guide=(widths, [gaussian for _, _, gaussian in first.coverage]),
        )
    ]
    if bins:
        all_stated = [value for stated, _ in bins.values() for value in stated]
        ends = [min(all_stated), max(all_stated)]
        plots.append(
            svg.lines(
                bins,
                x_label="predicted standard deviation, %",
                y_label="actual error (RMS), %",
                guide=(ends, ends),
            )
        )
    ranks = ", ".join(
        f"{calibration.kind} {_number(calibration.rank_correlation)}"
        for calibration in report.calibration
    )
    notes = (
        "<p>Left: share of coordinates whose error is at most the given number of "
        "predicted standard deviations. Right: actual error of the coordinates with "
        "the given predicted standard deviation. The dashed lines show a perfectly "
        "calibrated model.</p><p>Rank correlation between the predicted standard "
        f"deviation of a frame and its NME<sub>box</sub>: {ranks}.</p>"
    )
    return [_columns(*plots, notes)]


def _other(report: Report) -> str:
    mean = report.mean_face
    rows = [
        _other_row(report, result)
        for result in report.conditions
        if result.severity in (0, 3)
    ]
    blank = ("",) * 5
    rows.append(
        ("the mean face", "", _number(mean.z_error), _number(mean.depth_error), *blank)
    )
    derived = _number(mean.derived_depth_error)
    rows.append(("depth derived from true landmarks", "", "", derived, *blank))
    head = (
        "",
        "increase of NME<sub>box</sub> over clean % (95 %)",
        "z error %",
        "depth error %",
        "restored PSNR dB (input)",
        "PSNR gain dB (95 %)",
        "restored SSIM (input)",
        "within 1σ %",
        "jitter %",
    )
    notes = (
        "<p>Conditions with severities are shown at severity 3. Within 1σ: share of "
        "coordinates whose error is at most one predicted standard deviation (68.3 % "
        "is ideal). Jitter: mean second difference of the landmarks of a simulated "
        "still clip, in % of the face size.</p>"
    )
    return notes + _table(head, rows)


def _other_row(report: Report, result: ConditionResult) -> tuple[str, ...]:
    clean = result.kind == "clean"
    # Nothing can be restored where the image is not degraded.
    degraded = not clean and result.kind != "box"
    increase = f"{_number(result.over_clean)} ({interval(result.over_clean_interval)})"
    return (
        label(result.name) + (" 3" if result.severity else ""),
        "–" if clean else increase,
        _number(result.z_error),
        _number(result.depth_error),
        f"{_number(result.restored_psnr, 1)} ({_number(result.input_psnr, 1)})",
        interval(result.psnr_gain_interval) if degraded else "–",
        f"{_number(result.restored_ssim, 3)} ({_number(result.input_ssim, 3)})",
        _number(result.within_1_sigma, 1),
        _number(report.jitter.get(result.key)),
    )


def _examples(examples: Sequence[Example]) -> str:
    """One row of images per example."""
    rows = []
    for example in examples:
        known = np.isfinite(example.true_depth)
        low, high = 0.0, 1.0
        if known.any():
            low, high = np.percentile(example.true_depth[known], (1, 99))
        # Predicted depth is shown only where the true depth is known, because the
        # network is not trained elsewhere.
        maps = [
            np.where(known, (depth - low) / max(high - low, 1e-6), 0)
            for depth in (example.depth, example.true_depth)
        ]
        images = [svg.overlay(None, example.predicted, _data_uri(example.image))]
        images += [
            f'<img alt="" src="{_data_uri(grey)}">'
            for grey in (example.restored, example.clean, *maps)
        ]
        caption = (
            f"{label(example.condition)}, {html.escape(example.video_id)} "
            f"#{example.frame}"
        )
        rows.append(
            f'<figure><div class="strip">{"".join(images)}</div>'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    if not rows:
        return ""
    notes = (
        "<p>From left to right: input with predicted landmarks, restored image, clean "
        "image, predicted depth, true depth.</p>"
    )
    return f'{notes}<div class="examples">{"".join(rows)}</div>'


def _worst(worst: Sequence[WorstCase]) -> str:
    """One row of images per condition."""
    parts = [
        "<p>The frame with the largest error of each of the worst videos, with its "
        "NME<sub>box</sub> and its mean predicted standard deviation."
        '<i class="true"></i>label <i class="predicted"></i>prediction</p>'
    ]
    for key, cases in itertools.groupby(worst, key=lambda case: case.condition):
        figures = "".join(
            f"<figure>{svg.overlay(case.true, case.predicted, _data_uri(case.image))}"
            f"<figcaption>{case.nme_box:.1f}&nbsp;%, predicted "
            f"{case.stated_sigma:.1f}&nbsp;%<br>{html.escape(case.video_id)} "
            f"#{case.frame}</figcaption></figure>"
            for case in cases
        )
        parts.append(f'<h3>{label(key)}</h3><div class="worst">{figures}</div>')
    return "".join(parts)


def _data_uri(image: np.ndarray) -> str:
    """An image as a JPEG data URI.

    Args:
      image: uint8 (S, S, 3), RGB, or float (S, S) in [0, 1].
    """
    if image.ndim == 2:
        bgr = (np.clip(np.nan_to_num(image), 0, 1) * 255).round().astype(np.uint8)
    else:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
