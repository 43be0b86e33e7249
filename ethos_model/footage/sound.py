"""Copies the sound of a video into a file that is being written."""

from __future__ import annotations

import fractions
import math
import os
from collections.abc import Iterator
from typing import Any, Final

import av

from ethos_model.footage.sources.source import Info

_COPIED: Final = {
    ".mp4": ("aac", "mp3", "opus", "flac"),
    ".m4v": ("aac", "mp3"),
    ".mov": ("aac", "mp3", "pcm_s16le"),
    ".mkv": ("aac", "mp3", "opus", "vorbis", "flac", "ac3", "eac3", "pcm_s16le"),
    ".avi": ("mp3", "ac3", "pcm_s16le"),
}
"""Audio codecs, by their names in FFmpeg, that are copied unchanged into each kind of
file. Web browsers play those for .mp4. Other sound is encoded again."""

_ENCODERS: Final = {".avi": "libmp3lame"}
_DEFAULT_ENCODER: Final = "aac"

_RATES: Final = (16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates that both encoders accept, in Hz. Other sound gets the last."""

_BACKWARD_SECONDS: Final = 1.0
"""Timestamps that are earlier by more than this begin another recording."""

_MAX_ERRORS: Final = 100
"""Number of damaged packets after which no more sound is copied."""


class SoundCopier:
    """Copies the sound of a video file while the video is written.

    Damaged sound is left out. Errors while writing are raised.
    """

    def __init__(self, target: Any, suffix: str, source: Info) -> None:
        """Opens the source and adds a stream to the target.

        Args:
          target: Open `av` output container, before anything is written to it.
          suffix: Suffix of the target, such as ".mp4".
          source: Video file whose sound is copied. If it has no sound, nothing is
            added.
        """
        self._target = target
        self._encoder: Any = None
        self._stream: Any = None
        self._start = source.start
        self._last_dts: int | None = None
        self._pending: Any = None
        self._errors = 0
        self._end = -math.inf  # of the sound that was read, on the clock of the source
        try:
            # FFmpeg takes a relative path such as "12:30.mp4" for a URL.
            path = os.path.abspath(source.path)
            self._source = av.open(path, metadata_errors="replace")
        except (av.FFmpegError, OSError):
            return
        sound = self._source.streams.best("audio")
        if sound is None or sound.codec_context is None:
            self._source.close()
            return
        self._tick = float(sound.time_base or 1)
        # The name of the decoder can differ, for example mp3float for mp3.
        if sound.codec_context.codec.canonical_name in _COPIED[suffix]:
            self._stream = target.add_stream_from_template(sound)
        else:
            self._add_encoder(suffix, sound.codec_context)
        self._packets = self._source.demux(sound)

    def _add_encoder(self, suffix: str, context: Any) -> None:
        rate = context.sample_rate if context.sample_rate in _RATES else _RATES[-1]
        layout = "mono" if context.channels == 1 else "stereo"
        name = _ENCODERS.get(suffix, _DEFAULT_ENCODER)
        self._encoder = self._target.add_stream(name, rate=rate, layout=layout)
        self._stream = self._encoder
        self._resampler: Any = None
        self._kind: tuple[str, str, int] | None = None

    def _resampled(self, frame: Any) -> Iterator[Any]:
        """Yields sound with the format of the encoder. None yields the rest."""
        codec = self._encoder.codec_context
        if frame is not None:
            # The channels may change within a file, as in recordings of television.
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if kind != self._kind:
                self._kind = kind
                self._resampler = av.AudioResampler(
                    format=codec.format, layout=codec.layout, rate=codec.sample_rate
                )
        tick = fractions.Fraction(1, codec.sample_rate)
        for part in self._resampler.resample(frame) if self._resampler else ():
            # The encoder accepts only one unit of time.
            part.pts = round(part.pts * part.time_base / tick)
            part.time_base = tick
            yield part

    def shift(self, seconds: float) -> None:
        """Leaves out the sound of a part of the video that is left out.

        Args:
          seconds: Duration of the part. The following sound is moved forward by it.
        """
        self._start += seconds

    def write_until(self, seconds: float) -> None:
        """Writes the sound up to a time.

        Args:
          seconds: Seconds since the start of the target.
        """
        while self._stream is not None:
            if self._pending is None:
                self._pending = self._next_packet()
            packet = self._pending
            if packet is None:
                return
            if packet.pts * self._tick - self._start > seconds:
                return
            self._pending = None
            self._write(packet)

    def _next_packet(self) -> Any:
        """Returns the next packet with a timestamp, or None at the end."""
        while self._errors < _MAX_ERRORS:
            try:
                packet = next(self._packets, None)
            except av.FFmpegError:
                self._errors += 1
                continue
            if packet is None:
                break
            if packet.size and packet.pts is not None and packet.dts is not None:
                self._continue_at(packet)
                return packet
        return None

    def _continue_at(self, packet: Any) -> None:
        """Lets the sound go on where timestamps jump back, as in joined recordings.

        `timeline.Timeline` does the same with the timestamps of the video.
        """
        time = packet.pts * self._tick
        if time < self._end - _BACKWARD_SECONDS:
            self._start += time - self._end
        self._end = time + (packet.duration or 0) * self._tick

    def _write(self, packet: Any) -> None:
        offset = round(self._start / self._tick)
        if packet.pts < offset:
            return  # before the first frame of the video
        if self._encoder is not None:
            self._encode(packet)
            return
        packet.pts -= offset
        packet.dts -= offset
        if self._last_dts is not None and packet.dts <= self._last_dts:
            return
        self._last_dts = packet.dts
        packet.stream = self._stream
        self._target.mux(packet)

    def _encode(self, packet: Any) -> None:
        try:
            frames = packet.decode()
        except av.FFmpegError:
            self._errors += 1
            return
        for frame in frames:
            if frame.pts is None:
                continue
            frame.pts -= round(self._start / float(frame.time_base))
            if self._last_dts is not None and frame.pts <= self._last_dts:
                continue
            self._last_dts = frame.pts
            for part in self._resampled(frame):
                self._target.mux(self._encoder.encode(part))

    def finish(self, seconds: float) -> None:
        """Writes the rest of the sound and releases the source.

        Args:
          seconds: End of the video, in seconds since the start of the target.
        """
        self.write_until(seconds)
        if self._encoder is not None:
            for part in self._resampled(None):
                self._target.mux(self._encoder.encode(part))
            self._target.mux(self._encoder.encode(None))
        self.close()

    def close(self) -> None:
        """Releases the source."""
        if self._stream is not None:
            self._source.close()
            self._stream = self._encoder = None
