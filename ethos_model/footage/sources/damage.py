"""Measures the damage of a video while it is read from start to end."""

from __future__ import annotations

from typing import Final

from ethos_model.footage.sources.source import Damage

_NEAR_SECONDS: Final = 0.5
"""A gap in the timestamps is damage if an error occurred at most this far away. Without
an error, the frame rate is variable."""

_GAP_FRAMES: Final = 3.0
"""Shortest step between two timestamps that may be damage, in frames."""

_TAIL_SECONDS: Final = 0.25
"""Shortest difference between the stated and the actual end that counts as damage."""


class DamageMeter:
    """Measures the damage of one source. Times are seconds since the first frame."""

    def __init__(self, fps: float) -> None:
        self._frame_seconds = 1 / fps
        self._frames = self._errors = 0
        self._missing = 0.0
        self._last_index, self._last_time = -1, 0.0
        self._last_duration = self._frame_seconds
        self._error_time = float("-inf")
        self._gap: tuple[float, float] | None = None

    def add_frame(
        self, index: int, timestamp: float, duration: float | None = None
    ) -> None:
        """Adds the next decoded frame.

        Args:
          index: Index of the frame. Missing indices are lost frames.
          timestamp: Time of the frame.
          duration: Duration of the frame, in seconds, if the container states it.
        """
        gap = timestamp - self._last_time - self._frame_seconds
        if self._frames == 0:
            self._missing += max(0.0, gap + self._frame_seconds)
        elif index > self._last_index + 1:
            self._missing += max(0.0, gap)
        elif gap > (_GAP_FRAMES - 1) * self._frame_seconds:
            self._gap = (self._last_time, timestamp)
            self._count_gap()
        self._frames += 1
        self._last_index, self._last_time = index, timestamp
        self._last_duration = duration or self._frame_seconds

    def add_error(self, timestamp: float | None) -> None:
        """Adds a packet or frame with an error.

        Args:
          timestamp: Time of the packet; None if it is unknown.
        """
        self._errors += 1
        self._error_time = self._last_time if timestamp is None else timestamp
        self._count_gap()

    def _count_gap(self) -> None:
        if self._gap is None:
            return
        start, end = self._gap
        if start - _NEAR_SECONDS <= self._error_time <= end + _NEAR_SECONDS:
            self._missing += end - start - self._frame_seconds
            self._gap = None

    def finish(self, expected_end: float | None) -> None:
        """Ends the measurement after the last frame.

        Args:
          expected_end: End of the video according to its header, or None.
        """
        if expected_end is None or self._frames == 0:
            return
        tail = expected_end - (self._last_time + self._last_duration)
        if tail > max(_TAIL_SECONDS, 2.5 * self._frame_seconds):
            self._missing += tail

    @property
    def damage(self) -> Damage | None:
        """The damage up to now; None if there is none."""
        if self._errors == 0 and self._missing <= 0:
            return None
        return Damage(self._frames, self._errors, self._missing)
