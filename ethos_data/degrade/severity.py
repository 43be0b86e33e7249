"""The table of severities: what 1 to 5 means for each degradation.

Severity 3 corresponds to the conditions of the published comparison for a face of the
median size: a frame downsampled four times, a fifth of the light, and 15 pixels of
motion blur in a window of 112 pixels. The other severities form an approximately
geometric series around it.
"""

from __future__ import annotations

from typing import Any, Final

from ethos_data.degrade.base import Degradation
from ethos_data.degrade.contrast import ContrastLoss
from ethos_data.degrade.defocus import Defocus
from ethos_data.degrade.jpeg import Jpeg
from ethos_data.degrade.low_light import LowLight
from ethos_data.degrade.low_resolution import LowResolution
from ethos_data.degrade.motion_blur import MotionBlur
from ethos_data.degrade.noise import SensorNoise
from ethos_data.degrade.occlusion import Occlusion
from ethos_data.degrade.overexposure import Overexposure

LAYERS: Final[dict[str, type[Degradation]]] = {
    "low_resolution": LowResolution,
    "low_light": LowLight,
    "motion_blur": MotionBlur,
    "defocus": Defocus,
    "noise": SensorNoise,
    "jpeg": Jpeg,
    "contrast": ContrastLoss,
    "occlusion": Occlusion,
    "overexposure": Overexposure,
}

SEVERITY: Final[dict[str, dict[str, tuple[float, float, float, float, float]]]] = {
    # 83 pixels (the mean face size in a window of 112) divided by 2, 2.8, 4, 5.7, 8.
    "low_resolution": {"face_pixels": (41, 29, 21, 14.5, 10)},
    "low_light": {
        "light": (0.5, 0.33, 0.2, 0.12, 0.07),
        "gamma": (1, 1, 1, 1, 1),
        "electrons": (4000, 2000, 1000, 700, 500),
        "read_noise": (0.6, 0.9, 1.2, 1.6, 2),
    },
    # 5, 10, 15, 21 and 29 pixels for a face of 83 pixels.
    "motion_blur": {"length": (0.06, 0.12, 0.18, 0.25, 0.35)},
    "defocus": {"radius": (0.015, 0.028, 0.042, 0.058, 0.08)},
    "noise": {"sigma": (5, 9, 15, 22, 32)},
    "jpeg": {"quality": (40, 25, 15, 9, 5)},
    "contrast": {"contrast": (0.65, 0.45, 0.3, 0.2, 0.13)},
    "occlusion": {"area": (0.03, 0.07, 0.12, 0.18, 0.25)},
    "overexposure": {"gain": (1.4, 1.8, 2.3, 3.0, 4.0)},
}
"""Parameters of each degradation at severities 1, 2, 3, 4 and 5.

Parameters that are not listed are drawn from their default ranges."""


def at_severity(name: str, severity: int) -> Degradation:
    """Creates a degradation of fixed strength.

    Parameters that do not determine the strength, such as the direction of a motion
    blur, are still drawn for each image.

    Example:
      degraded = at_severity("low_light", 3)(images, seed=7)

    Args:
      name: A key of `SEVERITY`.
      severity: 1 to 5. 0 changes nothing.

    Raises:
      ValueError: There is no such degradation or severity.
    """
    if name not in SEVERITY or severity not in range(6):
        raise ValueError(
            f"name must be one of {', '.join(SEVERITY)}, and severity 0 to 5. "
            f"Received: name={name!r}, severity={severity!r}"
        )
    if severity == 0:
        return LAYERS[name](share=0.0)
    fixed: dict[str, Any] = {
        key: values[severity - 1] for key, values in SEVERITY[name].items()
    }
    return LAYERS[name](**fixed)
