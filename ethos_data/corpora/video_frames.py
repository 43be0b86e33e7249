"""Reads frames of video files in their exact order.

A small sequential decoder for labelled videos. It does not seek, because positions that
a container states are not always those of frames, and a label that is one frame late is
wrong. `ethos_model.footage` reads damaged, live and interlaced video; corpora contain
complete files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ethos_data.storage import files


def read_frames(path: str, numbers: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yields some frames of a video.

    Args:
      path: Path of the video file.
      numbers: int (N,), ascending. Number of each frame in the order in which the video
        shows them, from 0.

    Yields:
      The number and the frame, uint8 (H, W, 3), RGB, upright. Frames after the end of
      the video are left out.

    Raises:
      ValueError: The video cannot be decoded.
    """
    import av  # takes 0.1 s, and only videos need it

    wanted = iter(numbers.tolist())
    number = next(wanted, None)
    try:
        with (
            files.opened(path) as file,
            av.open(file, mode="r", metadata_errors="ignore") as container,
        ):
            if not container.streams.video:
                raise ValueError("contains no video")
            container.streams.video[0].thread_type = "AUTO"
            for index, frame in enumerate(container.decode(video=0)):
                if number is None:
                    break
                if index == number:
                    yield index, _upright(frame)
                    number = next(wanted, None)
    except av.FFmpegError as error:
        raise ValueError(f"the video cannot be decoded ({error.strerror})") from error


def _upright(frame: Any) -> np.ndarray:
    """Returns a frame as uint8 (H, W, 3), RGB, rotated as its metadata says."""
    # FFmpeg states the angle counterclockwise, like numpy.
    turned = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
    return np.ascontiguousarray(turned)
