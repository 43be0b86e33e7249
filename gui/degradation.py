"""The degradations that a person turns on by hand, applied to whole source frames.

The same physics as `ethos_data.degrade.source`, whose fixed conditions are points on
these sliders: a factor of 4, four fifths of the light gone, 15 px of motion.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

from ethos_data.degrade.source import line_kernel

FULL_WELL: Final = 1000.0
"""Electrons at white before the light is taken away."""
READ_NOISE: Final = 1.2
"""Of the sensor, in values of 255. Both as in `degrade.source.dark5`."""


@dataclasses.dataclass(frozen=True)
class Degradation:
    """What is done to a frame before the model sees it. The defaults change nothing.

    Applied in the order of the light's way: motion and defocus in the lens, resolution,
    light and noise on the sensor, compression in the file.

    Attributes:
      low_resolution: factor by which the frame is shrunk and enlarged again, 1 and up.
      darkness: share of the light that is taken away, 0 to 1; photon noise remains.
      motion_blur: length of the streak, source pixels, 0 and up.
      motion_angle: its direction, degrees from x towards y.
      defocus: radius of the disk of confusion, source pixels, 0 and up.
      noise: standard deviation, in values of 255, 0 and up.
      compression: 0 (none) to 99 (JPEG at its worst quality).
    """

    low_resolution: float = 1.0
    darkness: float = 0.0
    motion_blur: float = 0.0
    motion_angle: float = 0.0
    defocus: float = 0.0
    noise: float = 0.0
    compression: float = 0.0

    @property
    def is_identity(self) -> bool:
        return dataclasses.replace(self, motion_angle=0.0) == Degradation()

    def flags(self) -> list[str]:
        """Flags of ethos-annotate that do the same."""
        flags = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                flags += [f"--{field.name}", f"{value:.4g}"]
        return flags

    def apply(self, image: np.ndarray, index: int) -> np.ndarray:
        """Degrades one frame.

        Args:
          image: uint8 (H, W, 3) RGB.
          index: of the frame; seeds the noise.

        Returns:
          uint8 (H, W, 3) RGB; the very same array if nothing is changed.
        """
        if self.motion_blur > 0:
            kernel = line_kernel(self.motion_blur, np.radians(self.motion_angle))
            image = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
        if self.defocus > 0:
            kernel = disk_kernel(self.defocus)
            image = cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
        if self.low_resolution > 1:
            height, width = image.shape[:2]
            factor = self.low_resolution
            small = (max(1, round(width / factor)), max(1, round(height / factor)))
            image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        if self.darkness > 0 or self.noise > 0:
            image = self._expose(image, index)
        if self.compression > 0:
            quality = [cv2.IMWRITE_JPEG_QUALITY, max(1, round(100 - self.compression))]
            _, data = cv2.imencode(".jpg", image, quality)
            image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        return image

    def _expose(self, image: np.ndarray, index: int) -> np.ndarray:
        """Less light, the noise of its photons and of the sensor."""
        signal = image.astype(np.float32)
        variance = np.full_like(signal, self.noise**2)
        if self.darkness > 0:
            signal *= np.float32(1 - self.darkness)
            variance += signal * np.float32(255 / FULL_WELL)
            variance += np.float32(READ_NOISE**2)
        noise = np.random.default_rng(index).standard_normal(image.shape, np.float32)
        signal += np.sqrt(variance) * noise
        return np.clip(np.rint(signal), 0, 255).astype(np.uint8)


def disk_kernel(radius: float) -> np.ndarray:
    """A disk of confusion with soft rim, float32 (K, K), K odd, of sum 1."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (disk / disk.sum()).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Slider:
    """A degradation as a slider.

    Attributes:
      name: attribute of `Degradation`.
      text: beside the slider.
      neutral: value that changes nothing.
      strongest: at the other end.
      unit: pattern of the value's text.
      meaning: of the number, for the command line.
    """

    name: str
    text: str
    neutral: float
    strongest: float
    unit: str
    meaning: str

    def format(self, value: float) -> str:
        """The value in words."""
        return "off" if abs(value - self.neutral) < 1e-6 else self.unit.format(value)


SLIDERS: Final = (
    Slider(
        *("low_resolution", "Low resolution", 1.0, 16.0, "1/{:.1f}"),
        meaning="factor by which resolution is lost",
    ),
    Slider(
        *("darkness", "Darkness", 0.0, 0.98, "{:.0%}"),
        meaning="share of the light that is taken away",
    ),
    Slider(
        *("motion_blur", "Motion blur", 0.0, 40.0, "{:.0f} px"),
        meaning="length of the streak, pixels",
    ),
    Slider(
        *("motion_angle", "… direction", 0.0, 180.0, "{:.0f}°"),
        meaning="direction of the streak, degrees from x towards y",
    ),
    Slider(
        *("defocus", "Defocus", 0.0, 12.0, "{:.1f} px"),
        meaning="radius of the disk of confusion, pixels",
    ),
    Slider(
        *("noise", "Noise", 0.0, 60.0, "{:.0f}"),
        meaning="standard deviation, in values of 255",
    ),
    Slider(
        *("compression", "Compression", 0.0, 99.0, "{:.0f}"),
        meaning="100 less the quality of a JPEG",
    ),
)
