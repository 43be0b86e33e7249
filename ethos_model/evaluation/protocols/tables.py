"""The report of a protocol as text, Markdown and CSV, next to published figures."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterator
from typing import Final

import numpy as np

from ethos_model.evaluation.protocols import published
from ethos_model.evaluation.protocols.measure import DETECTOR, MIN_OVERLAP
from ethos_model.evaluation.protocols.protocol import FULL, Protocol
from ethos_model.evaluation.protocols.registry import PROTOCOLS
from ethos_model.evaluation.protocols.results import ProtocolReport

_MODELS: Final = ("ETHOS", "baseline")
_COLUMNS: Final = ("nme_iod", "nme_box", "auc", "failure_rate")
_NORMS: Final = {
    "iod": "NME_iod, divided by the distance of the outer corners of the eyes",
    "box": "NME_box, divided by sqrt(w * h) of the box of the labels",
}

_WIDTH: Final = 88
"""Columns of the printed report."""

Row = tuple[str, str, str, list[str]]
"""Subset, method, number of faces, and the figures."""


def _rows(report: ProtocolReport, protocol: Protocol) -> Iterator[Row]:
    """Yields the rows of the report: each subset, followed by published figures."""
    entries = published.of(protocol.name)
    for number, result in enumerate(report.models[0].subsets):
        for name, model in zip(_MODELS, report.models, strict=False):
            own = model.subsets[number]
            figures = [_number(getattr(own, column)) for column in _COLUMNS]
            yield result.subset, name, str(own.faces), figures
        for entry in entries:
            known = entry.figures.get(result.subset)
            if known is not None:
                cells = [_number(known.get(c, float("nan"))) for c in _COLUMNS]
                yield result.subset, entry.method, "", cells


def _number(value: float) -> str:
    """A number with two decimals; empty if it is not known."""
    return f"{value:.2f}" if np.isfinite(value) else ""


def _heads(protocol: Protocol) -> list[str]:
    limit = f"{protocol.limit:g}"
    return ["NME_iod", "NME_box", f"AUC@{limit}", f"FR@{limit}"]


def table(report: ProtocolReport) -> str:
    """The report that the command prints."""
    protocol = PROTOCOLS[report.protocol]
    heads = "".join(f"{head:>9}" for head in _heads(protocol))
    lines = [
        f"{report.models[0].model} on {protocol.title} ({report.data_dir}): "
        f"{len(report.faces):,} faces",
        "",
        f"{'in %':<16}{'':<11}{'faces':>8}{heads}",
    ]
    last = ""
    for subset, method, faces, cells in _rows(report, protocol):
        title = subset if subset != last else ""
        figures = "".join(f"{cell:>9}" for cell in cells)
        lines.append(f"{title:<16}{method:<11}{faces:>8}{figures}".rstrip())
        last = subset
    lines.append("")
    for note in _notes(report, protocol):
        lines += textwrap.wrap(f"- {note}", _WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def markdown(report: ProtocolReport) -> str:
    """The report as Markdown. Cells of unknown figures are empty."""
    protocol = PROTOCOLS[report.protocol]
    heads = ["subset", "method", "faces", *(f"{h} %" for h in _heads(protocol))]
    lines = [
        f"# {protocol.title}",
        "",
        f"| {' | '.join(heads)} |",
        f"|{' --- |' * 2}{' ---: |' * 5}",
    ]
    for subset, method, faces, cells in _rows(report, protocol):
        lines.append(f"| {' | '.join([subset, method, faces, *cells])} |")
    lines += ["", *(f"- {note}" for note in _notes(report, protocol))]
    return "\n".join(lines) + "\n"


def _notes(report: ProtocolReport, protocol: Protocol) -> Iterator[str]:
    """Yields how the figures were measured and what they can be compared with."""
    yield f"AUC and failure rate: {_NORMS[protocol.norm]}, limit {protocol.limit:g} %."
    yield f"Outline of the labels: {protocol.outline}."
    yield (
        "Outline of the predictions of the shipped model: 3D, because it was trained "
        "on 3D labels. With 2D labels, this increases the error of turned heads."
    )
    yield _box_note(report)
    yield from protocol.notes
    yield from _completeness(report, protocol)
    entries = published.of(protocol.name)
    for entry in entries:
        yield f"{entry.method}: {entry.source}."
    missing = set(published.METHODS) - {entry.method for entry in entries}
    if missing:
        names = ", ".join(m for m in published.METHODS if m in missing)
        yield f"No published figures on this test set are known for {names}."
    if entries:
        yield (
            "The published models were trained on the training part of this data set "
            "or on similar ones. An empty cell is a figure that is not known."
        )


def _box_note(report: ProtocolReport) -> str:
    if report.face_box != DETECTOR:
        return "Face box of the predictions: the tight box of the labels."
    share = 100 * np.mean([face.found for face in report.faces])
    return (
        "Face box of the predictions: the detection that overlaps the box of the "
        f"labels most (IoU above {MIN_OVERLAP:g}). "
        f"{share:.1f} % of the faces were found. The others count as failed and have "
        "no part in the mean errors."
    )


def _completeness(report: ProtocolReport, protocol: Protocol) -> Iterator[str]:
    """Yields what differs from the official test set."""
    if report.limited:
        yield "Only a part of the faces was evaluated (--limit)."
    else:
        for result in report.models[0].subsets:
            official = protocol.expected.get(result.subset, result.faces)
            if result.faces != official:
                yield (
                    f"The subset {result.subset} has {result.faces:,} faces here and "
                    f"{official:,} in the publications."
                )
    if report.left_out:
        yield (
            f"{len(report.left_out):,} files could not be used and are left out, so "
            "the figures are not comparable."
        )
    if protocol.name == "300vw" and not report.limited:
        yield "The mean is over frames: a long video has more weight than a short one."


def faces_csv(report: ProtocolReport) -> str:
    """One row per face, with the errors of each model in %.

    An error is `nan` where the protocol does not define it and `inf` where the face was
    not found.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    models = ("", "baseline_")[: len(report.models)]
    names = [f"{model}{name}" for model in models for name in ("nme_iod", "nme_box")]
    writer.writerow(["path", "frame", "subsets", "found", *names])
    for face in report.faces:
        pairs = zip(face.nme_iod, face.nme_box, strict=True)
        errors = [f"{value:.4f}" for pair in pairs for value in pair]
        subsets = " ".join(s.replace(" ", "_") for s in face.subsets) or FULL
        writer.writerow([face.path, face.frame, subsets, int(face.found), *errors])
    return text.getvalue()
