"""Depth maps as 16-bit levels and PNG files, for records and for the viewer's export.

Level 0 means that the depth is unknown. Level v >= 1 means the depth

    low + (v - 1) / 65534 * (high - low)

where `low` and `high` are the depths of the levels 1 and 65535.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import cv2
import numpy as np

from ethos_data.storage import npz

STEPS: Final = 65534
"""Number of steps between the levels 1 and 65535."""

_UP_FILTER: Final = 2
"""PNG filter type "Up": each byte is stored as its difference to the byte above
(PNG specification, section 9.2)."""


def encode(depth: np.ndarray, low: float, high: float) -> np.ndarray:
    """Converts depth to levels.

    Args:
      depth: float (...), NaN or infinite where the depth is unknown. Depth outside
        [low, high] is clipped.
      low: Depth of level 1.
      high: Depth of level 65535, greater than `low`.

    Returns:
      uint16 of the same shape.
    """
    steps = np.asarray(depth, np.float32) - np.float32(low)
    steps *= np.float32(STEPS / (high - low))
    known = np.isfinite(steps)
    # fmax and fmin replace NaN by the limit. Together with the operations in place they
    # take half the time of `clip` and `where`.
    np.fmin(np.fmax(steps, 0, out=steps), STEPS, out=steps)
    levels = np.rint(steps, out=steps).astype(np.uint16)
    levels += 1
    levels *= known
    return levels


def decode(levels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Converts levels to depth.

    Args:
      levels: uint16 (...).
      low: Depth of level 1.
      high: Depth of level 65535.

    Returns:
      float32 of the same shape, NaN where the depth is unknown.
    """
    depth = low + (levels.astype(np.float32) - 1) * np.float32((high - low) / STEPS)
    return np.where(levels == 0, np.float32(np.nan), depth)


def to_png(levels: np.ndarray) -> bytes:
    """Encodes levels, uint16 (H, W), as a 16-bit grey PNG.

    OpenCV's encoder takes four times as long and its files are not smaller.

    The differences of neighbouring rows are almost always 0 in the high byte, and 0
    outside the face, so run-length coding is sufficient. ISA-L is not used here,
    although it is faster: it once produced different bytes for the same pixels, and
    the bytes of a shard must be reproducible.
    """
    height, width = levels.shape
    rows = np.zeros((height, 1 + 2 * width), np.uint8)
    rows[:, 0] = _UP_FILTER
    pixels = levels.astype(">u2").view(np.uint8)
    rows[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=rows[1:, 1:])
    deflate = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    data = deflate.compress(rows.data) + deflate.flush()
    return _png_start(height, width) + _chunk(b"IDAT", data) + _PNG_END


def from_png(png: bytes, size: int) -> np.ndarray:
    """Decodes a PNG of any encoder to levels, uint16 (size, size).

    Raises:
      ValueError: `png` cannot be decoded or has another size.
    """
    levels = _from_our_png(png, size)
    if levels is None and png:  # OpenCV does not accept an empty buffer
        levels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.shape != (size, size):
        raise ValueError(f"the depth is not a PNG of {size} x {size} pixels")
    return levels


def _from_our_png(png: bytes, size: int) -> np.ndarray | None:
    """Decodes a file of `to_png`, twice as fast as OpenCV. Returns None for others."""
    start = _png_start(size, size)
    if not (png.startswith(start) and png.endswith(_PNG_END)):
        return None
    # The chunk is 4 bytes length, 4 bytes type, the data, and 4 bytes checksum.
    data = png[len(start) + 8 : -len(_PNG_END) - 4]
    try:
        data = npz.zlib.decompress(data)
        rows = np.frombuffer(data, np.uint8).reshape(size, 1 + 2 * size)
    except (ValueError, npz.zlib.error):
        return None
    if (rows[:, 0] != _UP_FILTER).any():
        return None
    pixels = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    return pixels.view(">u2").astype(np.uint16)


def _png_start(height: int, width: int) -> bytes:
    # 16 bits, grey, and the only defined compression, filter and interlace methods.
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


_PNG_END: Final = _chunk(b"IEND", b"")
