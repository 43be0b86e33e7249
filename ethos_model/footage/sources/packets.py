"""Reads the packets of a video file or stream and decodes its frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import av

from ethos_model.footage.sources.header import nominal_fps
from ethos_model.footage.sources.source import VideoError

_MAX_PIXELS = 1 << 27
"""Largest frame that is decoded, in pixels. A damaged header may state any size."""

_MAX_READ_ERRORS = 8
"""Number of consecutive failed reads after which the file has ended."""

_NOT_VIDEO = frozenset(("tty", "bin", "xbin", "adf", "idf", "lavfi", "concat"))
"""FFmpeg formats that draw text or refer to other files."""

_RESYNCHRONIZING = frozenset(("matroska,webm", "flv"))
"""Formats in which FFmpeg skips damaged data without an error."""

_SKIPPED_BYTES = 1000
"""In these formats, data was skipped if more than this number of bytes are between two
packets and their timestamps have a gap."""

DECODER_THREADS = min(4, os.cpu_count() or 1)
"""Number of threads that decode. Each thread holds some frames in memory."""


class PacketDecoder:
    """Yields the frames of one video stream, in the order of presentation.

    Attributes:
      container: The open file.
      stream: The video stream in it.
      on_packet: Called with each packet of the video before it is decoded.
      on_error: Called with each packet that is damaged or cannot be decoded, and with
        None when a read failed.
      end_seconds: Largest end of a packet of any stream that was read, in seconds on
        the clock of the container.
    """

    def __init__(
        self,
        path: str,
        *,
        options: dict[str, str] | None = None,
        timeout: tuple[float, float] | None = None,
        name: str | None = None,
    ) -> None:
        """Opens a file.

        Args:
          path: File or URL.
          options: Options of FFmpeg's demuxers and protocols.
          timeout: Seconds to wait for opening and for each read; None for no limit.
          name: Name of the source in error messages, if it differs from `path`.

        Raises:
          VideoError: The file cannot be read, or contains no video.
        """
        name = name or path
        self._path = path
        self._settings: dict[str, Any] = {
            "options": options,
            "timeout": timeout,
            "name": name,
        }
        self.on_packet: Callable[[av.Packet], None] = _ignore
        self.on_error: Callable[[av.Packet | None], None] = _ignore
        try:
            self.container = av.open(
                path, options=options or {}, timeout=timeout, metadata_errors="replace"
            )
        except av.FFmpegError as error:
            raise VideoError(name, reason(error)) from None
        try:
            self.stream = _video_stream(self.container, name)
        except VideoError:
            self.container.close()
            raise
        context = self.stream.codec_context
        context.thread_type, context.thread_count = "AUTO", DECODER_THREADS
        context.options = {"max_pixels": str(_MAX_PIXELS)}
        self._ticks = [float(s.time_base or 0) for s in self.container.streams]
        self.end_seconds = 0.0
        self._packets = self._demux()
        self._unsettled = 0
        self._after_seek = False
        self._last_byte = self._last_pts = 1 << 62

    def _demux(self) -> Iterator[av.Packet]:
        """Yields the packets of all streams. A failed read is tried again."""
        failures = 0
        while failures < _MAX_READ_ERRORS:
            try:
                for packet in self.container.demux():
                    failures = 0
                    yield packet
                return
            except av.FFmpegError:
                failures += 1
                self.on_error(None)

    def packets(self) -> Iterator[av.Packet]:
        """Yields the packets of the video from the current place to the end."""
        for packet in self._packets:
            if packet.pts is not None:
                ticks = packet.pts + (packet.duration or 0)
                end = ticks * self._ticks[packet.stream_index]
                self.end_seconds = max(self.end_seconds, end)
            skips = self._skips_data(packet)
            # In an AVI file, an empty packet repeats the frame before it.
            if packet.stream_index != self.stream.index or not packet.size:
                continue
            if self._unsettled:
                self._unsettled -= packet.pos is not None
            if self._unsettled or (self._after_seek and not packet.is_keyframe):
                continue
            self._after_seek = False
            if skips:
                self.on_error(packet)
            yield packet

    def _skips_data(self, packet: av.Packet) -> bool:
        """Returns whether FFmpeg skipped damaged data before a packet."""
        if self.container.format.name not in _RESYNCHRONIZING or packet.pos is None:
            return False
        skipped = packet.pos - self._last_byte
        self._last_byte = packet.pos + packet.size
        if packet.stream_index != self.stream.index or packet.pts is None:
            return False
        ticks, self._last_pts = packet.pts - self._last_pts, packet.pts
        seconds = ticks * self._ticks[self.stream.index]
        return skipped > _SKIPPED_BYTES and seconds > 3 / nominal_fps(self.stream)

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Yields the frames from the current place to the end."""
        for packet in self.packets():
            self.on_packet(packet)
            yield from self._decode(packet)
        yield from self._decode(None)

    def _decode(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        try:
            frames = self.stream.codec_context.decode(packet)
        except EOFError:
            return []  # the decoder was flushed before
        except av.FFmpegError:
            if packet is not None:
                self.on_error(packet)
            return []
        if packet is not None and packet.is_corrupt:
            self.on_error(packet)
        return frames

    def seek(self, place: int, *, is_bytes: bool = False) -> bool:
        """Moves to a key frame at or before a place.

        Args:
          place: A timestamp in ticks of the stream, or a byte offset.
          is_bytes: Whether `place` is a byte offset.

        Returns:
          Whether the container could seek.
        """
        try:
            self.container.seek(
                place, stream=self.stream, unsupported_byte_offset=is_bytes
            )
        except av.FFmpegError:
            return False
        self._packets = self._demux()
        self._after_seek = True
        self._last_byte = self._last_pts = 1 << 62
        if self.container.format.name == "mpeg":
            # After a seek in an MPEG program stream, FFmpeg assigns wrong timestamps
            # to the packets before the second packet with a position.
            self._unsettled = 2
        return True

    def reopened(self) -> PacketDecoder:
        """Returns a decoder at the start of the same file, with the same callbacks."""
        decoder = PacketDecoder(self._path, **self._settings)
        decoder.on_packet, decoder.on_error = self.on_packet, self.on_error
        return decoder

    def close(self) -> None:
        """Releases the file, and the threads that decode it."""
        self.container.close()
        # A cycle would keep the threads until Python's garbage collection.
        self._packets = iter(())
        self.on_packet = self.on_error = _ignore


def _ignore(packet: av.Packet | None) -> None:
    """Does nothing with a packet."""


def _video_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    if container.format.name in _NOT_VIDEO:
        raise VideoError(name, "not a video")
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & stream.disposition.attached_pic
    ]
    if not streams:
        raise VideoError(name, "contains no video")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise VideoError(name, "no decoder for this kind of video is installed")
    return stream


def reason(error: av.FFmpegError) -> str:
    """Returns the reason of an error as a phrase."""
    if isinstance(error, av.error.InvalidDataError):
        return "not a video that FFmpeg can read, or damaged at its start"
    return (error.strerror or str(error)).lower()
