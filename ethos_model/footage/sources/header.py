"""Reads the properties that the header of a video states."""

from __future__ import annotations

from typing import Final

import av

from ethos_model.footage.sources.source import valid_fps

_RAW_STREAMS: Final = frozenset(
    ("h264", "hevc", "vvc", "mpegvideo", "m4v", "h263", "h261", "mjpeg", "obu", "cavs")
)
"""Formats that consist of coded frames only and have no timestamps."""

_LONGEST_SECONDS: Final = 1e7
"""Durations of this length (116 days) and more are errors in the header."""

_MATROSKA: Final = "matroska,webm"
"""Format in which FFmpeg counts the duration from time 0, not from the first frame."""

_END_SECONDS: Final = 0.25
"""A file is truncated if it ends earlier than stated by more than this."""


def is_raw(stream: av.VideoStream) -> bool:
    """Whether a file consists of coded frames only and has no timestamps."""
    return stream.container.format.name in _RAW_STREAMS


def has_ambiguous_timestamps(stream: av.VideoStream) -> bool:
    """Whether a file does not state the order in which its frames are presented."""
    # FFmpeg reconstructs the order in AVI files, except for these codecs.
    is_avi = stream.container.format.name == "avi"
    reordered = is_avi and stream.codec_context.name in ("h264", "hevc")
    return is_raw(stream) or reordered


def nominal_fps(stream: av.VideoStream) -> float:
    """Returns the frame rate that a stream states, in frames/s."""
    if is_raw(stream):
        # The container's own rate is only FFmpeg's default of 25.
        return valid_fps(stream.codec_context.framerate, stream.guessed_rate)
    return valid_fps(stream.average_rate, stream.guessed_rate, stream.base_rate)


def frame_count(stream: av.VideoStream) -> int | None:
    """Returns the number of frames that the header states, or None."""
    if stream.frames > 0:
        discarded = sum(entry.is_discard for entry in stream.index_entries)
        return max(1, stream.frames - discarded)
    container = stream.container
    assert isinstance(container, av.container.InputContainer)
    seconds = 0.0
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
        start = (container.start_time or 0) / av.time_base
        if container.format.name == _MATROSKA and 0 < start < seconds:
            seconds -= start
    if not 0 < seconds < _LONGEST_SECONDS:
        return None
    return max(1, round(seconds * nominal_fps(stream)))


def stated_end(stream: av.VideoStream, end_seconds: float) -> float | None:
    """Returns when the video ends according to its header; None if it is not stated.

    Args:
      stream: The video stream, after all packets were read.
      end_seconds: Largest end of a packet of any stream, in seconds.

    Returns:
      Seconds on the clock of the container.
    """
    container = stream.container
    assert isinstance(container, av.container.InputContainer)
    if stream.duration is not None and stream.time_base is not None:
        end = float(((stream.start_time or 0) + stream.duration) * stream.time_base)
        if container.format.name == "avi":  # FFmpeg adapts the duration to the file
            end = max(end, stream.frames / nominal_fps(stream))
        return end
    if container.duration is None or container.start_time is None:
        return None
    end = container.duration / av.time_base
    if container.format.name != _MATROSKA:
        end += container.start_time / av.time_base
    # Sound may be longer than the video, so all streams have to end early.
    return end if end - end_seconds > _END_SECONDS else None
