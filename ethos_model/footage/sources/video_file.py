"""Video files and URLs of video files, decoded with FFmpeg (PyAV)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import av
import cv2
import numpy as np

from ethos_model.footage.sources import header
from ethos_model.footage.sources.damage import DamageMeter
from ethos_model.footage.sources.interlace import Decoded, Deinterlacer
from ethos_model.footage.sources.packets import PacketDecoder
from ethos_model.footage.sources.pixels import PixelConverter
from ethos_model.footage.sources.source import (
    Damage,
    Frame,
    Info,
    Source,
    VideoError,
)
from ethos_model.footage.sources.timeline import Timeline

_EARLY_FRAMES = 32
"""Number of frames at the start whose index by timestamp must equal their count. If it
does not, the timestamps are not used."""

_EARLIER_KEYS = (0, 1, 4, 16)
"""Key frames that a seek tries to start from, counted backwards from the target. FFmpeg
does not always land where it was told to."""


class VideoFile(Source):
    """A video file, or a URL of one.

    Frames are numbered by their presentation timestamps (see `Timeline`). A seek moves
    to a key frame before the target and decodes from there. The frame after a seek is
    therefore the same as when the file is read from its start.
    """

    def __init__(
        self,
        path: str,
        *,
        fields: bool = False,
        decoder: PacketDecoder | None = None,
    ) -> None:
        """Opens a file and decodes its first frame.

        Args:
          path: Path of the file.
          fields: Return each field of interlaced video as a frame.
          decoder: The open file, if `path` is a URL.

        Raises:
          VideoError: The file cannot be read.
        """
        self._name = path
        self._path = path if decoder else _checked(path)
        self._decoder = decoder or PacketDecoder(self._path, name=path)
        self._decoder.on_packet, self._decoder.on_error = (
            self._on_packet,
            self._on_error,
        )
        stream = self._decoder.stream
        self._timeline = Timeline(stream)
        self._meter: DamageMeter | None = DamageMeter(header.nominal_fps(stream))
        self._first_pts: int | None = None
        self._fields = self._interlaced = False
        self._ready: list[Decoded] = []
        self._restart_at(0)
        frame = next(self._raw, None)
        if frame is None:
            self._decoder.close()
            raise VideoError(path, "no frame of this video can be decoded")
        self._start(frame, fields)

    def _start(self, frame: av.VideoFrame, fields: bool) -> None:
        """Determines the properties of the video from its first frame."""
        stream = self._decoder.stream
        self._first_pts = frame.pts
        if frame.pts is not None:
            self._timeline.start_at(frame.pts)
        self._interlaced = frame.interlaced_frame
        self._fields = fields and self._interlaced
        self._deinterlacer = Deinterlacer(fields=self._fields)
        self._convert = PixelConverter(
            stream.codec_context.name, stream.sample_aspect_ratio
        )
        try:
            height, width = self._convert(frame).shape[:2]
        except (av.FFmpegError, cv2.error, ValueError) as error:
            self._decoder.close()
            raise VideoError(self._name, f"unusual pixels ({error})") from None
        self._ready = self._accept(frame)
        per_frame = 2 if self._fields else 1
        count = header.frame_count(stream)
        self.info = Info(
            path=self._name,
            size=(width, height),
            fps=per_frame * header.nominal_fps(stream),
            frame_count=None if count is None else per_frame * count,
            start=(frame.pts or 0) * self._timeline.seconds_per_tick,
        )

    def _on_packet(self, packet: av.Packet) -> None:
        self._seen_key |= packet.is_keyframe
        if not self._timeline.complete:
            self._timeline.add(packet, is_new=self._extends)

    def _on_error(self, packet: av.Packet | None) -> None:
        # A recording that starts between two key frames is not damaged.
        if self._meter is not None and self._seen_key:
            self._meter.add_error(self._packet_seconds(packet))

    def _packet_seconds(self, packet: av.Packet | None) -> float | None:
        if packet is None or packet.pts is None or self._first_pts is None:
            return None
        return (packet.pts - self._first_pts) * self._timeline.seconds_per_tick

    def _restart_at(self, index: int, *, extends: bool = True) -> None:
        """Resets the state after the decoder moved to another place in the file.

        Args:
          index: Index of the next frame. Used if the timestamps cannot be used.
          extends: Whether the timeline contains none of the following packets.
        """
        self._raw: Iterator[av.VideoFrame] = iter(self._decoder)
        self._ready = []
        self._counted = index
        self._extends, self._ended = extends, False
        self._timeline.rewind()
        self._seen_key = False
        self._last_seconds = 0.0
        self._target = 0
        self._position = index

    def _accept(self, frame: av.VideoFrame) -> list[Decoded]:
        """Numbers a decoded frame and passes it to the deinterlacer.

        Returns:
          The frames that the deinterlacer completed, in order.
        """
        if (
            self._timeline.reliable
            and frame.pts is not None
            and self._first_pts is not None
            and frame.pts < self._first_pts
        ):
            return []
        index = self._timeline.index(frame.pts)
        if index is None:
            index = self._counted
        elif (
            index != self._counted
            and index < _EARLY_FRAMES
            and self._meter is not None
            and self._meter.damage is None
        ):
            self._timeline.reliable = False
            index = self._counted
        self._counted = index + 1
        # A timeline that turns out to be unreliable may step back once.
        timestamp = max(self._timeline.seconds(index), self._last_seconds)
        self._last_seconds = timestamp
        if self._meter is not None:
            if frame.is_corrupt:
                self._meter.add_error(timestamp)
            duration = (frame.duration or 0) * self._timeline.seconds_per_tick
            self._meter.add_frame(index, timestamp, duration)
        self._interlaced |= frame.interlaced_frame
        # The frame before the target is needed by the deinterlacer.
        if index < self._target - 1:
            return []
        return self._deinterlacer.push(Decoded(frame, index, timestamp))

    def _next(self) -> Decoded | None:
        """Returns the next frame, or None at the end."""
        while not self._ready:
            if self._ended:
                return None
            frame = next(self._raw, None)
            if frame is None:
                self._ended = True
                self._finish()
                self._ready = self._deinterlacer.flush()
            else:
                self._ready = self._accept(frame)
        return self._ready.pop(0)

    def _finish(self) -> None:
        if self._extends or self._timeline.reliable:
            self._timeline.complete = True
        if self._meter is not None:
            start = (self._first_pts or 0) * self._timeline.seconds_per_tick
            end = header.stated_end(self._decoder.stream, self._decoder.end_seconds)
            self._meter.finish(None if end is None else end - start)

    @property
    def position(self) -> int:
        if self._ready:
            return self._number(self._ready[0])
        return self._position

    @property
    def damage(self) -> Damage | None:
        return None if self._meter is None else self._meter.damage

    def index_at(self, seconds: float) -> int:
        index = self._timeline.index_at(seconds)
        if not self._fields:
            return index
        numbers = range(max(0, 2 * index - 1), 2 * index + 2)
        return min(numbers, key=lambda number: abs(self._seconds(number) - seconds))

    def _number(self, decoded: Decoded) -> int:
        if self._fields:
            return 2 * decoded.index + decoded.field
        return decoded.index

    def read(self) -> Frame | None:
        while (decoded := self._next()) is not None:
            number = self._number(decoded)
            self._position = number + 1
            try:
                image = self._convert(decoded.frame)
            except (av.FFmpegError, cv2.error, ValueError):
                if self._meter is not None:
                    self._meter.add_error(decoded.timestamp)
                continue
            if (image.shape[1], image.shape[0]) != self.info.size:
                # Coordinates must have one meaning in the whole video.
                image = cv2.resize(image, self.info.size, interpolation=cv2.INTER_AREA)
            seconds = max(decoded.timestamp, self._seconds(number))
            return Frame(np.ascontiguousarray(image), number, seconds)
        return None

    def _seconds(self, number: int) -> float:
        """Returns the timestamp of a frame or field.

        The second field is shown in the middle between its frame and the next frame.
        """
        if not self._fields:
            return self._timeline.seconds(number)
        index, field = divmod(number, 2)
        first = self._timeline.seconds(index)
        return (first + self._timeline.seconds(index + 1)) / 2 if field else first

    def skip(self) -> bool:
        decoded = self._next()
        if decoded is None:
            return False
        self._position = self._number(decoded) + 1
        return True

    def seek(self, index: int) -> None:
        index = max(0, index)
        if index == self.position and not (self._ended and not self._ready):
            return
        self._meter = None  # damage is only measured while reading from the start
        target = index // 2 if self._fields else index
        if not self._is_near(target):
            self._jump(target)
        self._drop_until(index)

    def _is_near(self, target: int) -> bool:
        """Returns whether decoding from the current place is faster than a jump."""
        position = self._position // 2 if self._fields else self._position
        if self._ended or target < position:
            return False
        timeline = self._timeline
        if not timeline.reliable or target >= len(timeline):
            return target < position + _EARLY_FRAMES
        if position >= len(timeline):
            return False
        keys = timeline.keys_before(timeline.pts(target))
        return not keys or keys[0] <= timeline.pts(position)

    def _drop_until(self, index: int) -> None:
        """Decodes frames until frame `index` is the next frame."""
        self._target = index // 2 if self._fields else index
        while True:
            while self._ready and self._number(self._ready[0]) < index:
                del self._ready[0]
            if self._ready:
                return
            decoded = self._next()
            if decoded is None:
                self._position = self._counted * (2 if self._fields else 1)
                return
            self._ready.insert(0, decoded)

    def _jump(self, target: int) -> None:
        """Moves the decoder to a place from which frame `target` can be decoded."""
        if not self._timeline.complete and (
            target >= len(self._timeline) or not self._timeline.reliable
        ):
            self._timeline = self._scan()
        timeline = self._timeline
        target = min(target, max(0, len(timeline) - 1))
        if timeline.reliable and target > 0:
            context = max(0, target - self._interlaced)
            keys = timeline.keys_before(timeline.pts(context))
            for number in _EARLIER_KEYS:
                if number < len(keys) and self._moves_to_key(keys[number], context):
                    return
        elif target > 0 and self._moves_to_independent_frame(target):
            return
        self._reopen()

    def _moves_to_independent_frame(self, target: int) -> bool:
        """Moves the decoder to an independent frame at or before a frame.

        Returns:
          Whether such a frame is known and was reached.
        """
        restart = self._timeline.restart_before(target)
        if restart is None:
            return False
        index, place = restart
        if not self._decoder.seek(place, is_bytes=self._timeline.restarts_are_bytes):
            return False
        self._deinterlacer.reset()
        self._restart_at(index, extends=False)
        frame = next(self._raw, None)
        if frame is None or not frame.key_frame:
            return False
        self._ready = self._accept(frame)
        return True

    def _moves_to_key(self, key: int, target: int) -> bool:
        """Moves the decoder to a key frame.

        Args:
          key: Timestamp of the key frame, in ticks.
          target: Index of the frame that is to be reached.

        Returns:
          Whether the frames from there include the target.
        """
        if not self._decoder.seek(key):
            return False
        self._deinterlacer.reset()
        self._restart_at(target, extends=False)
        frame = next(self._raw, None)
        if frame is None or frame.pts is None:
            return False
        index = self._timeline.index(frame.pts)
        before_first = self._first_pts is not None and frame.pts < self._first_pts
        if not before_first and (index is None or index > target):
            return False
        self._target = target
        self._ready = self._accept(frame)
        return True

    def _reopen(self) -> None:
        """Moves the decoder to the first frame."""
        previous, self._decoder = self._decoder, self._decoder.reopened()
        previous.close()
        self._deinterlacer.reset()
        self._restart_at(0, extends=False)

    def _scan(self) -> Timeline:
        """Reads the packets of the whole file without decoding them."""
        decoder = self._decoder.reopened()
        decoder.on_packet = lambda packet: None
        timeline = Timeline(decoder.stream, self._first_pts)
        for packet in decoder.packets():
            timeline.add(packet)
        timeline.complete = True
        timeline.reliable &= self._timeline.reliable
        decoder.close()
        return timeline

    def close(self) -> None:
        self._decoder.close()
        self._raw = iter(())  # refers to this object


def _checked(path: str) -> str:
    """Returns the absolute path of a file.

    A relative path may look like a URL to FFmpeg, for example "12:30.mp4".

    Raises:
      VideoError: It is missing, or not a regular file.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise VideoError(path, "no such file") from None
    except (OSError, ValueError) as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise VideoError(path, detail.lower()) from None
    if not stat.S_ISREG(mode):
        raise VideoError(path, "not a regular file")
    return os.path.abspath(path)
