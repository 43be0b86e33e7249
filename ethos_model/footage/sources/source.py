"""The interface that every video source has."""

from __future__ import annotations

import abc
import dataclasses
import fractions
import math
import os
from typing import Final

import numpy as np

from ethos_data.errors import EthosError

DEFAULT_FPS: Final = 25.0
"""Frame rate of image sequences, and of videos that do not state one, in frames/s."""

MAX_FPS: Final = 1000.0
"""Largest frame rate that is believed, in frames/s. Headers contain larger values when
the container stores a clock rate in their place."""


def valid_fps(*candidates: float | fractions.Fraction | None) -> float:
    """Returns the first plausible frame rate, or `DEFAULT_FPS`, in frames/s."""
    for candidate in candidates:
        if candidate is not None and math.isfinite(candidate):
            fps = float(candidate)
            if 0 < fps <= MAX_FPS:
                return fps
    return DEFAULT_FPS


class VideoError(EthosError):
    """A video source that cannot be opened or read."""

    def __init__(self, path: str, reason: str) -> None:
        # A path that is not valid UTF-8 must still be printable.
        name = path.encode("utf-8", "backslashreplace").decode()
        super().__init__(f"{name}: {reason}")


@dataclasses.dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Attributes:
      image: uint8 (H, W, 3) RGB, upright, with square pixels.
      index: Number of the frame in the video, from 0. Frames that cannot be decoded
        have numbers too, so the numbers may have gaps.
      timestamp: Seconds since the first frame. Never decreases while reading.
    """

    image: np.ndarray
    index: int
    timestamp: float


@dataclasses.dataclass(frozen=True)
class Info:
    """Properties of a source that are known when it is opened.

    Attributes:
      path: Name of the source, as the user gave it.
      size: Width and height of the frames, in pixels.
      fps: Nominal frame rate, in frames/s.
      frame_count: Number of frames that the header states; None if it is unknown. The
        number of frames that can be read may differ.
      live: Whether the source is a camera or a network stream. A live source cannot
        seek, and its timestamps come from the stream or from the clock.
      start: Timestamp of the first frame on the clock of the container, in seconds.
        The sound of a video file uses the same clock.
    """

    path: str
    size: tuple[int, int]
    fps: float
    frame_count: int | None
    live: bool = False
    start: float = 0.0

    @property
    def name(self) -> str:
        """File name without its directory."""
        return os.path.basename(os.path.normpath(self.path)) or self.path


@dataclasses.dataclass(frozen=True)
class Damage:
    """What could not be read of a source that was read from its start.

    Attributes:
      frames: Number of frames that were decoded.
      errors: Number of packets and frames with a decoding error. The decoder conceals
        some of these errors; the frames are then returned.
      missing_seconds: Duration of the parts that could not be read, in seconds.
    """

    frames: int
    errors: int
    missing_seconds: float

    def __str__(self) -> str:
        return (
            f"damaged: {self.frames} frames decoded, {self.errors} decoding errors, "
            f"{self.missing_seconds:.2f} s missing"
        )


class Source(abc.ABC):
    """A sequence of frames. Only one thread may use a source at a time.

    Example:
      with open_video("clip.mp4") as source:
          while (frame := source.read()) is not None:
              print(frame.timestamp, frame.image.shape)

    Attributes:
      info: Properties that are known from the start.
    """

    info: Info

    @abc.abstractmethod
    def read(self) -> Frame | None:
        """Returns the next frame, or None at the end."""

    @abc.abstractmethod
    def skip(self) -> bool:
        """Passes over the next frame at the lowest cost.

        Returns:
          Whether there was a frame.
        """

    @abc.abstractmethod
    def seek(self, index: int) -> None:
        """Moves to frame `index`, which the next `read` returns.

        If the frame does not exist or cannot be decoded, the next `read` returns the
        first frame after it. Live sources ignore the call.
        """

    @property
    @abc.abstractmethod
    def position(self) -> int:
        """Index of the next frame. After the end: the number of frames."""

    @property
    def damage(self) -> Damage | None:
        """The damage found up to now; None if there is none."""
        return None

    def index_at(self, seconds: float) -> int:
        """Returns the index of the frame nearest to a timestamp."""
        return round(seconds * self.info.fps)

    @abc.abstractmethod
    def close(self) -> None:
        """Releases files and devices."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
