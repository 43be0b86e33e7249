"""Images as video: single images, image sequences and the pages of TIFF files."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import warnings
from collections.abc import Sequence
from typing import Final

import av
import cv2
import numpy as np
from PIL import ImageOps

from ethos_model.footage.sources import heif
from ethos_model.footage.sources.animation import open_image, rgb
from ethos_model.footage.sources.pixels import PixelConverter
from ethos_model.footage.sources.source import (
    DEFAULT_FPS,
    Damage,
    Frame,
    Info,
    Source,
    VideoError,
)

IMAGE_SUFFIXES: Final = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".avif"),
    *(".heic", ".heif", ".hif", ".jp2"),
)

_TIFF: Final = (".tif", ".tiff")
_HEIF: Final = (".heic", ".heif", ".hif")

_DEPTHS: Final = (8, 10, 12, 14, 16)
"""Possible numbers of used bits in 16-bit samples."""

_SAMPLED_IMAGES: Final = 8
"""Number of images of a sequence that determine its white level."""

_ORIENTATION_TAG: Final = 0x0112
"""Number of the EXIF tag with the orientation."""


@dataclasses.dataclass(frozen=True)
class Page:
    """One image: a file, or one page of a TIFF file.

    Attributes:
      path: Path of the file.
      number: Number of the page from 0.
    """

    path: str
    number: int = 0


class ImageSequence(Source):
    """Images in a given order. Each image keeps its size.

    Images that cannot be read are left out.
    """

    def __init__(self, path: str, pages: Sequence[Page]) -> None:
        """Reads the first image.

        Args:
          path: Name of the source.
          pages: The images.

        Raises:
          VideoError: There are no images, or none can be read.
        """
        self._pages = pages
        self._next = 0
        self._damaged: set[int] = set()
        if not pages:
            raise VideoError(path, "no images in this directory")
        first = next((x for x in map(read_samples, pages) if x is not None), None)
        if first is None:
            raise VideoError(pages[0].path, "not an image that can be read")
        self._white: dict[np.dtype, float] = {np.dtype(np.uint8): 255.0}
        height, width = first.shape[:2]
        self.info = Info(path, (width, height), DEFAULT_FPS, len(pages))

    def _white_level(self, samples: np.ndarray) -> float:
        """Returns the white of all images that store numbers of the same type."""
        kind = samples.dtype
        if kind not in self._white:
            step = -(-len(self._pages) // _SAMPLED_IMAGES)
            others = (read_samples(page) for page in self._pages[::step])
            same = [x for x in others if x is not None and x.dtype == kind]
            self._white[kind] = white_level([samples, *same])
        return self._white[kind]

    def read(self) -> Frame | None:
        while self._next < len(self._pages):
            index = self._next
            self._next += 1
            samples = read_samples(self._pages[index])
            if samples is None:
                self._damaged.add(index)
                continue
            image = to_8_bits(samples, self._white_level(samples))
            return Frame(image, index, index / self.info.fps)
        return None

    @property
    def position(self) -> int:
        return self._next

    @property
    def damage(self) -> Damage | None:
        lost = len(self._damaged)
        return Damage(self._next - lost, lost, lost / self.info.fps) if lost else None

    def skip(self) -> bool:
        if self._next >= len(self._pages):
            return False
        self._next += 1
        return True

    def seek(self, index: int) -> None:
        self._next = min(max(0, index), len(self._pages))

    def close(self) -> None:
        """Does nothing, because no file stays open between two frames."""


def read_samples(page: Page) -> np.ndarray | None:
    """Reads an image with all its bits.

    Returns:
      uint8, uint16 or float32 (H, W, 3) RGB, upright; None if it cannot be read.
    """
    # Pillow has no colour images with 16 bits. OpenCV writes messages about damaged
    # JPEG files on stderr, and Pillow about damaged TIFF files.
    deep = page.path.lower().endswith(_TIFF) or _is_deep_png(page.path)
    for reader in (_with_opencv if deep else _with_pillow, _with_ffmpeg):
        # Pillow raises exceptions of many kinds for damaged files.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = reader(page)
            if image is not None and image.size:
                return image
    return None


def _is_deep_png(path: str) -> bool:
    """Whether a file is a PNG image with 16 bits per sample."""
    try:
        with open(path, "rb") as file:
            head = file.read(25)
    except OSError:
        return False
    return head.startswith(b"\x89PNG") and head[24:] == b"\x10"


_OPENCV_FLAGS: Final = (
    cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
)


def _with_opencv(page: Page) -> np.ndarray | None:
    if page.path.lower().endswith(_TIFF):
        # OpenCV turns TIFF images upright, whatever the flags say.
        pages = cv2.imreadmulti(page.path, page.number, 1, flags=_OPENCV_FLAGS)[1]
        return cv2.cvtColor(np.asarray(pages[0]), cv2.COLOR_BGR2RGB) if pages else None
    bgr = cv2.imdecode(np.fromfile(page.path, np.uint8), _OPENCV_FLAGS)
    if bgr is None:
        return None
    return upright(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), _orientation(page.path))


def _orientation(path: str) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none."""
    with contextlib.suppress(Exception), open_image(path) as image:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    return 1


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turns an image by its EXIF orientation (EXIF 2.3, tag 274).

    Args:
      image: (H, W, 3) as stored.
      orientation: 1 to 8; other values leave the image as it is.
    """
    if orientation in (5, 6, 7, 8):
        image = cv2.transpose(image)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(image, flips[orientation]) if orientation in flips else image


def _with_pillow(page: Page) -> np.ndarray:
    with open_image(page.path) as image:
        image.seek(page.number)
        if image.mode.startswith("I;16"):
            gray = np.asarray(ImageOps.exif_transpose(image), np.uint16)
            return cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
        return rgb(ImageOps.exif_transpose(image))


def _with_ffmpeg(page: Page) -> np.ndarray | None:
    if page.path.lower().endswith(_HEIF):
        grid = heif.read_grid(page.path)
        if grid is not None:
            return heif.read_tiles(page.path, grid)
    with av.open(page.path, metadata_errors="replace") as container:
        for frame in container.decode(video=0):
            return PixelConverter()(frame)
    return None


def white_level(images: Sequence[np.ndarray]) -> float:
    """Returns the sample value that becomes white.

    A file does not state how many of its 16 bits are used. The result is based on the
    smallest number of bits in `_DEPTHS` that holds all samples.

    Args:
      images: uint16 or float32 (H, W, 3) images of one sequence.
    """
    peak = max((float(np.nanmax(image)) for image in images), default=0.0)
    if images[0].dtype == np.uint16:
        levels: tuple[float, ...] = tuple(2.0**bits - 1 for bits in _DEPTHS)
    else:
        levels = (1.0, 255.0, 65535.0)
    return next((level for level in levels if peak <= level), max(peak, 1.0))


def to_8_bits(samples: np.ndarray, white: float) -> np.ndarray:
    """Scales samples so that `white` becomes 255.

    Args:
      samples: uint8, uint16 or float32 (H, W, 3).
      white: Result of `white_level`.

    Returns:
      uint8 (H, W, 3), rounded. uint8 samples are returned unchanged.
    """
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == np.uint16:
        return cv2.convertScaleAbs(samples, alpha=255 / white)
    scaled = np.nan_to_num(samples.astype(np.float32)) * np.float32(255 / white)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def page_count(path: str) -> int:
    """Number of pages of a TIFF file; 1 for other files and unreadable ones."""
    if not path.lower().endswith(_TIFF):
        return 1
    try:
        return max(1, cv2.imcount(path))
    except cv2.error:
        return 1


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts "frame 2" before "frame 10"."""
    parts = re.findall(r"(\d+)|(\D+)", name)
    return [(0, int(digits), "") if digits else (1, 0, text) for digits, text in parts]


def images_in(directory: str) -> list[str]:
    """Returns the paths of the images directly in a directory, in natural order."""
    names = [
        name
        for name in os.listdir(directory)
        if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
    ]
    return [os.path.join(directory, name) for name in sorted(names, key=natural)]


def images_matching(pattern: str) -> list[str]:
    """Returns the paths of the images that match a pattern, in natural order.

    Args:
      pattern: A path whose file name contains `*` for any text, or `%d` or `%04d` for
        a number.
    """
    directory, name = os.path.split(pattern)
    parts = re.split(r"(\*|%0?\d*d)", name)
    expression = "".join(
        ".*" if part == "*" else r"\d+" if part.startswith("%") else re.escape(part)
        for part in parts
    )
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return []
    images = (n for n in names if n.lower().endswith(IMAGE_SUFFIXES))
    matching = [n for n in images if re.fullmatch(expression, n)]
    return [os.path.join(directory, n) for n in sorted(matching, key=natural)]
