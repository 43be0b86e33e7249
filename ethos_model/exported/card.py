"""The card of an exported model: sizes, units, data and metrics."""

from __future__ import annotations

import math
import os
from typing import Any, Final

from ethos_data.crop import NETWORK_CONTEXT
from ethos_model.metrics import SIGMA_RATIO
from ethos_model.predict import FORMAT_VERSION

_PRIVATE: Final = ("data_dir", "extra_data_dir", "cache_dir", "workdir")
"""Settings with paths of the machine on which the model was trained."""

_INPUTS: Final = {
    "image": "uint8 [N, S, S, 3] RGB, S = image_size: the square around the centre of "
    "the face box whose side is network_context times the longer side of the box"
}

_OUTPUTS: Final = {
    "landmarks": "float32 [N, 68, 3], iBUG-68, normalised",
    "uncertainty": "float32 [N, 68], one standard deviation of x or y, normalised",
    "visible": "float32 [N, 68], probability that the image shows the landmark",
    "depth": "float32 [N, D, D, 1], D = depth_size, normalised",
    "restored": "float32 [N, D, D, 1], grey (BT.601) in [0, 1]",
}

_UNITS: Final = {
    "normalised": "x and y are 0 at the left and top edge of the square and 1 at the "
    "right and bottom edge; z and depth have the same unit, are zero at the mean of "
    "the twelve eye landmarks, and are larger where the face is nearer",
    "uncertainty_factor": "factor of the network's standard deviations with which one "
    "of them contains 68.3 % of the errors on validation faces",
    "face_box": "tight box of the 68 landmarks: x0, y0, x1, y1",
    "label_shift": "offset of landmarks and depth to the right, learnt from the "
    "labels, in % of sqrt(w h) of the face box; ETHOS' predictor removes it",
}


def make(
    name: str, meta: dict[str, Any], metrics: dict[str, Any] | None
) -> dict[str, Any]:
    """The content of `ethos_model.json`.

    Args:
      name: Name of the model.
      meta: Meta data of the checkpoint that is exported.
      metrics: Results of ethos-evaluate; None for no results.
    """
    config, history = meta["config"], meta["history"]
    last = history[-1] if history else {}
    return {
        "format_version": FORMAT_VERSION,
        "name": name,
        "image_size": config["image_size"],
        "depth_size": config["image_size"],
        "network_context": NETWORK_CONTEXT,
        "label_shift": config.get("label_shift", 0.0),
        "inputs": _INPUTS,
        "outputs": _OUTPUTS,
        "units": _UNITS,
        "training_data": meta.get("data", {}),
        "training": {
            setting: _file_name(value) if setting.endswith("_weights") else value
            for setting, value in config.items()
            if setting not in _PRIVATE
        },
        "trained_steps": meta["step"],
        "uncertainty_factor": uncertainty_factor(meta),
        "validation": {k: v for k, v in last.items() if k.startswith("val_")},
        "metrics": metrics or {},
    }


def _file_name(path: str) -> str:
    """The last part of a path: the directories before it are private."""
    return os.path.basename(os.path.normpath(path)) if path else path


def uncertainty_factor(meta: dict[str, Any]) -> float:
    """Factor with which one standard deviation contains 68.3 % of the errors.

    It is the geometric mean of the factors for clean and for degraded validation faces,
    and 1 if the run had no validation faces.

    Args:
      meta: Meta data of a checkpoint.
    """
    row = meta["history"][-1] if meta["history"] else {}
    ratios = [row.get(f"{kind}_{SIGMA_RATIO}", 1.0) for kind in ("val", "val_degraded")]
    return math.sqrt(math.prod(ratios))
