"""Writes HEIC images, which no installed library writes: boxes by ISO/IEC 23008-12."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

import av
import numpy as np

from tests.ethos_model.footage import clips


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def full_box(kind: bytes, version: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *parts)


def encode(pixels: np.ndarray) -> tuple[bytes, bytes]:
    """The decoder configuration and the data of an image in HEVC."""
    file: Any = io.BytesIO()
    clips.write(
        file,
        [pixels],
        codec="libx265",
        muxer="mp4",
        options={"x265-params": "log-level=none:qp=4:bframes=0", "preset": "ultrafast"},
    )
    file.seek(0)
    with av.open(file) as container:
        stream = container.streams.video[0]
        packet = next(iter(container.demux(stream)))
        return bytes(stream.codec_context.extradata or b""), bytes(packet)


def write(
    path: str,
    tiles: Sequence[np.ndarray],
    *,
    columns: int,
    size: tuple[int, int],
    rotation: int = 0,
    mirror: int | None = None,
) -> str:
    """Writes an image of one or several tiles.

    Args:
      path: File to write.
      tiles: uint8 (h, w, 3) RGB, row by row.
      columns: Number of tiles in a row.
      size: Width and height of the image, in pixels.
      rotation: Number of counterclockwise quarter turns for the display.
      mirror: 0 or 1 for a reflection, see ISO/IEC 23008-12, section 6.5.12.
    """
    encoded = [encode(tile) for tile in tiles]
    height, width = tiles[0].shape[:2]
    count = len(tiles)
    grid = count + 1
    items = [(number + 1, b"hvc1") for number in range(count)]
    if count > 1:
        items.append((grid, b"grid"))
    main = items[-1][0]
    properties = [
        box(b"hvcC", encoded[0][0]),
        full_box(b"ispe", 0, struct.pack(">II", width, height)),
        full_box(b"ispe", 0, struct.pack(">II", *size)),
        box(b"irot", bytes([rotation])),
    ]
    transforms = [4]
    if mirror is not None:
        properties.append(box(b"imir", bytes([mirror])))
        transforms.append(5)
    associations = b""
    for number, kind in items:
        indices = [1, 2] if kind == b"hvc1" else [3]
        if number == main:
            indices += transforms
        associations += struct.pack(">HB", number, len(indices))
        associations += bytes(0x80 | index for index in indices)
    layout = struct.pack(
        ">BBBBHH", 0, 0, count // columns - 1, columns - 1, size[0], size[1]
    )
    ftyp = box(b"ftyp", b"heic", bytes(4), b"mif1heic")

    def meta(start: int) -> bytes:
        locations = []
        for number, (_, data) in enumerate(encoded):
            locations.append(
                struct.pack(">HHHHII", number + 1, 0, 0, 1, start, len(data))
            )
            start += len(data)
        if count > 1:
            locations.append(struct.pack(">HHHHII", grid, 1, 0, 1, 0, len(layout)))
        entries = [
            full_box(b"infe", 2, struct.pack(">HH", number, 0), kind, b"\0")
            for number, kind in items
        ]
        parts = [
            full_box(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, struct.pack(">H", main)),
            full_box(b"iloc", 1, b"\x44\0", _count(locations), *locations),
            full_box(b"iinf", 0, _count(entries), *entries),
            box(
                b"iprp",
                box(b"ipco", *properties),
                full_box(b"ipma", 0, struct.pack(">I", len(items)), associations),
            ),
        ]
        if count > 1:
            numbers = [struct.pack(">H", number + 1) for number in range(count)]
            head = struct.pack(">HH", grid, count)
            parts.append(full_box(b"iref", 0, box(b"dimg", head, *numbers)))
            parts.append(box(b"idat", layout))
        return full_box(b"meta", 0, *parts)

    start = len(ftyp) + len(meta(0)) + 8
    with open(path, "wb") as file:
        file.write(ftyp + meta(start) + box(b"mdat", *(data for _, data in encoded)))
    return path


def _count(items: Sequence[bytes]) -> bytes:
    return struct.pack(">H", len(items))
