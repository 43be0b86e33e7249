"""Bad footage, on purpose: photometric degradations as Keras layers.

    from ethos_data.degrade import MotionBlur, at_severity, training_mix

    worse = MotionBlur(length=(0.05, 0.3))(images, face_size=face_size, seed=7)
    parameters = layer.draw(len(images), seed=7)     # drawing ...
    worse = layer.apply(images, parameters)          # ... apart from applying

Images are (B, H, W, 3), 0 to 255, uint8 or float; the result has the same shape, type
and range. Every image has its own draw, which depends on the seed and its place in the
batch alone. Layers move pixels, never landmarks. They are written with `keras.ops` and
run eagerly, in `tf.data`, in a compiled train step and on every Keras backend.
`source` holds the fixed conditions for whole source frames, in plain OpenCV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ethos_data.degrade.base import NOMINAL_FACE, Degradation
    from ethos_data.degrade.compose import Compose
    from ethos_data.degrade.contrast import ContrastLoss
    from ethos_data.degrade.defocus import Defocus
    from ethos_data.degrade.grading import Grading
    from ethos_data.degrade.jpeg import Jpeg
    from ethos_data.degrade.low_light import LowLight
    from ethos_data.degrade.low_resolution import LowResolution
    from ethos_data.degrade.mixture import Mixture, training_mix
    from ethos_data.degrade.motion_blur import MotionBlur
    from ethos_data.degrade.noise import SensorNoise
    from ethos_data.degrade.occlusion import Occlusion
    from ethos_data.degrade.overexposure import Overexposure
    from ethos_data.degrade.severity import SEVERITY, at_severity

__all__ = [
    "NOMINAL_FACE",
    "SEVERITY",
    "Compose",
    "ContrastLoss",
    "Defocus",
    "Degradation",
    "Grading",
    "Jpeg",
    "LowLight",
    "LowResolution",
    "Mixture",
    "MotionBlur",
    "Occlusion",
    "Overexposure",
    "SensorNoise",
    "at_severity",
    "training_mix",
]

_HOMES = {
    "NOMINAL_FACE": "base",
    "Degradation": "base",
    "Compose": "compose",
    "ContrastLoss": "contrast",
    "Defocus": "defocus",
    "Grading": "grading",
    "Jpeg": "jpeg",
    "LowLight": "low_light",
    "LowResolution": "low_resolution",
    "Mixture": "mixture",
    "training_mix": "mixture",
    "MotionBlur": "motion_blur",
    "SensorNoise": "noise",
    "Occlusion": "occlusion",
    "Overexposure": "overexposure",
    "SEVERITY": "severity",
    "at_severity": "severity",
}


def __getattr__(name: str) -> Any:
    # `ethos_data.degrade.source` must stay importable without waiting for Keras.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
