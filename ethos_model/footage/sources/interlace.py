"""Separates the two fields of interlaced frames with FFmpeg's filter bwdif."""

from __future__ import annotations

import contextlib
import dataclasses
import fractions

import av
import av.filter


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A decoded frame before it is converted to RGB.

    Attributes:
      frame: The frame as the decoder returned it, or a deinterlaced copy.
      index: Number of the frame in the video, from 0.
      timestamp: Seconds since the first frame.
      field: 1 for the second field of an interlaced frame, else 0.
    """

    frame: av.VideoFrame
    index: int
    timestamp: float
    field: int = 0


class Deinterlacer:
    """Deinterlaces the interlaced frames of a sequence. Other frames pass unchanged.

    The filter needs the frames before and after each interlaced frame. From the first
    interlaced frame on, the output is therefore one frame behind the input.

    Example:
      deinterlacer = Deinterlacer()
      for decoded in frames:
          for result in deinterlacer.push(decoded): ...
      for result in deinterlacer.flush(): ...
    """

    def __init__(self, *, fields: bool = False) -> None:
        """Prepares an empty sequence.

        Args:
          fields: Return two frames for each input frame, one per field. Otherwise one
            frame with the first field's point in time is returned.
        """
        self._fields = fields
        self._graph: av.filter.Graph | None = None
        self._format: tuple[int, int, str] = (0, 0, "")
        self._previous: Decoded | None = None
        self._inside: dict[int, Decoded] = {}
        self._pushed = 0

    def push(self, decoded: Decoded) -> list[Decoded]:
        """Adds the next frame. Returns the frames that are complete."""
        frame = decoded.frame
        ready: list[Decoded] = []
        if self._graph is not None and self._format != _format(frame):
            ready = self.flush()
        if self._graph is None:
            if not (frame.interlaced_frame or self._fields):
                self._previous = decoded
                return [*ready, decoded]
            self._start(frame)
        self._feed(decoded)
        return ready + self._drain()

    def flush(self) -> list[Decoded]:
        """Ends the sequence and returns the remaining frames."""
        if self._graph is None:
            return []
        self._graph.push(None)
        ready = self._drain()
        self._graph = self._previous = None
        self._inside.clear()
        return ready

    def reset(self) -> None:
        """Forgets all frames, for a new sequence."""
        self._graph = self._previous = None
        self._inside.clear()

    def _start(self, frame: av.VideoFrame) -> None:
        self._format = _format(frame)
        width, height, pixel_format = self._format
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=width,
            height=height,
            format=av.VideoFormat(pixel_format),
            time_base=_TIME_BASE,
        )
        mode, frames = (
            ("send_field", "all") if self._fields else ("send_frame", "interlaced")
        )
        bwdif = graph.add("bwdif", f"mode={mode}:parity=auto:deint={frames}")
        sink = graph.add("buffersink")
        graph.link_nodes(source, bwdif, sink).configure()
        self._graph = graph
        previous, self._previous = self._previous, None
        if previous is not None and _format(previous.frame) == self._format:
            # The filter needs this frame, but it was returned before.
            self._feed(previous)
            del self._inside[self._pushed - 1]

    def _feed(self, decoded: Decoded) -> None:
        assert self._graph is not None
        decoded.frame.pts = self._pushed
        decoded.frame.time_base = _TIME_BASE
        self._inside[self._pushed] = decoded
        self._pushed += 1
        self._graph.push(decoded.frame)

    def _drain(self) -> list[Decoded]:
        assert self._graph is not None
        ready = []
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                frame = self._graph.pull()
                assert isinstance(frame, av.VideoFrame)
                assert frame.pts is not None
                # The filter counts in half frames.
                number, field = divmod(frame.pts, 2)
                decoded = self._inside.get(number)
                if decoded is not None:
                    ready.append(dataclasses.replace(decoded, frame=frame, field=field))
                for old in [n for n in self._inside if n < number]:
                    del self._inside[old]
        return ready


_TIME_BASE = fractions.Fraction(1, 25)
"""Unit of the numbers that identify the frames in the filter. Any value will do."""


def _format(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name
