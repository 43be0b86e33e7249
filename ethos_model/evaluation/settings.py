"""The options of ethos-evaluate."""

from __future__ import annotations

import dataclasses
from typing import Final

from ethos_data import options
from ethos_data.errors import EthosError
from ethos_model import predict
from ethos_model.evaluation.protocols.measure import FACE_BOXES, LABELS
from ethos_model.evaluation.protocols.registry import PROTOCOLS

SOURCE: Final = ("source",)
"""Kinds of condition for a quick evaluation: clean and the source degradations."""

EVERYTHING: Final = ("source", "trained", "unseen", "box")
"""All kinds of condition."""

_PROTOCOL_ONLY: Final[tuple[str, ...]] = ("face_box",)
_WITHOUT_PROTOCOL: Final[tuple[str, ...]] = (
    "split",
    "label_shift",
    "conditions",
    "seed",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What to evaluate. Each field is a flag; its help text documents it."""

    data_dir: str = options.required(
        "Directory of the data set that ethos-convert wrote; with --protocol, of the "
        "original test set",
        group="data",
        metavar="DIR",
    )
    split: str = options.option("test", "Split of the data set", group="data")
    limit: int | None = options.option(
        None,
        "Maximum number of frames, evenly spaced in the data (default: all)",
        group="data",
        minimum=1,
    )
    label_shift: float | None = options.option(
        None,
        "Offset of the labels of this data set to the right of the face, in % of the "
        "face size; 0 for rendered heads. If it is not given, the labels are assumed "
        "to have the same offset as the labels that the model was trained on",
        group="data",
    )
    model: str | None = options.option(
        None,
        "Directory of the model that ethos-export wrote (default: the shipped model)",
        group="model",
        metavar="DIR",
        local=True,
    )
    baseline_model: str | None = options.option(
        None,
        "Directory of another exported model to compare with, for example a model that "
        "was trained on clean images only",
        group="model",
        metavar="DIR",
        local=True,
    )
    backend: str = options.option(
        "tensorflow",
        "File of the model to evaluate: model.tflite, model.onnx or the SavedModel",
        group="model",
        choices=[name for name in predict.BACKENDS if name != "auto"],
    )
    conditions: tuple[str, ...] = options.option(
        EVERYTHING,
        "Conditions to evaluate besides clean frames: kinds (source, trained, unseen, "
        "box), names of degradations (motion_blur) or NAME-SEVERITY (motion_blur-3)",
        group="evaluation",
        metavar="NAME",
    )
    seed: int = options.option(
        0, "Random seed of the degradations", group="evaluation", minimum=0
    )
    protocol: str | None = options.option(
        None,
        "Published test set that --data_dir contains as it is distributed",
        group="standard protocol",
        choices=tuple(PROTOCOLS),
    )
    face_box: str = options.option(
        LABELS,
        "Face box of the predictions with --protocol: the tight box of the labels, or "
        "the detection of ETHOS",
        group="standard protocol",
        choices=FACE_BOXES,
    )
    output_dir: str | None = options.option(
        None,
        "Directory to write the report to; only the table is printed if it is not "
        "given",
        group="output",
        metavar="DIR",
    )


def check_combination(chosen: EvaluateOptions) -> None:
    """Checks that no flag is given that has no effect.

    Raises:
      EthosError: A flag has no effect.
    """
    names, reason = _WITHOUT_PROTOCOL, "has no effect with --protocol"
    if chosen.protocol is None:
        names, reason = _PROTOCOL_ONLY, "needs --protocol"
    for field in dataclasses.fields(EvaluateOptions):
        if field.name in names and getattr(chosen, field.name) != field.default:
            raise EthosError(f"--{field.name} {reason}")
