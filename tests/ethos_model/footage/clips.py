"""Video files for the reader and writer tests, generated with PyAV.

Each frame shows its number as a row of black and white squares, so that a test can
tell which frame it received, and a gradient, so that a test can compare pixels. The
squares are the bits of the number's Gray code: with plain binary numbers, the last
square of an interlaced video would be a pattern that does not change in time.
"""

from __future__ import annotations

import fractions
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import av
import numpy as np

from ethos_model.footage.reader import Frame, open_video

SIZE = (96, 64)
"""Width and height of the frames, in pixels."""

BITS = 8
"""Number of squares that encode a frame's number."""


def image(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 (H, W, 3) RGB: a frame that shows its number at the top."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    result = np.stack([40 + 100 * x / width, 60 + 100 * y / height, 0 * x + 90], -1)
    square = width // BITS
    code = number ^ number >> 1
    for bit in range(BITS):
        left = bit * square
        result[: height // 4, left : left + square] = 235 * (code >> bit & 1)
    return np.round(result).astype(np.uint8)


def noisy_image(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """The same with noise, so that the encoded frames are large."""
    noise = np.random.default_rng(number).integers(-9, 10, (size[1], size[0], 1))
    return np.clip(image(number, size) + noise, 0, 255).astype(np.uint8)


def number_in(shown: np.ndarray) -> int:
    """The number that a frame from `image` shows."""
    height, width = shown.shape[:2]
    row = shown[height // 8, :, 1].astype(int)
    centers = ((np.arange(BITS) + 0.5) * (width / BITS)).astype(int)
    number = sum(1 << bit for bit, x in enumerate(centers) if row[x] > 118)
    for shift in (1, 2, 4):
        number ^= number >> shift
    return number


def write(
    path: str,
    images: Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    rate: int = 25,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxer: str | None = None,
    muxer_options: dict[str, str] | None = None,
    ticks: Sequence[int] | None = None,
    tick: fractions.Fraction | None = None,
    prepare: Callable[[Any], None] = lambda stream: None,
    convert: Callable[[np.ndarray], av.VideoFrame] | None = None,
    sound_seconds: float = 0.0,
    sound_starts: float = 0.0,
    sound_codec: str = "aac",
) -> str:
    """Encodes images as a video file.

    Args:
      path: File to write.
      images: uint8 (H, W, 3) RGB, all of one size.
      codec: Encoder in FFmpeg.
      rate: Frames per second.
      pixel_format: Pixel format in FFmpeg.
      options: Options of the encoder.
      muxer: Container; None derives it from the suffix.
      muxer_options: Options of the container.
      ticks: Timestamp of each frame in units of `tick`; None for a constant rate.
      tick: Unit of `ticks`, in seconds.
      prepare: Called with the stream before the first frame.
      convert: Makes a video frame from an image; None converts with FFmpeg.
      sound_seconds: Duration of the sound in the file.
      sound_starts: Time before which the sound is silent; then it is a tone.
      sound_codec: Encoder of the sound in FFmpeg.

    Returns:
      The path.
    """
    height, width = images[0].shape[:2]
    with av.open(path, "w", format=muxer, options=muxer_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        if tick is not None:
            stream.codec_context.time_base = tick
        prepare(stream)
        sound = None
        if sound_seconds:
            sound = container.add_stream(sound_codec, rate=48000, layout="stereo")
        for number, pixels in enumerate(images):
            if convert is None:
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
                frame = frame.reformat(format=pixel_format)
            else:
                frame = convert(pixels)
            frame.pts = ticks[number] if ticks else number
            frame.time_base = tick or fractions.Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _write_tone(container, sound, sound_seconds, sound_starts)
    return path


def _write_tone(container: Any, stream: Any, seconds: float, starts: float) -> None:
    times = np.arange(round(48000 * seconds)) / 48000
    tone = 0.3 * np.sin(2 * np.pi * 440 * times) * (times >= starts)
    samples = np.stack([tone, tone]).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
    frame.sample_rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(stream.codec_context.format, "stereo", 48000)
    for resampled in resampler.resample(frame):
        container.mux(stream.encode(resampled))
    container.mux(stream.encode(None))


def interlace_mpeg2(stream: Any) -> None:
    """Prepares a stream of MPEG-2 for interlaced frames."""
    stream.codec_context.flags |= 0x00040000 | 0x20000000  # interlaced DCT and motion


def read_all(path: str, **options: Any) -> list[Frame]:
    """All frames of a video, read from the start."""
    with open_video(path, **options) as source:
        return list(iter(source.read, None))


def digest(frame: Frame) -> tuple[int, float, str]:
    """What identifies a frame: index, timestamp and the hash of its pixels."""
    return frame.index, frame.timestamp, hashlib.md5(frame.image).hexdigest()
