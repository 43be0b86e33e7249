"""Animated GIF, WebP, PNG and AVIF files, decoded with Pillow."""

from __future__ import annotations

import contextlib
import warnings
from typing import Final

import numpy as np
from PIL import Image

from ethos_model.footage.sources.source import (
    DEFAULT_FPS,
    Damage,
    Frame,
    Info,
    Source,
    VideoError,
)

ANIMATION_SUFFIXES: Final = (".gif", ".webp", ".png", ".apng", ".avif")

_SHORTEST_MS: Final = 20.0
_DEFAULT_MS: Final = 100.0
"""Frames with a stated duration of less than 20 ms are shown for 100 ms, as in web
browsers."""


class Animation(Source):
    """The frames of an animated image file, with the durations in the file."""

    def __init__(self, path: str) -> None:
        """Reads the first frame.

        Raises:
          VideoError: The file cannot be read.
        """
        self._path = path
        self._next = self._errors = 0
        self._starts = [0.0]
        try:
            self._image = open_image(path)
            self._count = getattr(self._image, "n_frames", 1)
            self._load(0)
        except Exception as error:  # Pillow raises many kinds
            raise VideoError(path, f"not an image that can be read ({error})") from None
        duration = self._starts[1]
        fps = 1 / duration if self._count > 1 else DEFAULT_FPS
        self.info = Info(path, self._image.size, fps, self._count)

    def _load(self, index: int) -> np.ndarray:
        """Decodes a frame and stores the start of the next frame."""
        if index < self._image.tell():
            # Pillow fails when it goes back in an animated PNG more than once.
            self._image.close()
            self._image = open_image(self._path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._image.seek(index)
            image = rgb(self._image)
        if len(self._starts) == index + 1:
            milliseconds = float(self._image.info.get("duration", 0) or 0)
            if milliseconds < _SHORTEST_MS:
                milliseconds = _DEFAULT_MS
            self._starts.append(self._starts[index] + milliseconds / 1000)
        return image

    def read(self) -> Frame | None:
        if self._next >= self._count:
            return None
        index = self._next
        try:
            # The start of a frame depends on the durations of all frames before it.
            for between in range(len(self._starts) - 1, index):
                self._load(between)
            image = self._load(index)
        except Exception:
            self._errors += 1
            self._count = index
            return None
        self._next += 1
        return Frame(image, index, self._starts[index])

    def skip(self) -> bool:
        return self.read() is not None

    def seek(self, index: int) -> None:
        self._next = min(max(0, index), self._count)

    @property
    def position(self) -> int:
        return self._next

    @property
    def damage(self) -> Damage | None:
        if not self._errors:
            return None
        lost = (self.info.frame_count or 0) - self._count
        return Damage(self._count, self._errors, lost / self.info.fps)

    def index_at(self, seconds: float) -> int:
        known = np.asarray(self._starts[: self._count])
        if seconds > known[-1]:
            return len(known) - 1 + round((seconds - known[-1]) * self.info.fps)
        return int(np.abs(known - seconds).argmin())

    def close(self) -> None:
        self._image.close()


def open_image(path: str) -> Image.Image:
    """Opens an image without warnings about damaged data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(path)


def is_animated(path: str) -> bool:
    """Whether a file contains more than one image of an animation."""
    if not path.lower().endswith(ANIMATION_SUFFIXES):
        return False
    with contextlib.suppress(Exception), open_image(path) as image:
        return path.lower().endswith(".gif") or getattr(image, "n_frames", 1) > 1
    return False


def rgb(image: Image.Image) -> np.ndarray:
    """Returns an image as uint8 (H, W, 3). What is transparent becomes black.

    The colours below a transparent part are not meant to be seen.
    """
    if not image.has_transparency_data:
        return np.array(image.convert("RGB"))
    pixels = image.convert("RGBA")
    black = Image.new("RGBA", pixels.size, (0, 0, 0, 255))
    return np.array(Image.alpha_composite(black, pixels).convert("RGB"))
