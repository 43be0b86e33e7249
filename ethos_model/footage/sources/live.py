"""Cameras and network streams."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import av
import cv2
import numpy as np

from ethos_model.footage.sources.header import nominal_fps
from ethos_model.footage.sources.interlace import Decoded, Deinterlacer
from ethos_model.footage.sources.packets import PacketDecoder
from ethos_model.footage.sources.pixels import PixelConverter
from ethos_model.footage.sources.source import (
    Damage,
    Frame,
    Info,
    Source,
    VideoError,
    valid_fps,
)

SCHEMES: Final = (
    *("rtsp", "rtsps", "rtmp", "rtmps", "http", "https"),
    *("tcp", "udp", "srt", "rtp"),
)
"""Network protocols that can be opened."""

TIMEOUT: Final = 10.0
"""Longest time to wait for a connection, and for data on an open connection, in
seconds."""

_ANALYSIS: Final = 2.0
"""Length of the start of a stream that FFmpeg examines, in seconds."""

_WAITS: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts to connect again. The last value is repeated."""

_LARGEST_STEP: Final = 10.0
"""Largest plausible difference of two consecutive timestamps, in seconds. For larger
differences, the clock of this computer is used."""


class Camera(Source):
    """A camera that is connected to this computer."""

    def __init__(self, number: int) -> None:
        """Opens a camera and reads one frame.

        Raises:
          VideoError: The camera does not exist or another program uses it.
        """
        self._capture = cv2.VideoCapture(number)
        self._next = 0
        self._start = time.monotonic()
        name = f"camera {number}"
        self._first: Frame | None = None
        self._first = self.read()
        if self._first is None:
            self._capture.release()
            raise VideoError(name, "no such camera, or another program uses it")
        self._next = 0
        height, width = self._first.image.shape[:2]
        fps = valid_fps(self._capture.get(cv2.CAP_PROP_FPS))
        self.info = Info(name, (width, height), fps, None, live=True)

    def read(self) -> Frame | None:
        if self._first is not None:
            frame, self._first = self._first, None
            self._next = 1
            return frame
        captured, bgr = self._capture.read()
        if not captured or bgr is None:
            return None
        image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        frame = Frame(image, self._next, time.monotonic() - self._start)
        self._next += 1
        return frame

    @property
    def position(self) -> int:
        return self._next

    def skip(self) -> bool:
        self._next += 1
        if self._first is not None:
            self._first = None
            return True
        return bool(self._capture.grab())

    def seek(self, index: int) -> None:
        """Does nothing: a camera cannot seek."""

    def close(self) -> None:
        self._capture.release()


class LiveStream(Source):
    """A network stream. A lost connection is opened again within a limited time."""

    def __init__(self, url: str, decoder: PacketDecoder, patience: float) -> None:
        """Decodes the first frame.

        Args:
          url: Address of the stream.
          decoder: The open connection.
          patience: Time to restore a lost connection, in seconds. After it, the stream
            has ended.

        Raises:
          VideoError: No frame arrives.
        """
        self._url, self._decoder, self._patience = url, decoder, patience
        self._next = self._errors = 0
        self._missing = 0.0
        self._time = 0.0
        self._has_started = False
        self._last_pts: float | None = None
        self._seen_at = time.monotonic()
        self._held: Frame | None = None
        self._size: tuple[int, int] | None = None
        self._connect(decoder)
        self._held = self.read()
        if self._held is None:
            self._decoder.close()
            raise VideoError(url, "no frame of this stream can be decoded")
        height, width = self._held.image.shape[:2]
        self._size = (width, height)
        self._next = 0
        fps = nominal_fps(decoder.stream)
        self.info = Info(url, self._size, fps, None, live=True)

    def _connect(self, decoder: PacketDecoder) -> None:
        self._decoder = decoder
        decoder.on_packet, decoder.on_error = self._on_packet, self._on_error
        self._seen_key = False
        self._deinterlacer = Deinterlacer()
        self._convert = PixelConverter(
            decoder.stream.codec_context.name, decoder.stream.sample_aspect_ratio
        )
        self._raw: Iterator[av.VideoFrame] = iter(decoder)
        self._ready: list[Decoded] = []
        self._last_pts = None
        self._tick = float(decoder.stream.time_base or 1)

    def _on_packet(self, packet: av.Packet) -> None:
        self._seen_key |= packet.is_keyframe

    def _on_error(self, packet: av.Packet | None) -> None:
        self._errors += self._seen_key  # a stream may start between two key frames

    def _frames(self) -> Iterator[Decoded]:
        """Yields the following frames of the current connection."""
        while True:
            while self._ready:
                yield self._ready.pop(0)
            frame = next(self._raw, None)
            if frame is None:
                yield from self._deinterlacer.flush()
                return
            pts = None if frame.pts is None else frame.pts * self._tick
            decoded = Decoded(frame, 0, self._clock(pts))
            self._ready = self._deinterlacer.push(decoded)

    def _clock(self, pts: float | None) -> float:
        """Returns the timestamp of a frame that arrives now.

        Args:
          pts: Timestamp of the frame on the clock of the stream, in seconds.

        Returns:
          Seconds since the first frame.
        """
        now = time.monotonic()
        step = now - self._seen_at
        if pts is not None and self._last_pts is not None:
            stated = pts - self._last_pts
            if 0 <= stated <= _LARGEST_STEP:
                step = stated
        if not self._has_started:
            step, self._has_started = 0.0, True
        self._last_pts, self._seen_at = pts, now
        self._time += step
        return self._time

    def read(self) -> Frame | None:
        if self._held is not None:
            frame, self._held = self._held, None
            self._next = frame.index + 1
            return frame
        while True:
            for decoded in self._frames():
                try:
                    image = self._convert(decoded.frame)
                except (av.FFmpegError, cv2.error, ValueError):
                    self._errors += 1
                    continue
                if self._size and (image.shape[1], image.shape[0]) != self._size:
                    image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
                frame = Frame(
                    np.ascontiguousarray(image), self._next, decoded.timestamp
                )
                self._next += 1
                return frame
            if not self._reconnect():
                return None

    def _reconnect(self) -> bool:
        """Opens the stream again. Returns whether this was possible in time."""
        if self._size is None:
            return False
        self._decoder.close()
        deadline = time.monotonic() + self._patience
        attempt = 0
        while time.monotonic() < deadline:
            time.sleep(_WAITS[min(attempt, len(_WAITS) - 1)])
            attempt += 1
            try:
                self._connect(self._decoder.reopened())
            except VideoError:
                continue
            self._errors += 1
            self._missing += time.monotonic() - self._seen_at
            return True
        return False

    @property
    def position(self) -> int:
        return self._next

    @property
    def damage(self) -> Damage | None:
        if self._errors == 0:
            return None
        return Damage(self._next, self._errors, self._missing)

    def skip(self) -> bool:
        return self.read() is not None

    def seek(self, index: int) -> None:
        """Does nothing: a live stream cannot seek."""

    def close(self) -> None:
        self._decoder.close()


def open_connection(url: str, timeout: float = TIMEOUT) -> PacketDecoder:
    """Connects to a network stream.

    Args:
      url: Address of the stream, with one of the protocols in `SCHEMES`.
      timeout: Seconds to wait for the connection, and for data later.

    Raises:
      VideoError: There is no connection, or the stream contains no video.
    """
    scheme = url.split("://", 1)[0].lower()
    options = {"analyzeduration": str(round(1e6 * _ANALYSIS))}
    if scheme.startswith("rtsp"):
        options["rtsp_flags"] = "prefer_tcp"  # UDP loses packets
    elif scheme.startswith("http"):
        options["reconnect"] = "1"  # continues an interrupted transfer of a file
    elif scheme == "udp":
        options["overrun_nonfatal"] = "1"
    return PacketDecoder(url, options=options, timeout=(timeout, timeout))
