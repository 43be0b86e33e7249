"""The form in which every corpus reader returns a video, and the rules for its ids."""

from __future__ import annotations

import dataclasses
import os
import posixpath

import numpy as np

from ethos_data.errors import EthosError


class CorpusError(EthosError):
    """A video cannot be used.

    Attributes:
      path: Path of the file.
      reason: Cause of the error as one phrase, without the path.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(path, reason)
        self.path = path
        # The names in a damaged archive may contain line breaks and control characters.
        self.reason = _printable(reason)

    def __str__(self) -> str:
        return f"{_printable(self.path)}: {self.reason}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@dataclasses.dataclass(frozen=True)
class Video:
    """One video of one person.

    Source pixels have their origin in the top left corner, x points right, y points
    down, and pixel centres are at integers.

    Attributes:
      path: Path of the file that was read.
      video_id: Name of the file without directories and suffix.
      person_id: Name of the person; see `person_id_of`.
      frames: uint8 (T, H, W, 3), RGB.
      landmarks: float32 (T, 68, 3), x, y and z in source pixels. A larger z is nearer.
        Values may be NaN or infinite.
      depth: float32 (T, H, W) in source pixels, larger is nearer, NaN where the depth
        is unknown. None if the corpus contains no depth.
      frame_numbers: int64 (T,), index of each frame in the file.
      fingerprint: Hash of the content of the file; see `Npz.fingerprint`.
      visible: uint8 (T, 68), what is known of each landmark; see `visibility`. The
        other landmarks are NaN. None if the format cannot state it: then all landmarks
        are visible and z is a label.
      has_z: bool (T,), whether z of the landmarks is a label; where it is not, z is
        NaN. None if `visible` is None.
    """

    path: str
    video_id: str
    person_id: str
    frames: np.ndarray
    landmarks: np.ndarray
    depth: np.ndarray | None
    frame_numbers: np.ndarray
    fingerprint: str
    visible: np.ndarray | None = None
    has_z: np.ndarray | None = None


def video_id_of(path: str) -> str:
    """Returns the name of a file without directories and suffix.

    Example:
      >>> video_id_of("faces/Jane_Doe_3.npz")
      'Jane_Doe_3'
    """
    return posixpath.basename(path.replace(os.sep, "/")).rpartition(".")[0]


def person_id_of(video_id: str) -> str:
    """Returns `video_id` up to its last underscore.

    Example:
      >>> person_id_of("Jane_Doe_3")
      'Jane_Doe'
    """
    return video_id.rpartition("_")[0] or video_id


def select_frames(total: int, stride: int, max_frames: int | None) -> np.ndarray:
    """Returns the indices of the frames to use, in ascending order.

    Args:
      total: Number of frames in the file.
      stride: Keep one frame in `stride`, beginning with the first.
      max_frames: Maximum number of frames to keep, evenly spaced; None for no limit.

    Returns:
      int64 (N,).
    """
    candidates = np.arange(0, total, stride)
    if max_frames is None or len(candidates) <= max_frames:
        return candidates
    return candidates[(np.arange(max_frames) * len(candidates)) // max_frames]
