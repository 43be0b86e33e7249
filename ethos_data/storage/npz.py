"""Reads arrays from npz files of unknown origin, fast and with little memory.

`numpy.load` decompresses with zlib and returns an array whose last axis is time in this
order, so that reading a frame touches the whole video. Here an array is decompressed in
pieces with ISA-L, which takes two thirds of zlib's time, and each piece is transposed
to time first while it is in the processor's cache. There is never a second copy of the
array in memory.

The size in the header of an array is checked against the number of compressed bytes
before memory is allocated, so a forged header cannot request 100 GB.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import struct
import threading
import zipfile
from typing import Any, BinaryIO, Final

import cv2
import numpy as np

from ethos_data.errors import reason_of

zlib: Any
try:
    from isal import isal_zlib as zlib
except ImportError:  # zlib has the same interface and is slower
    import zlib

MAX_BYTES: Final = 4 << 30
"""Largest size of an array, in bytes. The largest video of YouTube Faces has 109 MB."""

_MAX_INFLATION: Final = 1032
"""Largest possible ratio of decompressed to compressed size in the deflate format
(zlib's technical notes, "Maximum Compression Factor")."""

_PIECE_BYTES: Final = 128 << 10
_COMPRESSED_BYTES: Final = 128 << 10
"""Sizes of the pieces. Both fit into the level 2 cache of a core."""

_LOCAL_HEADER: Final = struct.Struct("<26xHH")
_MAX_HEADER_BYTES: Final = 64 << 10

# numpy parses a header with `ast`. Two threads that do this at the same time can fail
# with "AST constructor recursion depth mismatch" (CPython 3.11, if the garbage
# collector switches threads), and a valid file would be reported as damaged.
_PARSING: Final = threading.Lock()


class NpzError(ValueError):
    """An npz file or an array in it cannot be read. The text is the reason."""


@dataclasses.dataclass(frozen=True)
class Header:
    """Header of an array in npy format.

    Attributes:
      shape: Shape of the array.
      dtype: Type of the array; never object.
      fortran_order: Whether the first axis varies fastest in the file.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class Npz:
    """The arrays of an open npz file.

    Example:
      with open("Jane_Doe_3.npz", "rb") as file:
          landmarks = Npz(file).read_time_first("landmarks3D")  # (T, 68, 3)

    Args:
      file: A readable and seekable file. The caller closes it.

    Raises:
      NpzError: The file is not a zip archive, or its list of contents is damaged.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        try:
            self._zip = zipfile.ZipFile(file)
            members = self._zip.infolist()
        except OSError:
            raise
        except Exception as error:  # zipfile raises many types for damaged archives
            raise NpzError(f"is not a readable zip archive ({error})") from error
        self._members = {m.filename.removesuffix(".npy"): m for m in members}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """Sorted names of the arrays."""
        return sorted(self._members)

    @property
    def fingerprint(self) -> str:
        """Hash of the content of the file, as 32 hexadecimal digits.

        It is computed from the size and the CRC-32 of each array. The archive contains
        these values, and reading an array verifies them.
        """
        content = sorted((n, m.file_size, m.CRC) for n, m in self._members.items())
        return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()

    def header(self, name: str) -> Header:
        """Reads shape and type of an array.

        Raises:
          NpzError: The array is missing, damaged, pickled or too large.
        """
        return self._open(name)[1]

    def read(self, name: str) -> np.ndarray:
        """Reads an array, C-contiguous and in native byte order.

        Raises:
          NpzError: The array is missing, damaged, pickled or too large.
        """
        stream, header = self._open(name)
        array = np.empty(math.prod(header.shape), header.dtype)
        stream.fill(array)
        stream.finish()
        array = array.reshape(header.shape, order="F" if header.fortran_order else "C")
        return np.ascontiguousarray(array, header.dtype.newbyteorder("="))

    def read_time_first(self, name: str, times: np.ndarray | None = None) -> np.ndarray:
        """Reads an array and moves its last axis, which is time, to the front.

        Args:
          name: Name of an array (..., T).
          times: int (N,), indices along the last axis to keep; None keeps all.

        Returns:
          (N, ...), C-contiguous and in native byte order.

        Raises:
          NpzError: The array is missing, damaged, pickled or too large.
        """
        stream, header = self._open(name)
        if header.fortran_order or header.nbytes == 0:
            array = np.moveaxis(self.read(name), -1, 0)
            return np.ascontiguousarray(array if times is None else array[times])
        *space, total = header.shape
        positions = math.prod(space)
        if times is not None and np.array_equal(times, np.arange(total)):
            times = None
        frames = total if times is None else len(times)
        result = np.empty((frames, positions), header.dtype)
        rows = max(1, _PIECE_BYTES // (total * header.dtype.itemsize))
        block = np.empty((min(rows, positions), total), header.dtype)
        for start in range(0, positions, rows):
            part = block[: min(rows, positions - start)]
            stream.fill(part)
            selected = part if times is None else part[:, times]
            _transpose(selected, result[:, start : start + len(part)])
        stream.finish()
        result = result.astype(header.dtype.newbyteorder("="), copy=False)
        return result.reshape(frames, *space)

    def _open(self, name: str) -> tuple[_Member, Header]:
        if name not in self._members:
            raise NpzError(f"has no {name}")
        member = _Member(name, self._file, self._members[name])
        header = _read_header(name, member)
        # Before memory of this size is allocated.
        if header.nbytes > MAX_BYTES:
            raise NpzError(
                f"{name} claims {header.nbytes:,} bytes, more than {MAX_BYTES:,}"
            )
        if header.nbytes > member.compressed_bytes * _MAX_INFLATION:
            raise NpzError(
                f"{name} claims {header.nbytes:,} bytes, which cannot result from "
                f"{member.compressed_bytes:,} compressed bytes"
            )
        return member, header


def _transpose(block: np.ndarray, result: np.ndarray) -> None:
    """Writes the transpose of `block` (N, T) to `result` (T, N).

    OpenCV moves tiles of the matrix and is 4 times faster than numpy.
    """
    if block.dtype == np.uint8 and min(block.shape) > 1:
        cv2.transpose(block, dst=result)
    else:
        result[:] = block.T


def _read_header(name: str, member: _Member) -> Header:
    prefix = member.take(8)
    if prefix[:6] != b"\x93NUMPY":
        raise NpzError(f"{name} is not an npy array")
    version = (prefix[6], prefix[7])
    if version not in ((1, 0), (2, 0)):
        raise NpzError(f"{name} has npy version {version}")
    width = 2 if version == (1, 0) else 4
    length = member.take(width)
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER_BYTES:
        raise NpzError(f"{name} has a header of {size:,} bytes")
    text = io.BytesIO(length + member.take(size))
    reader = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    try:
        with _PARSING:
            shape, fortran_order, dtype = reader(text)
    except Exception as error:  # numpy raises many types for damaged headers
        reason = reason_of(error)[:80]
        raise NpzError(f"{name} has a damaged header ({reason})") from error
    if dtype.hasobject:
        raise NpzError(f"{name} is an object array; pickled objects are not read")
    if any(n < 0 for n in shape):
        raise NpzError(f"{name} has a negative size: {shape}")
    return Header(shape, dtype, fortran_order)


class _Member:
    """Stream of the decompressed bytes of one member of a zip archive."""

    def __init__(self, name: str, file: BinaryIO, info: zipfile.ZipInfo):
        if info.flag_bits & 1:
            raise NpzError(f"{name} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NpzError(f"{name} has compression method {info.compress_type}")
        self._name, self._file, self._expected_crc = name, file, info.CRC
        self.compressed_bytes = info.compress_size
        self._left = info.compress_size
        self._inflater: Any = None
        if info.compress_type == zipfile.ZIP_DEFLATED:
            self._inflater = zlib.decompressobj(-15)
        self._waiting = b""  # read from the file, not yet decompressed
        self._crc = 0
        try:
            file.seek(info.header_offset)
            local = file.read(_LOCAL_HEADER.size)
            extra = sum(_LOCAL_HEADER.unpack(local))
        except (struct.error, ValueError) as error:
            raise NpzError(f"{name} is outside the file") from error
        self._position = info.header_offset + _LOCAL_HEADER.size + extra

    def take(self, size: int) -> bytes:
        """Returns the next `size` bytes."""
        array = np.empty(size, np.uint8)
        self.fill(array)
        return array.tobytes()

    def fill(self, array: np.ndarray) -> None:
        """Fills a contiguous array with the next bytes."""
        view = array.reshape(-1).view(np.uint8).data
        done = 0
        while done < len(view):
            piece = self._next(len(view) - done)
            if not piece:
                raise NpzError(f"{self._name} ends early")
            view[done : done + len(piece)] = piece
            done += len(piece)

    def finish(self) -> None:
        """Checks that no bytes are left and that the checksum is correct."""
        if self._next(1):
            raise NpzError(f"{self._name} contains more bytes than its header says")
        if self._crc != self._expected_crc:
            raise NpzError(f"{self._name} is damaged: its checksum is wrong")

    def _next(self, limit: int) -> bytes:
        """Returns 1 to `limit` bytes, or none at the end of the member."""
        while True:
            if not self._waiting and self._left:
                self._file.seek(self._position)
                self._waiting = self._file.read(min(self._left, _COMPRESSED_BYTES))
                self._position += len(self._waiting)
                self._left -= len(self._waiting)
                if not self._waiting:
                    raise NpzError(f"{self._name} ends early: the file is truncated")
            if self._inflater is None:
                piece, self._waiting = self._waiting[:limit], self._waiting[limit:]
            else:
                piece = self._inflate(limit)
            if piece:
                self._crc = zlib.crc32(piece, self._crc)
                return piece
            if not self._waiting and not self._left:
                return b""

    def _inflate(self, limit: int) -> bytes:
        if self._inflater.eof:
            self._waiting, self._left = b"", 0
            return b""
        try:
            piece = self._inflater.decompress(self._waiting, limit)
        except zlib.error as error:
            raise NpzError(f"{self._name} is damaged: {error}") from error
        self._waiting = self._inflater.unconsumed_tail
        return piece
