"""Photometric degradations of images, as Keras layers.

    from ethos_data.degrade import MotionBlur, at_severity, training_mix

    degraded = MotionBlur(length=(0.05, 0.3))(images, face_size=face_size, seed=7)

    parameters = layer.draw(len(images), seed=7)     # the random draw ...
    degraded = layer.apply(images, parameters)       # ... and its application

Images have the shape (B, H, W, 3), values from 0 to 255 and the type uint8 or float.
The result has the same shape, type and range. Each image has its own random draw, which
depends only on the seed and on the place of the image in the batch. The layers do not
change the geometry, so landmarks stay valid. They use `keras.ops` only, so they run
eagerly, in `tf.data`, in a compiled training step and on every Keras backend.

The module `source` applies the fixed conditions of the evaluation to whole frames. It
uses OpenCV and does not need Keras.
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

_MODULES = {
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
    # Importing `ethos_data.degrade.source` must not import Keras.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
