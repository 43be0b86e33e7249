"""Turns reports of ethos-evaluate into benchmark results.

    ethos-evaluate --data_dir DATA --backend litert --output_dir REPORT
    python -m benchmarks.accuracy REPORT/report.json --previous OLD_REPORT/report.json

This writes evaluation.json (conditions without severities), evaluation_severities.json
and evaluation_summary.json. `--previous` is a report of the same data set with another
model to compare with.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_model.evaluation.report.tables import label

PUBLISHED: Final = {
    "clean": {"PFLD": 3.2, "face-api": 3.6, "dlib": 5.1, "MediaPipe": 4.4},
    "downsample4": {"PFLD": 4.6, "face-api": 7.0, "dlib": 5.8, "MediaPipe": 5.2},
    "dark5": {"PFLD": 3.4, "face-api": 3.9, "dlib": 9.1, "MediaPipe": 4.4},
    "blur15": {"PFLD": 6.8, "face-api": 12.7, "dlib": 6.9, "MediaPipe": 6.2},
}
"""NME_box in % of public models in the published comparison, by condition. It used
another sample of frames of YouTube Faces."""

COMMAND: Final = (
    "ethos-evaluate --data_dir DATA --backend litert --output_dir REPORT\n"
    "python -m benchmarks.accuracy REPORT/report.json"
)

WHAT: Final = {
    "evaluation": "NME_box on {data}. The degradations act on the source frame before "
    "the face is cut out. The intervals are bootstrap intervals over people. The "
    "figures of PFLD, face-api, dlib and MediaPipe are those of the published "
    "comparison, which used another sample of such frames.",
    "evaluation_severities": "NME_box on {data}, by severity, and the increase of PSNR "
    "from the input to the restored image. The unseen degradations are not in the "
    "training mix.",
    "evaluation_summary": "Summary of the evaluation on {data}. The mean corruption "
    "error (mCE) is relative to the mean face, which has 100 %. The last two columns "
    "count the conditions in which the restored image is on average closer to the "
    "clean image than the input.",
}
"""What each result measures."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    report: str = options.required(
        "report.json that ethos-evaluate wrote", positional=True, metavar="FILE"
    )
    previous: str | None = options.option(
        None, "report.json of the model to compare with", metavar="FILE"
    )
    output_dir: str = options.option(
        str(measure.DIRECTORY),
        "Directory to write the JSON files to",
        metavar="DIR",
        default_text="benchmarks/results",
    )


def read_report(path: str | None) -> dict[str, dict[str, Any]]:
    """Reads a report.

    Args:
      path: report.json. None gives an empty report.

    Returns:
      The report, with the list of conditions replaced by a dictionary by key.
    """
    if path is None:
        return {"conditions": {}}
    try:
        values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        values["conditions"] = {
            f"{c['name']}-{c['severity']}" if c["severity"] else c["name"]: c
            for c in values["conditions"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise EthosError(f"{path}: not a report of ethos-evaluate: {error!r}") from None
    return values


def interval(ends: Sequence[float | None]) -> str | None:
    """A confidence interval as text; None if it is not known."""
    low, high = ends
    return None if low is None or high is None else f"{low:.2f} to {high:.2f}"


def main_table(
    report: Mapping[str, Any], previous: Mapping[str, Any]
) -> tuple[measure.Figures, measure.Figures]:
    """Figures and baseline of the conditions without severities."""
    figures: dict[str, dict[str, Any]] = {}
    baseline: dict[str, dict[str, Any]] = {}
    for key, result in report["conditions"].items():
        if result["severity"]:
            continue
        figures[label(key)] = {
            "NME_box %": round(result["nme_box"], 2),
            "95 % interval": interval(result["nme_box_interval"]),
        }
        cells = {}
        if key in previous["conditions"]:
            old = previous["conditions"][key]["nme_box"]
            cells["previous model"] = round(old, 2)
        cells["mean face"] = round(report["mean_face"]["nme_box"], 2)
        baseline[label(key)] = cells | PUBLISHED.get(key, {})
    return figures, baseline


def severity_table(
    report: Mapping[str, Any], previous: Mapping[str, Any]
) -> tuple[measure.Figures, measure.Figures]:
    """Figures and baseline of the conditions with severities."""
    figures: dict[str, dict[str, Any]] = {}
    baseline: dict[str, dict[str, Any]] = {}
    for result in report["conditions"].values():
        severity = result["severity"]
        if severity:
            column = "NME_box % at severity 1" if severity == 1 else str(severity)
            cells = figures.setdefault(_row(result), {})
            cells[column] = round(result["nme_box"], 2)
    for key, result in report["conditions"].items():
        severity = result["severity"]
        if severity not in (1, 3):
            continue
        row = _row(result)
        restorable = result["kind"] != "box"
        old = previous["conditions"].get(key)
        if severity == 3:
            figures[row]["increase at 3 over clean %"] = round(result["over_clean"])
        if restorable:
            figures[row][f"PSNR gain at {severity}, dB"] = _gain(result)
        if severity == 3 and old is not None:
            baseline[row] = {"NME_box % at 3, previous model": round(old["nme_box"], 2)}
            if restorable:
                baseline[row]["PSNR gain at 3, previous model, dB"] = _gain(old)
    return figures, baseline


def _row(result: Mapping[str, Any]) -> str:
    return label(result["name"]) + " (unseen)" * (result["kind"] == "unseen")


def _gain(result: Mapping[str, Any]) -> float:
    return round(result["restored_psnr"] - result["input_psnr"], 2)


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """Summary of a report: mCE, coverage of the uncertainty, and restored images."""
    degraded = [
        c for c in report["conditions"].values() if c["kind"] not in ("clean", "box")
    ]
    count = len(degraded)
    return {
        **{
            f"mCE {kind} %": round(mce["mean_face"], 1)
            for kind, mce in report["mce"].items()
            if kind != "source"
        },
        "coordinates within 1 sigma, clean %": round(
            report["conditions"]["clean"]["within_1_sigma"], 1
        ),
        f"conditions with higher PSNR, of {count}": sum(
            c["restored_psnr"] > c["input_psnr"] for c in degraded
        ),
        f"conditions with higher SSIM, of {count}": sum(
            c["restored_ssim"] > c["input_ssim"] for c in degraded
        ),
    }


def parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    return measure.make_parser("accuracy", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    report, previous = read_report(chosen.report), read_report(chosen.previous)
    data = (
        f"{report['frames']} frames of {report['people']} people, "
        f"{report['split']} split"
    )
    old = {"previous model": summary(previous)} if chosen.previous else {}
    tables = {
        "evaluation": main_table(report, previous),
        "evaluation_severities": severity_table(report, previous),
        "evaluation_summary": ({"ETHOS": summary(report)}, old),
    }
    for name, (figures, baseline) in tables.items():
        measure.write(
            str(pathlib.Path(chosen.output_dir) / f"{name}.json"),
            what=WHAT[name].format(data=data),
            command=COMMAND,
            figures=figures,
            baseline=baseline,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
