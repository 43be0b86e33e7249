"""Evaluates models by a protocol: the Python function and the part of the command."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ethos_data.corpora.source import Listing
from ethos_data.errors import EthosError
from ethos_data.storage import files
from ethos_model import predict
from ethos_model.evaluation.protocols import results, tables
from ethos_model.evaluation.protocols.measure import (
    DETECTOR,
    FACE_BOXES,
    LABELS,
    Finder,
    measure,
)
from ethos_model.evaluation.protocols.registry import PROTOCOLS
from ethos_model.evaluation.protocols.results import ProtocolReport


def evaluate(
    protocol: str,
    data_dir: str | os.PathLike[str],
    model_dir: str | os.PathLike[str] | None = None,
    *,
    baseline_model: str | os.PathLike[str] | None = None,
    face_box: str = LABELS,
    backend: str = "auto",
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ProtocolReport:
    """Evaluates an exported model by a standard protocol.

    Example:
      report = evaluate("300w", "datasets/300W", limit=100)
      print(report.subset("common").nme_iod)

    Args:
      protocol: Name of the protocol, one of `PROTOCOLS`.
      data_dir: Directory of the original data set, as it is distributed. The needed
        directories may be at any depth.
      model_dir: Directory that `ethos-export` wrote; None for the shipped model.
      baseline_model: Directory of another exported model to compare with.
      face_box: "labels" for the tight box of the labels, "detector" for the box that
        ETHOS finds.
      backend: File of the model to run; see `FacePredictor`.
      limit: Maximum number of faces, evenly spread; None for all.
      progress: Function that is called with the number of frames that are done and the
        number of all frames.

    Raises:
      EthosError: A directory of the data set is missing, no face can be used, or a
        model does not exist or is damaged.
    """
    if protocol not in PROTOCOLS:
        raise EthosError(f"no protocol {protocol!r}, only {', '.join(PROTOCOLS)}")
    if face_box not in FACE_BOXES:
        raise EthosError(f"no face box {face_box!r}, only {', '.join(FACE_BOXES)}")
    chosen = PROTOCOLS[protocol]
    root = files.resolve(data_dir)
    if files.is_local(root) and not os.path.isdir(root):
        raise EthosError(f"{root}: no such directory")
    listing = Listing(root)
    items = chosen.find(listing)
    directories = [model_dir] if baseline_model is None else [model_dir, baseline_model]
    folders = [predict.find(None if d is None else os.fspath(d)) for d in directories]
    predictors = [predict.FacePredictor(f, backend=backend) for f in folders]
    measurements = measure(
        chosen,
        listing,
        items,
        predictors,
        finder=_finder() if face_box == DETECTOR else None,
        limit=limit,
        progress=progress,
    )
    if not measurements.faces:
        path, reason = measurements.left_out[0] if measurements.left_out else (root, "")
        raise EthosError(f"{path}: {reason or 'contains no face'}; no face can be used")
    models = [
        results.model_result(chosen, measurements, index, folder)
        for index, folder in enumerate(folders)
    ]
    return ProtocolReport(
        protocol,
        root,
        face_box,
        limit is not None,
        tuple(models),
        measurements.faces,
        measurements.left_out,
    )


def _finder() -> Finder:
    from ethos_model.footage.finder import FaceFinder

    return FaceFinder()


def write(report: ProtocolReport, output_dir: str | os.PathLike[str]) -> list[str]:
    """Writes a report as JSON, Markdown and CSV.

    Args:
      report: Result of `evaluate`.
      output_dir: Directory to write to, on this machine or in an object store. It is
        created if it does not exist.

    Returns:
      Paths of the files.
    """
    contents = {
        "protocol.json": report.to_json(),
        "protocol.md": tables.markdown(report),
        "faces.csv": tables.faces_csv(report),
    }
    return files.write_texts(output_dir, contents)


def left_out(report: ProtocolReport) -> Sequence[str]:
    """Returns a line with file and reason for each file that cannot be used."""
    return [f"left out: {path}: {reason}" for path, reason in report.left_out]
