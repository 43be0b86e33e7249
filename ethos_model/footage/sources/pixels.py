"""Converts decoded frames to 8-bit RGB images that are upright with square pixels."""

from __future__ import annotations

import contextlib
import fractions
from typing import Any, Final

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from ethos_model.footage.sources import tone

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

_WEIGHTS: Final = {
    Colorspace.ITU709: (0.2126, 0.0722),
    Colorspace.FCC: (0.30, 0.11),
    Colorspace.ITU601: (0.299, 0.114),
    Colorspace.SMPTE240M: (0.212, 0.087),
    Colorspace.BT2020: (0.2627, 0.0593),
}
"""Weights of red and blue in the luma of each matrix (ITU-T H.273, table 4)."""

_SD_LINES: Final = 576
"""Videos with at most this many lines use BT.601 unless they state a matrix, larger
videos BT.709, as in video players."""

_LIMITED_GRAY: Final = ("h264", "hevc", "vp9", "av1", "mpeg2video", "mpeg4")
"""Codecs whose gray frames have the limited range unless they state the full range."""

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

        SDR video with 8 bits is exact to 4 levels, with more bits to 1 level.
        """
        # Reading the matrix creates a reference cycle that keeps the frame in memory
        # until the garbage collector runs. `rotation` does not.
        if frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._matrix = display_matrix(frame)
        return oriented(square(self._rgb(frame), self._pixel_aspect), self._matrix)

    def _rgb(self, frame: av.VideoFrame) -> np.ndarray:
        hdr = frame.color_trc in (tone.PQ, tone.HLG)
        deep = max(c.bits for c in frame.format.components) > 8
        if hdr or (deep and not _is_gray_or_rgb(frame)):
            samples = self._16_bits(frame, Colorspace.BT2020 if hdr else None)
            if hdr:
                return tone.to_sdr(samples, frame.color_trc)
            return cv2.convertScaleAbs(samples, alpha=255 / 65535)
        full = self._is_full_range(frame)
        converted = self._reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=_matrix(frame),
            dst_colorspace=Colorspace.DEFAULT,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        ).to_ndarray()
        if frame.format.name.startswith("gray") and not full:
            return cv2.LUT(converted, _EXPANDED)  # FFmpeg assumes the full range
        return converted

    def _16_bits(
        self, frame: av.VideoFrame, matrix: Colorspace | None = None
    ) -> np.ndarray:
        """The frame as uint16 (H, W, 3) RGB, full range.

        FFmpeg's conversion of deep YCbCr to RGB has errors of up to four levels.
        Therefore, FFmpeg only enlarges the colour planes here.
        """
        if frame.format.is_rgb:
            return self._reformatter.reformat(
                frame, format="rgb48le", threads=1
            ).to_ndarray()
        samples = self._reformatter.reformat(
            frame,
            format="yuv444p16le",
            src_color_range=ColorRange.MPEG,  # equal ranges keep the levels
            dst_color_range=ColorRange.MPEG,
            threads=1,
        ).to_ndarray()
        chosen = _matrix(frame) if matrix is None else matrix
        return cv2.transform(
            samples, ycbcr_to_rgb(_WEIGHTS[chosen], self._is_full_range(frame))
        )

    def _is_full_range(self, frame: av.VideoFrame) -> bool:
        name = frame.format.name
        if name.startswith("yuvj"):
            return True
        if frame.color_range in (ColorRange.MPEG, ColorRange.JPEG):
            return frame.color_range == ColorRange.JPEG
        if name.startswith("gray"):
            return self._codec not in _LIMITED_GRAY
        return frame.format.is_rgb or name.startswith(("pal", "mono", "ya"))


def _is_gray_or_rgb(frame: av.VideoFrame) -> bool:
    return frame.format.is_rgb or len(frame.format.components) < 3


def _matrix(frame: av.VideoFrame) -> Colorspace:
    """The YCbCr matrix that the frame states, or the usual one for its size."""
    usual = Colorspace.ITU601 if frame.height <= _SD_LINES else Colorspace.ITU709
    return _MATRICES.get(frame.colorspace, usual)


def ycbcr_to_rgb(weights: tuple[float, float], full: bool) -> np.ndarray:
    """The matrix from 16-bit YCbCr to 16-bit full-range RGB.

    Args:
      weights: Weights of red and blue in luma.
      full: Whether the YCbCr samples have the full range.

    Returns:
      float64 (3, 4). The last column is added (ITU-T H.273, equations 41 to 43).
    """
    red, blue = weights
    green = 1 - red - blue
    luma, chroma = (1.0, 1.0) if full else (65535 / (219 * 256), 65535 / (224 * 256))
    r_cr, b_cb = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    matrix = np.array(
        [
            [luma, 0, r_cr],
            [luma, -b_cb * blue / green, -r_cr * red / green],
            [luma, b_cb, 0],
        ]
    )
    zero = np.array([0 if full else 16 * 256, 32768, 32768])
    return np.column_stack([matrix, -matrix @ zero])


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
