"""Degradations that the user switches on by hand, applied to whole source frames.

The formulas are those of `ethos_data.degrade.source`. Its fixed conditions correspond
to slider positions here: low resolution 4, darkness 0.8, motion blur 15 px.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import cv2
import numpy as np

from ethos_data import options
from ethos_data.degrade.source import line_kernel

FULL_WELL: Final = 1000.0
"""Electrons of a white pixel before the light is reduced, as in
`ethos_data.degrade.source.dark5`."""
READ_NOISE: Final = 1.2
"""Standard deviation of the sensor's read noise, in grey levels (0 to 255), as in
`ethos_data.degrade.source.dark5`."""


def _strength(neutral: float, strongest: float, help: str) -> Any:
    return options.option(
        neutral,
        help,
        group="degradation",
        minimum=neutral,
        maximum=strongest,
    )


@dataclasses.dataclass(frozen=True)
class VideoDegradation:
    """A degradation of source frames. Each field is a flag and a slider.

    The defaults change nothing. The order of application follows the path of the light:
    motion and defocus in the lens, resolution, light and noise on the sensor,
    compression in the file.
    """

    low_resolution: float = _strength(
        1.0, 16.0, "Factor by which the frame is shrunk and enlarged again"
    )
    darkness: float = _strength(
        0.0, 0.98, "Share of the light that is removed; photon noise is added"
    )
    motion_blur: float = _strength(
        0.0, 40.0, "Length of the motion blur, in source pixels"
    )
    motion_angle: float = _strength(
        0.0, 180.0, "Direction of the motion blur, in degrees from x towards y"
    )
    defocus: float = _strength(
        0.0, 12.0, "Radius of the circle of confusion, in source pixels"
    )
    noise: float = _strength(
        0.0, 60.0, "Standard deviation of the noise, in grey levels (0 to 255)"
    )
    compression: float = _strength(
        0.0, 99.0, "Strength of the JPEG compression: 100 minus the JPEG quality"
    )

    @property
    def is_identity(self) -> bool:
        """Whether frames stay unchanged. The angle alone changes nothing."""
        return dataclasses.replace(self, motion_angle=0.0) == VideoDegradation()

    def flags(self) -> list[str]:
        """Flags of ethos-annotate that select the same degradation."""
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
          index: Number of the frame. It is the random seed of the noise.

        Returns:
          uint8 (H, W, 3) RGB; `image` itself if nothing changes.
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
        """Reduces the light and adds the noise of photons and sensor."""
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
    """Kernel of a defocused lens: a disk with a soft edge.

    Args:
      radius: Radius of the disk, in pixels.

    Returns:
      float32 (K, K) with K odd; the sum is 1.
    """
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (disk / disk.sum()).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Slider:
    """The slider of one field of `VideoDegradation`.

    Attributes:
      name: Name of the field.
      label: Text beside the slider.
      pattern: Format of the value's text.
    """

    name: str
    label: str
    pattern: str

    @property
    def neutral(self) -> float:
        """The value that changes nothing."""
        default = _FIELDS[self.name][0].default
        assert isinstance(default, float)
        return default

    @property
    def strongest(self) -> float:
        """The value at the right end of the slider."""
        maximum = _FIELDS[self.name][1].maximum
        assert maximum is not None
        return maximum

    def format(self, value: float) -> str:
        """The value as text; "off" for the neutral value."""
        if abs(value - self.neutral) < 1e-6:
            return "off"
        return self.pattern.format(value)


_FIELDS: Final = options.describe(VideoDegradation)

SLIDERS: Final = (
    Slider("low_resolution", "Low resolution", "1/{:.1f}"),
    Slider("darkness", "Darkness", "{:.0%}"),
    Slider("motion_blur", "Motion blur", "{:.0f} px"),
    Slider("motion_angle", "Blur direction", "{:.0f}°"),
    Slider("defocus", "Defocus", "{:.1f} px"),
    Slider("noise", "Noise", "{:.0f}"),
    Slider("compression", "Compression", "{:.0f}"),
)
