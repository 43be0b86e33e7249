"""The results of a protocol by subset."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Final

import numpy as np

from ethos_model import metrics
from ethos_model.evaluation.protocols.measure import FaceError, Measurements
from ethos_model.evaluation.protocols.protocol import FULL, Protocol

BALANCED: Final = "balanced mean"
"""Name of the row with the mean of some subsets, each with the same weight."""

CUMULATIVE_GRID: Final = np.linspace(0, 10, 41)
"""NME in % at which the cumulative error distribution is given."""


@dataclasses.dataclass(frozen=True)
class SubsetResult:
    """The results of one model on a subset.

    Attributes:
      subset: Name of the subset.
      faces: Number of faces.
      found: Share of the faces that were found, in %; 100 if the labels give the box.
      nme_iod: Mean NME_iod of the faces that were found, in %; NaN if the protocol
        does not report it.
      nme_box: Mean NME_box of the faces that were found, in %.
      auc: Area under the cumulative distribution of the protocol's NME from 0 to its
        limit, in %. A face that was not found has an infinite error.
      failure_rate: Share of the faces with an NME above the limit, in %.
    """

    subset: str
    faces: int
    found: float
    nme_iod: float
    nme_box: float
    auc: float
    failure_rate: float


@dataclasses.dataclass(frozen=True)
class ModelResult:
    """The results of one model.

    Attributes:
      model: Directory of the model.
      subsets: The results in the order of the protocol.
      cumulative: float (41,), share of all faces in % whose NME is at most each value
        of `CUMULATIVE_GRID`.
    """

    model: str
    subsets: tuple[SubsetResult, ...]
    cumulative: np.ndarray


@dataclasses.dataclass(frozen=True)
class ProtocolReport:
    """The results of a protocol.

    Attributes:
      protocol: Name of the protocol.
      data_dir: Directory of the original data set.
      face_box: "labels" or "detector".
      limited: Whether only a part of the faces was selected.
      models: The results of the model and, if there is one, of the baseline.
      faces: The errors of each face.
      left_out: Path and reason of each image or video that cannot be used.
    """

    protocol: str
    data_dir: str
    face_box: str
    limited: bool
    models: tuple[ModelResult, ...]
    faces: tuple[FaceError, ...]
    left_out: tuple[tuple[str, str], ...]

    def subset(self, name: str) -> SubsetResult:
        """Returns the result of the model on a subset.

        Raises:
          KeyError: The protocol has no such subset.
        """
        return {result.subset: result for result in self.models[0].subsets}[name]

    def to_json(self) -> str:
        """The report as JSON, without single faces. NaN becomes null."""
        values = dataclasses.asdict(dataclasses.replace(self, faces=()))
        del values["faces"]
        values["cumulative_grid"] = CUMULATIVE_GRID
        return json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(float(value), 5) if math.isfinite(value) else None
    return value


def model_result(
    protocol: Protocol, measurements: Measurements, index: int, model: str
) -> ModelResult:
    """Returns the results of one model.

    Args:
      protocol: The protocol.
      measurements: The errors of all faces.
      index: Number of the model in the measurements.
      model: Directory of the model.
    """
    results = []
    for subset in protocol.subsets:
        faces = [
            face
            for face in measurements.faces
            if subset == FULL or subset in face.subsets
        ]
        results.append(_subset_result(protocol, subset, faces, index))
    if protocol.balanced:
        chosen = [r for r in results if r.subset in protocol.balanced]
        results.append(_balanced(chosen))
    errors = _errors(protocol, measurements.faces, index)
    share = [100 * np.mean(errors <= value) for value in CUMULATIVE_GRID]
    return ModelResult(model, tuple(results), np.array(share))


def _errors(
    protocol: Protocol, faces: tuple[FaceError, ...] | list[FaceError], index: int
) -> np.ndarray:
    """The errors in the unit of the protocol, float64 (N,), in %."""
    name = f"nme_{protocol.norm}"
    return np.array([getattr(face, name)[index] for face in faces], np.float64)


def _subset_result(
    protocol: Protocol, subset: str, faces: list[FaceError], index: int
) -> SubsetResult:
    nan = float("nan")
    if not faces:
        return SubsetResult(subset, 0, nan, nan, nan, nan, nan)
    with_box = [face for face in faces if face.found]

    def mean(name: str) -> float:
        values = [getattr(face, name)[index] for face in with_box]
        return float(np.mean(values)) if values else nan

    errors = _errors(protocol, faces, index)
    return SubsetResult(
        subset,
        len(faces),
        100 * len(with_box) / len(faces),
        mean("nme_iod") if protocol.has_iod else nan,
        mean("nme_box"),
        metrics.auc(errors, protocol.limit),
        metrics.failure_rate(errors, protocol.limit),
    )


def _balanced(results: list[SubsetResult]) -> SubsetResult:
    """The mean of some subsets, each with the same weight."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(result, name) for result in results]))

    return SubsetResult(
        BALANCED,
        sum(result.faces for result in results),
        mean("found"),
        mean("nme_iod"),
        mean("nme_box"),
        mean("auc"),
        mean("failure_rate"),
    )
