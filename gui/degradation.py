"""The degradations that a person turns on by hand in the viewer."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class Degradation:
    """What is done to a frame before the model sees it. The defaults change nothing.

    Attributes:
      low_resolution: factor by which the frame is shrunk and enlarged again, 1 and up.
      darkness: share of the light that is taken away, 0 to 1.
      motion_blur: length of the streak, source pixels, 0 and up.
    """

    low_resolution: float = 1.0
    darkness: float = 0.0
    motion_blur: float = 0.0

    @property
    def is_identity(self) -> bool:
        return self == Degradation()

    def flags(self) -> list[str]:
        """Flags of ethos-annotate that do the same."""
        flags = []
        for name, value in dataclasses.asdict(self).items():
            if value != getattr(Degradation(), name):
                flags += [f"--{name}", f"{value:.4g}"]
        return flags

    def apply(self, image: np.ndarray, index: int) -> np.ndarray:
        """uint8 (H, W, 3) RGB to the same; `index` of the frame seeds the noise."""
        if self.low_resolution > 1:
            height, width = image.shape[:2]
            small = (
                max(1, round(width / self.low_resolution)),
                max(1, round(height / self.low_resolution)),
            )
            image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        if self.darkness > 0:
            image = (image * (1 - self.darkness)).astype(np.uint8)
        if self.motion_blur > 1:
            length = round(self.motion_blur)
            kernel = np.full((1, length), 1 / length, np.float32)
            image = cv2.filter2D(image, -1, kernel)
        return image


@dataclasses.dataclass(frozen=True)
class Slider:
    """A degradation as a slider.

    Attributes:
      name: attribute of `Degradation`.
      text: beside the slider.
      neutral: value that changes nothing.
      strongest: at the other end.
      unit: pattern of the value's text.
    """

    name: str
    text: str
    neutral: float
    strongest: float
    unit: str

    def format(self, value: float) -> str:
        """The value in words."""
        return "off" if abs(value - self.neutral) < 1e-6 else self.unit.format(value)


SLIDERS = (
    Slider("low_resolution", "Low resolution", 1.0, 16.0, "1/{:.1f}"),
    Slider("darkness", "Darkness", 0.0, 0.98, "{:.0%}"),
    Slider("motion_blur", "Motion blur", 0.0, 40.0, "{:.0f} px"),
)
