"""Writes pictures as a video file."""

from __future__ import annotations

import contextlib
import os
from types import TracebackType
from typing import Final

import cv2
import numpy as np

from ethos_data.errors import EthosError
from ethos_data.storage import files

CODECS: Final = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v"} | {
    ".avi": "MJPG"
}
"""FourCC by suffix: what every build of OpenCV can write. (H.264 is in few.)"""

LONGEST_GAP: Final = 10.0
"""Seconds without a new frame that are filled by repeating the last one."""


class VideoRecorder:
    """A video file that appears under its name when it is whole.

    Its frame rate is constant. Frames are repeated, or left out where they come faster,
    so that each is shown at its time.
    """

    def __init__(self, path: str, fps: float) -> None:
        suffix = os.path.splitext(path)[1].lower()
        if suffix not in CODECS:
            known = ", ".join(CODECS)
            raise EthosError(f"{path}: videos are written as one of {known}")
        self._path, self._fps = path, float(np.clip(fps, 1, 240))
        self._code = cv2.VideoWriter.fourcc(*CODECS[suffix])
        self._stack = contextlib.ExitStack()
        self._temporary = self._stack.enter_context(files.replacing(path))
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._start = 0.0
        self._last: np.ndarray = np.zeros((0, 0, 3), np.uint8)
        self.frames = 0

    def write(self, image_rgb: np.ndarray, timestamp: float) -> None:
        """Adds uint8 (H, W, 3) RGB, shown from `timestamp` seconds on."""
        if self._writer is None:
            height, width = image_rgb.shape[:2]
            self._size = (width, height)
            self._writer = cv2.VideoWriter(
                self._temporary, self._code, self._fps, self._size
            )
            if not self._writer.isOpened():
                raise EthosError(f"{self._path}: OpenCV cannot write such a video")
            self._start = timestamp
        if (image_rgb.shape[1], image_rgb.shape[0]) != self._size:
            image_rgb = cv2.resize(image_rgb, self._size, interpolation=cv2.INTER_AREA)
        due = round((timestamp - self._start) * self._fps)
        missing = due - self.frames
        if missing >= LONGEST_GAP * self._fps:
            self._start += missing / self._fps  # cut out; what follows is in step
            missing = 0
        # Jitter in time stamps, of less than a frame, must not double or drop frames.
        if missing > 1:
            for _ in range(missing):
                self._writer.write(self._last)
            self.frames += missing
        self._last = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
        if missing >= -1:
            self._writer.write(self._last)
            self.frames += 1

    def __enter__(self) -> VideoRecorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        if kind is None and self.frames and not self._is_whole():
            broken = EthosError(
                f"{self._path}: cannot be written whole; is the disk full?"
            )
            self._stack.__exit__(EthosError, broken, None)
            raise broken
        if kind is None and self.frames == 0:
            # Nothing to keep: an empty file would not be a video.
            with contextlib.suppress(EthosError):
                self._stack.__exit__(EthosError, EthosError(), None)
            return
        self._stack.__exit__(kind, error, trace)

    def _is_whole(self) -> bool:
        """Whether what was written can be read: OpenCV does not tell of a full disk."""
        capture = cv2.VideoCapture(self._temporary)
        try:
            count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
            return bool(capture.read()[0]) and count >= self.frames - 1
        finally:
            capture.release()
