"""Films a clip with a bad camera: the degradations of video, in the order of the light.

The same camera films all frames of a clip. Noise and the direction of the motion differ
between frames, as they do in video.
"""

from __future__ import annotations

import dataclasses
import fractions
from typing import Final

import av
import cv2
import numpy as np

from ethos_data.degrade.source import line_kernel

FULL_WELL: Final = 1000.0
"""Electrons of a white pixel in full light, as in `ethos_data.degrade.source`."""

READ_NOISE: Final = 1.2
"""Standard deviation of the sensor's read noise, in grey levels."""

PRESETS: Final = ("ultrafast", "veryfast", "medium")
"""Presets of x264 with which `random_camera` compresses."""


@dataclasses.dataclass(frozen=True)
class Camera:
    """A camera. The default changes nothing.

    Attributes:
      motion: Longest motion blur, in pixels of the clean clip. Each frame has its own
        direction and a length between a quarter of it and all of it.
      defocus: Standard deviation of the blur of the lens, in pixels of the clean clip.
      shrink: Pixels of the clean clip per pixel of the camera, a multiple of 1/4.
      light: Share of the light that the sensor receives. Below 1, photon noise and read
        noise are added.
      noise: Standard deviation of additional noise, in grey levels.
      crf: Constant rate factor of H.264, larger is worse; None for no compression.
      preset: Preset of x264. Fast ones leave out steps, such as deblocking.
    """

    motion: float = 0.0
    defocus: float = 0.0
    shrink: float = 1.0
    light: float = 1.0
    noise: float = 0.0
    crf: int | None = None
    preset: str = "medium"

    def film(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns the frames as the camera records them.

        Args:
          frames: uint8 (T, H, W, 3) RGB.
          rng: Random numbers.

        Returns:
          uint8 (T, H / shrink, W / shrink, 3) RGB. Its height and width are multiples
          of 4. The rest of the clean clip at the bottom and right is cut off, so that
          pixels have exactly the size `shrink`.
        """
        # A multiple of 4 pixels of the camera is a whole number of clean pixels.
        height, width = (
            4 * max(int(n / self.shrink / 4), 2) for n in frames.shape[1:3]
        )
        right, bottom = round(width * self.shrink), round(height * self.shrink)
        frames = frames[:, :bottom, :right]
        filmed = np.stack([self._expose(f, (width, height), rng) for f in frames])
        return filmed if self.crf is None else encode(filmed, self.crf, self.preset)

    def _expose(
        self, frame: np.ndarray, size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        border = cv2.BORDER_REFLECT_101
        if self.motion > 0:
            length = self.motion * rng.uniform(0.25, 1)
            kernel = line_kernel(length, rng.uniform(0, np.pi))
            frame = cv2.filter2D(frame, -1, kernel, borderType=border)
        if self.defocus > 0:
            frame = cv2.GaussianBlur(frame, (0, 0), self.defocus, borderType=border)
        if frame.shape[1::-1] != size:
            frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        if self.light == 1 and self.noise == 0:
            return frame
        signal = frame.astype(np.float32) * np.float32(self.light)
        variance = np.full_like(signal, self.noise**2)
        if self.light < 1:
            variance += signal * np.float32(255 / FULL_WELL) + np.float32(READ_NOISE**2)
        signal += np.sqrt(variance) * rng.standard_normal(signal.shape, np.float32)
        return np.clip(np.rint(signal), 0, 255).astype(np.uint8)


def random_camera(rng: np.random.Generator, face_size: float) -> Camera:
    """Draws a camera with random strengths of some of its faults.

    One clip in ten is clean. Half of the others have one fault; compression is twice as
    likely as each other one, because nearly all video is compressed. In the other half,
    each further fault has a probability of 0.5.

    Args:
      rng: Random numbers.
      face_size: Face size in the clean clip, in pixels.
    """
    if rng.random() < 0.1:
        return Camera()
    faults = rng.random(6) < rng.choice([0.0, 0.5])
    faults[min(rng.integers(7), 5)] = True  # the last, compression, has two of seven
    motion, defocus, shrink, dark, noise, codec = faults
    smallest = face_size / 24  # a face of 24 pixels
    return Camera(
        motion=float(face_size * rng.uniform(0.03, 0.2)) if motion else 0.0,
        defocus=float(face_size * rng.uniform(0.004, 0.02)) if defocus else 0.0,
        shrink=int(rng.uniform(5, 4 * min(smallest, 6) + 1)) / 4 if shrink else 1.0,
        light=float(np.exp(rng.uniform(np.log(0.04), np.log(0.6)))) if dark else 1.0,
        noise=float(rng.uniform(3, 40)) if noise else 0.0,
        crf=int(rng.integers(24, 46)) if codec else None,
        preset=str(rng.choice(PRESETS)),
    )


def encode(frames: np.ndarray, crf: int, preset: str = "medium") -> np.ndarray:
    """Compresses frames as H.264 and decodes them.

    Args:
      frames: uint8 (T, H, W, 3) RGB with even width and height.
      crf: Constant rate factor.
      preset: Preset of x264.

    Returns:
      uint8 (T, H, W, 3) RGB.
    """
    encoder = av.CodecContext.create("libx264", "w")
    encoder.height, encoder.width = frames.shape[1:3]
    encoder.pix_fmt = "yuv420p"
    encoder.framerate = fractions.Fraction(25)
    encoder.options = {"preset": preset, "crf": str(crf)}
    encoder.thread_count = 1
    decoder = av.CodecContext.create("h264", "r")
    packets = []
    for frame in frames:
        packets += encoder.encode(av.VideoFrame.from_ndarray(frame, format="rgb24"))
    packets += encoder.encode(None)
    decoded = []
    for packet in packets:
        decoded += decoder.decode(packet)
    decoded += decoder.decode(None)
    return np.stack([frame.to_ndarray(format="rgb24") for frame in decoded])
