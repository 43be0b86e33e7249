"""The order and the timestamps of a video's frames, from its packets."""

from __future__ import annotations

import array
import bisect
from collections.abc import Sequence
from typing import Final

import av

from ethos_model.footage.sources import header

_BACKWARD_SECONDS: Final = 1.0
"""If the decoding timestamp falls by more than this, two recordings were joined."""

_NAL_SEARCH: Final = 4096
"""Bytes at the start of a packet that are searched for its first coded picture."""


class Timeline:
    """The presentation timestamps of the frames, in order; 8 bytes for each frame.

    The index of a frame is the number of packets that are presented before its packet.
    It is known without decoding the frames before. If timestamps are missing or
    ambiguous, `reliable` is False. The frames must then be counted while they are
    decoded.

    Attributes:
      reliable: Whether a frame's timestamp determines its index.
      complete: Whether the packets of the whole video were added.
      seconds_per_tick: Unit of the timestamps, in seconds.
    """

    def __init__(self, stream: av.VideoStream, first: int | None = None) -> None:
        """Creates an empty timeline.

        Args:
          stream: The video stream that the packets belong to.
          first: Timestamp of the first frame that can be decoded, if it is known.
            Earlier packets are ignored.
        """
        self._is_raw = header.is_raw(stream)
        self._ambiguous = header.has_ambiguous_timestamps(stream)
        self.reliable = not self._ambiguous
        self.complete = False
        self.seconds_per_tick = float(stream.time_base or 1)
        self._frame_seconds = 1 / header.nominal_fps(stream)
        self._is_vp8 = stream.codec_context.name == "vp8"
        self._first = first
        self._has_timestamps = not self._is_raw
        self._pts = array.array("q")
        self._keys = array.array("q")
        self._packets = 0
        self._restarts = array.array("q")
        self._restart_places = array.array("q")
        self._last_dts: int | None = None
        self._offset = 0

    def __len__(self) -> int:
        """Number of frames that are known."""
        return len(self._pts) if self._has_timestamps else self._packets

    def rewind(self) -> None:
        """Announces that the next packets come from an earlier place in the file."""
        self._last_dts = None

    def add(self, packet: av.Packet, *, is_new: bool = True) -> None:
        """Takes the next packet, in decoding order.

        Args:
          packet: A packet of the video stream.
          is_new: False if the packet may have been added before.
        """
        if self._is_vp8 and packet.size and not bytes(packet)[0] & 0x10:
            return  # RFC 6386, section 9.1: a frame that is never shown
        if is_new:
            self._count(packet)
        if packet.pts is None:
            self.reliable = self._has_timestamps = False
            return
        pts = packet.pts + self._continued(packet)
        if packet.is_keyframe:
            _insert(self._keys, pts)
        if packet.is_discard or (self._first is not None and pts < self._first):
            return
        if not _insert(self._pts, pts) and is_new:
            self.reliable = False

    def _count(self, packet: av.Packet) -> None:
        if self._ambiguous and is_independent(packet):
            place = packet.pos if self._is_raw else packet.dts
            if place is not None:
                self._restarts.append(self._packets)
                self._restart_places.append(place)
        self._packets += 1

    def _continued(self, packet: av.Packet) -> int:
        """Returns the ticks to add, so that a part starts where the last part ended."""
        dts = packet.dts
        if dts is None:
            return self._offset
        last, self._last_dts = self._last_dts, dts
        if last is not None and (last - dts) * self.seconds_per_tick > (
            _BACKWARD_SECONDS
        ):
            self.reliable = False
            step = round(self._frame_seconds / self.seconds_per_tick)
            self._offset += last + step - dts
        return self._offset

    def start_at(self, pts: int) -> None:
        """Removes the packets that are presented before the first decoded frame."""
        self._first = pts
        del self._pts[: bisect.bisect_left(self._pts, pts)]

    def index(self, pts: int | None) -> int | None:
        """Returns the index of the frame with a timestamp; None if there is none."""
        if pts is None or not self.reliable:
            return None
        place = bisect.bisect_left(self._pts, pts)
        if place < len(self._pts) and self._pts[place] == pts:
            return place
        return None

    def pts(self, index: int) -> int:
        """Returns the timestamp of a frame, in ticks."""
        return self._pts[index]

    def seconds(self, index: int) -> float:
        """Returns the timestamp of a frame, in seconds since the first frame."""
        if not self._has_timestamps or not self._pts:
            return index * self._frame_seconds
        known = min(index, len(self._pts) - 1)
        ticks = self._pts[known] - self._pts[0]
        return ticks * self.seconds_per_tick + (index - known) * self._frame_seconds

    def index_at(self, seconds: float) -> int:
        """Returns the index of the frame nearest to a time. Extrapolates at the end."""
        if not self._has_timestamps or not self._pts:
            return round(seconds / self._frame_seconds)
        last = self.seconds(len(self._pts) - 1)
        if seconds > last:
            beyond = (
                0 if self.complete else round((seconds - last) / self._frame_seconds)
            )
            return len(self._pts) - 1 + beyond
        pts = self._pts[0] + seconds / self.seconds_per_tick
        after = bisect.bisect_left(self._pts, pts)
        candidates = range(max(0, after - 1), min(len(self._pts), after + 1))
        return min(candidates, key=lambda index: abs(self._pts[index] - pts))

    @property
    def restarts_are_bytes(self) -> bool:
        """Whether `restart_before` returns byte offsets."""
        return self._is_raw

    def restart_before(self, index: int) -> tuple[int, int] | None:
        """Returns the last known place at or before a frame where decoding can start.

        Such places are known for formats without presentation order only.

        Returns:
          The index of the frame at that place, and the place; None if no place is
          known. A place is a byte offset or a decoding timestamp; see
          `restarts_are_bytes`.
        """
        number = bisect.bisect_right(self._restarts, index) - 1
        if number < 0:
            return None
        return self._restarts[number], self._restart_places[number]

    def keys_before(self, pts: int) -> Sequence[int]:
        """Returns the timestamps of the key frames up to `pts`, latest first."""
        return self._keys[: bisect.bisect_right(self._keys, pts)][::-1]


def _insert(values: array.array, value: int) -> bool:
    """Inserts a value into a sorted array.

    Returns:
      False if the array contains the value already. It is then left unchanged.
    """
    if not values or value > values[-1]:
        values.append(value)
        return True
    place = bisect.bisect_left(values, value)
    if values[place] == value:
        return False
    values.insert(place, value)
    return True


def is_independent(packet: av.Packet) -> bool:
    """Whether decoding can start at a packet.

    Its frame is then presented before the frames of all later packets.
    """
    codec = packet.stream.codec_context.name
    if codec == "mjpeg":
        return True
    if not packet.is_keyframe or codec not in ("h264", "hevc"):
        return False
    data = bytes(packet)[:_NAL_SEARCH]
    start = data.find(b"\0\0\1")
    while 0 <= start < len(data) - 3:
        unit = data[start + 3]
        # ITU-T H.264, table 7-1, and H.265, table 7-1: an IDR picture.
        if codec == "h264" and unit & 0x1F == 5:
            return True
        if codec == "hevc" and unit >> 1 & 0x3F in (19, 20):
            return True
        start = data.find(b"\0\0\1", start + 3)
    return False
