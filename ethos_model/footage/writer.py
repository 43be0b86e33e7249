"""Writes video files that web browsers play: H.264 with the source's timestamps."""

from __future__ import annotations

import contextlib
import dataclasses
import fractions
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

import av
import cv2
import numpy as np

from ethos_data.errors import EthosError
from ethos_data.storage import files
from ethos_model.footage.sound import SoundCopier
from ethos_model.footage.sources.source import Info

LONGEST_GAP: Final = 10.0
"""Longest time without a new frame in an AVI file, in seconds. Longer gaps are cut."""

_TICKS: Final = 90000
"""Number of ticks per second; a tick is the unit of the timestamps."""

_BT601: Final = 6
_BT709: Final = 1
"""Numbers of the colour properties in ITU-T H.273."""


@dataclasses.dataclass(frozen=True)
class _Kind:
    """How files with a suffix are written.

    Attributes:
      muxer: Container in FFmpeg.
      codec: Video encoder in FFmpeg.
      options: Options of the encoder.
      constant_rate: Whether the container stores a frame rate and no timestamps.
    """

    muxer: str
    codec: str
    options: dict[str, str]
    constant_rate: bool = False


_H264: Final = {
    "preset": "ultrafast",
    "crf": "23",
    # Arithmetic coding and the deblocking filter, which the preset leaves out, make the
    # file a fifth smaller for 0.7 ms. With "superfast", a frame of the video of
    # `benchmarks.annotate_speed` takes 1.4 times as long. In noise of 5 grey levels, it
    # takes 2.5 times as long, and the file is 5 times as large for the same PSNR.
    "x264-params": "cabac=1:no-deblock=0",
}

_KINDS: Final = {
    ".mp4": _Kind("mp4", "libx264", _H264),
    ".m4v": _Kind("mp4", "libx264", _H264),
    ".mov": _Kind("mov", "libx264", _H264),
    ".mkv": _Kind("matroska", "libx264", _H264),
    ".avi": _Kind("avi", "mjpeg", {"qmin": "3", "qmax": "3"}, constant_rate=True),
}

OUTPUT_SUFFIXES: Final = tuple(_KINDS)


class _NoFramesError(Exception):
    """Leaves the context of `files.replacing`, which removes the temporary file."""


class VideoRecorder:
    """A video file that gets its name when it is complete.

    Each frame keeps its timestamp. An AVI file has a constant frame rate: frames are
    repeated or left out.

    Example:
      with VideoRecorder("annotated.mp4", 25, sound_of=source.info) as recorder:
          recorder.write(image, timestamp=0.0)

    Attributes:
      frames: Number of frames in the file.
    """

    def __init__(
        self,
        path: str,
        fps: float,
        *,
        sound_of: Info | None = None,
        comment: str = "",
    ) -> None:
        """Prepares the directory of the file.

        Args:
          path: File to write, with one of `OUTPUT_SUFFIXES`.
          fps: Nominal frame rate, in frames/s.
          sound_of: Video file whose sound is copied. The timestamps of the frames must
            be those of this video. None writes no sound.
          comment: Comment in the header of the file.

        Raises:
          EthosError: The suffix is not supported, or the directory cannot be written.
        """
        suffix = os.path.splitext(path)[1].lower()
        if suffix not in _KINDS:
            known = ", ".join(OUTPUT_SUFFIXES)
            raise EthosError(f"{path}: the suffix of a video must be one of {known}")
        self._path, self._suffix, self._kind = path, suffix, _KINDS[suffix]
        self._fps = float(np.clip(fps, 1, 240))
        self._sound_of, self._comment = sound_of, comment
        self._sound: SoundCopier | None = None
        self._container: Any = None
        self._start = self._last_time = 0.0
        self._last_pts = -1
        self._last: av.VideoFrame | None = None
        self.frames = 0
        self._stack = contextlib.ExitStack()
        with self._errors_named():
            self._temporary = self._stack.enter_context(files.replacing(path))
            with open(self._temporary, "wb"):
                pass  # reports a directory that cannot be written at once

    @contextlib.contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Turns the errors of the file system and of FFmpeg into `EthosError`."""
        try:
            yield
        except (OSError, av.FFmpegError) as error:
            reason = error.strerror or str(error)
            raise EthosError(f"{self._path}: cannot be written ({reason})") from None

    def write(self, image_rgb: np.ndarray, timestamp: float) -> None:
        """Adds a frame.

        Args:
          image_rgb: uint8 (H, W, 3) RGB. It is resized to the size of the first frame.
            An odd width or height is enlarged by one pixel.
          timestamp: Time of the frame, in seconds. It must not decrease.

        Raises:
          EthosError: The file cannot be written, for example because the disk is full.
        """
        with self._errors_named():
            self._write(image_rgb, timestamp)

    def _write(self, image_rgb: np.ndarray, timestamp: float) -> None:
        if self._container is None:
            self._open(image_rgb.shape[1], image_rgb.shape[0], timestamp)
        frame = self._converted(image_rgb)
        if self._kind.constant_rate:
            self._write_in_rate(frame, timestamp)
        else:
            self._last_pts = max(
                self._last_pts + 1, round((timestamp - self._start) * _TICKS)
            )
            self._encode(frame, self._last_pts)
        self._last, self._last_time = frame, timestamp
        if self._sound is not None:
            self._sound.write_until(timestamp - self._start)

    def _open(self, width: int, height: int, timestamp: float) -> None:
        kind = self._kind
        self._start = timestamp
        self._size = (width, height)
        self._container = av.open(
            self._temporary,
            "w",
            format=kind.muxer,
            options={"movflags": "+faststart"} if kind.muxer in ("mp4", "mov") else {},
        )
        if self._comment:
            self._container.metadata["comment"] = self._comment
        rate = fractions.Fraction(self._fps).limit_denominator(1001)
        stream: Any = self._container.add_stream(
            kind.codec, rate=rate, options=kind.options
        )
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuvj420p" if kind.codec == "mjpeg" else "yuv420p"
        context = stream.codec_context
        tick = 1 / rate if kind.constant_rate else fractions.Fraction(1, _TICKS)
        context.time_base = self._tick = tick
        context.gop_size = max(1, round(2 * self._fps))  # a key frame every 2 seconds
        context.colorspace = _BT601
        context.color_primaries = context.color_trc = _BT709
        context.color_range = 2 if kind.codec == "mjpeg" else 1
        context.thread_count = min(4, os.cpu_count() or 1)
        self._stream = stream
        if self._sound_of is not None:
            self._sound = SoundCopier(self._container, self._suffix, self._sound_of)
            self._sound.shift(timestamp)

    def _converted(self, image_rgb: np.ndarray) -> av.VideoFrame:
        """Returns an image as a frame for the encoder."""
        if (image_rgb.shape[1], image_rgb.shape[0]) != self._size:
            image_rgb = cv2.resize(image_rgb, self._size, interpolation=cv2.INTER_AREA)
        width, height = self._size
        if width % 2 or height % 2:
            image_rgb = cv2.copyMakeBorder(
                image_rgb, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE
            )
        if self._kind.codec == "mjpeg":
            image_rgb = np.ascontiguousarray(image_rgb)
            frame = av.VideoFrame.from_ndarray(image_rgb, "rgb24")
            return frame.reformat(
                format="yuvj420p", dst_colorspace="ITU601", dst_color_range="JPEG"
            )
        # Six times faster than FFmpeg's conversion, with the matrix of BT.601.
        planes = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2YUV_I420)
        return av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), "yuv420p")

    def _write_in_rate(self, frame: av.VideoFrame, timestamp: float) -> None:
        """Repeats the last frame or leaves this one out, to keep a constant rate."""
        missing = round((timestamp - self._start) * self._fps) - self.frames
        if missing >= LONGEST_GAP * self._fps:
            gap = missing / self._fps
            self._start += gap
            if self._sound is not None:
                self._sound.shift(gap)
            missing = 0
        # Timestamps that jitter by less than a frame must not double or drop frames.
        if missing > 1:
            for _ in range(missing):
                self._encode(self._last, self.frames)
        if missing >= -1:
            self._encode(frame, self.frames)

    def _encode(self, frame: av.VideoFrame | None, pts: int) -> None:
        assert frame is not None
        frame.pts, frame.time_base = pts, self._tick
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def __enter__(self) -> VideoRecorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            with contextlib.suppress(av.FFmpegError, OSError):
                self._release()
            self._stack.__exit__(kind, error, trace)
        elif self.frames == 0:
            # A file without frames is not a video.
            with contextlib.suppress(_NoFramesError), self._stack:
                raise _NoFramesError
        else:
            with self._errors_named(), self._stack:
                try:
                    self._finish()
                finally:
                    self._release()

    def _finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        if self._sound is not None:
            self._sound.finish(self._last_time - self._start + 1 / self._fps)

    def _release(self) -> None:
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            self._container.close()
