"""Reads and writes the framing of TFRecord files without TensorFlow.

A frame consists of the length of the record as a little-endian uint64, the masked
CRC-32C of these eight bytes, the record, and the masked CRC-32C of the record
(tensorflow/core/lib/io/record_writer.h).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

import google_crc32c

HEADER_BYTES: Final = 12
FOOTER_BYTES: Final = 4
"""Size of the framing of a record, in bytes."""

_MASK_DELTA: Final = 0xA282EAD8  # tensorflow/core/lib/hash/crc32c.h


class TFRecordError(ValueError):
    """A shard is truncated, or a checksum is wrong."""


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def frame(record: bytes) -> bytes:
    """Returns a record with its framing, as it is stored in a shard."""
    length = struct.pack("<Q", len(record))
    return b"".join(
        (
            length,
            struct.pack("<I", _masked_crc(length)),
            record,
            struct.pack("<I", _masked_crc(record)),
        )
    )


def read(file: BinaryIO) -> Iterator[bytes]:
    """Yields the records of a shard and verifies all checksums.

    Raises:
      TFRecordError: The file ends inside a record, or a checksum is wrong.
    """
    number = 0
    while header := _read_fully(file, HEADER_BYTES):
        if len(header) < HEADER_BYTES:
            raise TFRecordError(f"ends inside the header of record {number}")
        length, crc = struct.unpack("<QI", header)
        # With a wrong length the next read could request any amount of memory.
        if crc != _masked_crc(header[:8]):
            raise TFRecordError(f"record {number}: the length's checksum is wrong")
        body = _read_fully(file, length + FOOTER_BYTES)
        if len(body) < length + FOOTER_BYTES:
            raise TFRecordError(f"ends inside record {number}")
        record = body[:length]
        if struct.unpack("<I", body[length:])[0] != _masked_crc(record):
            raise TFRecordError(f"record {number}: the checksum is wrong")
        yield record
        number += 1


def _read_fully(file: BinaryIO, size: int) -> bytes:
    """Reads `size` bytes, or less at the end. Remote files may return short reads."""
    data = file.read(size)
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data
