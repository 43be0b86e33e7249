"""HEIC images whose pixels are divided into tiles, as phones store them.

FFmpeg decodes each tile as a video stream of its own. How the tiles form the image is
stated in the boxes of the file (ISO/IEC 23008-12, section 6.6.2.3), which are read
here.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator

import av
import cv2
import numpy as np

from ethos_model.footage.sources.pixels import PixelConverter

_MAX_PIXELS = 1 << 28
"""Largest image that is put together, in pixels."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """An image that consists of tiles of equal size.

    Attributes:
      rows: Number of rows of tiles.
      columns: Number of columns of tiles.
      size: Width and height of the image, in pixels. The tiles may reach beyond it.
      tiles: Numbers of the items with the tiles, row by row.
      transforms: Rotations ("irot") and reflections ("imir") with their value, in the
        order in which they are applied.
    """

    rows: int
    columns: int
    size: tuple[int, int]
    tiles: tuple[int, ...]
    transforms: tuple[tuple[bytes, int], ...]


def read_grid(path: str) -> Grid | None:
    """Reads the layout of the main image; None if it is not divided into tiles.

    Raises:
      ValueError, IndexError, struct.error: The file is damaged.
    """
    with open(path, "rb") as file:
        data = file.read()
    meta = next((body for kind, body in _boxes(data) if kind == b"meta"), None)
    if meta is None:
        return None
    boxes = dict(_boxes(meta[4:]))
    primary = int.from_bytes(boxes[b"pitm"][4:], "big")
    if _item_types(boxes[b"iinf"]).get(primary) != b"grid":
        return None
    layout = _item_data(data, boxes, primary)
    rows, columns = layout[2] + 1, layout[3] + 1
    code = ">II" if layout[1] & 1 else ">HH"
    size = struct.unpack(code, layout[4 : 4 + struct.calcsize(code)])
    tiles = _references(boxes[b"iref"], primary)
    if len(tiles) != rows * columns:
        raise ValueError("the number of tiles does not fit the grid")
    return Grid(rows, columns, size, tiles, _transforms(boxes[b"iprp"], primary))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and the content of each box (ISO/IEC 14496-12, section 4.2)."""
    start = 0
    while start + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", data[start + 8 : start + 16])
            head = 16
        elif size == 0:
            size = len(data) - start
        if size < head:
            raise ValueError("a box is smaller than its head")
        yield kind, data[start + head : start + size]
        start += size


def _item_types(iinf: bytes) -> dict[int, bytes]:
    """The type of each item, from the item information box."""
    types = {}
    for kind, body in _boxes(iinf[6 if iinf[0] == 0 else 8 :]):
        if kind == b"infe" and body[0] == 2:
            number, _, item_type = struct.unpack(">HH4s", body[4:12])
            types[number] = item_type
        elif kind == b"infe" and body[0] == 3:
            number, _, item_type = struct.unpack(">IH4s", body[4:14])
            types[number] = item_type
    return types


def _references(iref: bytes, source: int) -> tuple[int, ...]:
    """The items from which an item is derived."""
    code, width = (">H", 2) if iref[0] == 0 else (">I", 4)
    for kind, body in _boxes(iref[4:]):
        if kind == b"dimg" and struct.unpack(code, body[:width])[0] == source:
            (count,) = struct.unpack(">H", body[width : width + 2])
            numbers = body[width + 2 :][: count * width]
            return struct.unpack(f">{count}{code[1]}", numbers)
    return ()


def _transforms(iprp: bytes, item: int) -> tuple[tuple[bytes, int], ...]:
    """The rotations and reflections of an item."""
    properties: list[tuple[bytes, bytes]] = []
    for kind, body in _boxes(iprp):
        if kind == b"ipco":
            properties = list(_boxes(body))
    for kind, body in _boxes(iprp):
        if kind != b"ipma":
            continue
        is_wide = body[3] & 1
        (count,) = struct.unpack(">I", body[4:8])
        place = 8
        for _ in range(count):
            width = 2 if body[0] == 0 else 4
            number = int.from_bytes(body[place : place + width], "big")
            amount = body[place + width]
            place += width + 1
            step = 2 if is_wide else 1
            entries = body[place : place + amount * step]
            place += amount * step
            if number != item:
                continue
            mask = 0x7FFF if is_wide else 0x7F
            indices = [
                int.from_bytes(entries[k : k + step], "big") & mask
                for k in range(0, len(entries), step)
            ]
            chosen = [properties[index - 1] for index in indices if index]
            return tuple(
                (name, content[0]) for name, content in chosen if name in _TRANSFORMS
            )
    return ()


_TRANSFORMS = (b"irot", b"imir")


def _item_data(data: bytes, boxes: dict[bytes, bytes], item: int) -> bytes:
    """The content of an item, from the item location box (version 0 to 2)."""
    iloc = boxes[b"iloc"]
    version = iloc[0]
    offset_size, length_size = iloc[4] >> 4, iloc[4] & 15
    base_size, index_size = iloc[5] >> 4, iloc[5] & 15 if version else 0
    number_size = 2 if version < 2 else 4
    place = 6

    def take(size: int) -> int:
        nonlocal place
        place += size
        return int.from_bytes(iloc[place - size : place], "big")

    for _ in range(take(number_size)):
        number = take(number_size)
        method = take(2) & 15 if version else 0
        take(2)  # data reference
        base = take(base_size)
        content = b""
        for _ in range(take(2)):
            take(index_size)
            start = base + take(offset_size)
            length = take(length_size)
            source = boxes[b"idat"] if method == 1 else data
            content += source[start : start + length]
        if number == item:
            return content
    raise ValueError("the grid has no content")


def read_tiles(path: str, grid: Grid) -> np.ndarray | None:
    """Decodes the tiles and puts them together.

    Returns:
      uint8 (H, W, 3) RGB, upright; None if a tile cannot be decoded.
    """
    tiles: dict[int, np.ndarray] = {}
    with av.open(path, metadata_errors="replace") as container:
        for packet in container.demux(video=tuple(range(len(container.streams.video)))):
            for frame in packet.decode():
                tiles.setdefault(packet.stream.id, PixelConverter()(frame))
    if not set(grid.tiles) <= set(tiles):
        return None
    width, height = grid.size
    side_y, side_x = tiles[grid.tiles[0]].shape[:2]
    if grid.rows * side_y * grid.columns * side_x > _MAX_PIXELS:
        return None
    image = np.zeros((grid.rows * side_y, grid.columns * side_x, 3), np.uint8)
    for place, number in enumerate(grid.tiles):
        row, column = divmod(place, grid.columns)
        top, left = row * side_y, column * side_x
        tile = tiles[number][:side_y, :side_x]
        image[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    image = image[:height, :width]
    for kind, value in grid.transforms:
        if kind == b"irot":  # counterclockwise, in steps of 90 degrees
            image = np.rot90(image, value & 3)
        else:  # 0 exchanges top and bottom, 1 left and right
            image = cv2.flip(np.ascontiguousarray(image), value & 1)
    return np.ascontiguousarray(image)
