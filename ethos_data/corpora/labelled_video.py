"""Reads the frames of a video file for which there are landmarks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np

from ethos_data.corpora import labels, video_frames
from ethos_data.corpora.source import Source, full_path
from ethos_data.corpora.video import Video, select_frames

_PART_BYTES: Final = 128 << 20  # 128 MiB
"""Maximum size of the frames in memory. A long video does not fit into memory."""


@dataclasses.dataclass(frozen=True)
class Track:
    """Landmarks of one face in a video.

    Attributes:
      frames: int64 (T,), ascending, number of each frame in the video, from 0.
      points: float64 (T, 68, 2) or (T, 68, 3), in source pixels, NaN where unknown.
      visible: uint8 (T, 68), see `visibility`; None if the format does not state it.
    """

    frames: np.ndarray
    points: np.ndarray
    visible: np.ndarray | None = None


def read(
    corpus_dir: str,
    source: Source,
    track: Track,
    stride: int,
    max_frames: int | None,
) -> Iterator[Video]:
    """Yields a labelled video in parts that fit into memory.

    Args:
      corpus_dir: Directory of the corpus.
      source: The source of the video.
      track: The landmarks.
      stride: Keep one labelled frame in `stride`, beginning with the first.
      max_frames: Maximum number of frames to keep, evenly spaced; None for no limit.

    Raises:
      ValueError: The video cannot be decoded, or it ends before the last label.
    """
    times = select_frames(len(track.frames), stride, max_frames)
    points, codes, has_z = labels.complete_labels(
        track.points[times], None if track.visible is None else track.visible[times]
    )
    numbers = track.frames[times]
    # Hashing the video would read it a second time.
    content = np.array([source.size], np.int64).tobytes() + points.tobytes()
    fingerprint = labels.digest(content, codes.tobytes(), numbers.tobytes())
    rows = {number: row for row, number in enumerate(numbers.tolist())}
    path = full_path(corpus_dir, source.pixels)
    part: list[tuple[int, np.ndarray]] = []

    def video() -> Video:
        chosen = np.array([rows[number] for number, _ in part])
        return Video(
            path=path,
            video_id=source.video_id,
            person_id=source.person_id,
            frames=np.stack([frame for _, frame in part]),
            landmarks=points[chosen],
            depth=None,
            frame_numbers=numbers[chosen],
            fingerprint=fingerprint,
            visible=codes[chosen],
            has_z=has_z[chosen],
        )

    count = 0
    for number, frame in video_frames.read_frames(path, numbers):
        full = part and (len(part) + 1) * frame.nbytes > _PART_BYTES
        if full or (part and part[-1][1].shape != frame.shape):
            yield video()
            part.clear()
        part.append((number, frame))
        count += 1
    if part:
        yield video()
    if count < len(numbers):
        raise ValueError(
            f"the video ends before frame {numbers[count]}, which has labels"
        )
