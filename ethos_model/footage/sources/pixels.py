"""Converts decoded frames to 8-bit RGB images that are upright with square pixels."""

from __future__ import annotations

import contextlib
import fractions
from typing import Any, Final

import av
import cv2
import numpy as np
from av.video.reformatter import (
    ColorRange,
    Colorspace,
    Interpolation,
    VideoReformatter,
)

from ethos_model.footage.sources import tone

_ACCURATE: Final = (
    Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
)
"""Exact to one level, but ten times slower than the default for 8-bit video."""

_MATRICES: Final = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""YCbCr matrix by its number in ITU-T H.273, table 4."""

_SD_LINES: Final = 576
"""Videos with at most this many lines use BT.601 unless they state a matrix, larger
videos BT.709, as in video players."""

_LIMITED_GRAY: Final = ("h264", "hevc", "vp9", "av1", "mpeg2video", "mpeg4")
"""Codecs whose gray frames have the limited range unless they state another one."""


_EXPANDED: Final = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(
    np.uint8
)
"""Level of the full range by level of the limited range."""


class PixelConverter:
    """Converts the frames of one video stream.

    Example:
      convert = PixelConverter(stream.codec_context.name, stream.sample_aspect_ratio)
      image = convert(frame)
    """

    def __init__(
        self, codec: str = "", pixel_aspect: fractions.Fraction | None = None
    ) -> None:
        """Prepares the conversion.

        Args:
          codec: Name of the video codec in FFmpeg.
          pixel_aspect: Width of a pixel divided by its height; None for square.
        """
        self._codec = codec
        self._pixel_aspect = pixel_aspect
        self._reformatter = VideoReformatter()
        self._rotation: int | None = None  # of the display matrix
        self._matrix: np.ndarray | None = None

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Returns a frame as uint8 (H, W, 3) RGB, upright, with square pixels.

        Video with 8 bits is exact to 4 levels, with more bits to 2 levels.
        """
        # Reading the matrix creates a reference cycle that keeps the frame in memory
        # until the garbage collector runs. `rotation` does not.
        if frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._matrix = display_matrix(frame)
        return oriented(square(self._rgb(frame), self._pixel_aspect), self._matrix)

    def _rgb(self, frame: av.VideoFrame) -> np.ndarray:
        deep = max(c.bits for c in frame.format.components) > 8
        hdr = frame.color_trc in (tone.PQ, tone.HLG)
        if hdr and not frame.format.is_rgb:
            matrix = Colorspace.BT2020
        else:
            small = frame.height <= _SD_LINES
            usual = Colorspace.ITU601 if small else Colorspace.ITU709
            matrix = _MATRICES.get(frame.colorspace, usual)
        full = self._is_full_range(frame)
        converted = self._reformatter.reformat(
            frame,
            format="rgb48le" if hdr else "rgb24",
            src_colorspace=matrix,
            dst_colorspace=Colorspace.DEFAULT,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_ACCURATE if deep or hdr else Interpolation.BILINEAR,
            threads=1,
        ).to_ndarray()
        if hdr:
            return tone.to_sdr(converted, frame.color_trc)
        if frame.format.name.startswith("gray") and not full:
            return cv2.LUT(converted, _EXPANDED)  # FFmpeg takes gray for full range
        return converted

    def _is_full_range(self, frame: av.VideoFrame) -> bool:
        name = frame.format.name
        if name.startswith("yuvj"):
            return True
        if frame.color_range in (ColorRange.MPEG, ColorRange.JPEG):
            return frame.color_range == ColorRange.JPEG
        if name.startswith("gray"):
            return self._codec not in _LIMITED_GRAY
        return frame.format.is_rgb or name.startswith(("pal", "mono", "ya"))


def square(image: np.ndarray, pixel_aspect: fractions.Fraction | None) -> np.ndarray:
    """Enlarges an image so that its pixels become square.

    Args:
      image: (H, W, 3).
      pixel_aspect: Width of a pixel divided by its height. None and implausible values
        leave the image as it is.
    """
    if pixel_aspect is None or not 0.1 <= pixel_aspect <= 10 or pixel_aspect == 1:
        return image
    height, width = image.shape[:2]
    if pixel_aspect > 1:
        width = round(width * pixel_aspect)
    else:
        height = round(height / pixel_aspect)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def display_matrix(frame: av.VideoFrame) -> np.ndarray | None:
    """The 2 x 2 part of the frame's display matrix, or None if it has none.

    Returns:
      int32 (2, 2), 16.16 fixed point. It maps (x, y) of the stored image to (x, y) of
      the displayed image, up to a translation.
    """
    with contextlib.suppress(KeyError):
        item: Any = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]
        data = np.frombuffer(bytes(item), np.int32)
        return np.array([[data[0], data[3]], [data[1], data[4]]])
    return None


def oriented(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Applies the multiple of 90 degrees and the mirroring nearest to a matrix.

    Args:
      image: (H, W, 3) as stored.
      matrix: (2, 2) from (x, y) as stored to (x, y) as displayed; None for identity.
    """
    if matrix is None:
        return image
    magnitude = np.abs(matrix.astype(np.int64))
    swaps_axes = magnitude[0, 1] + magnitude[1, 0] > magnitude[0, 0] + magnitude[1, 1]
    if swaps_axes:
        image = cv2.transpose(image)
    x_sign, y_sign = (
        (matrix[0, 1], matrix[1, 0]) if swaps_axes else (matrix[0, 0], matrix[1, 1])
    )
    if x_sign < 0 and y_sign < 0:
        return cv2.flip(image, -1)
    if x_sign < 0:
        return cv2.flip(image, 1)
    if y_sign < 0:
        return cv2.flip(image, 0)
    return image
