"""Arrays equal those of numpy, and errors name the kind of damage."""

import gc
import io
import struct
import sys
import time
import zipfile
import zlib
from concurrent import futures

import numpy as np
import pytest

from ethos_data.storage import npz


def saved(compressed=True, **arrays) -> io.BytesIO:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file


def archive(members: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return file


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(text: str) -> bytes:
    body = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(7 * 5 * 3 * 4, dtype=np.uint8).reshape(7, 5, 3, 4),
        np.random.default_rng(0).integers(0, 256, (331, 257, 3, 29), np.uint8),
        np.asfortranarray(np.random.default_rng(1).normal(size=(68, 3, 6))),
        np.arange(24, dtype=">f4").reshape(2, 3, 4),
        np.arange(6, dtype=np.uint8).reshape(1, 6),
        np.arange(6, dtype=np.uint8).reshape(6, 1),
        np.zeros((4, 0, 2)),
    ],
    ids=["small", "large", "fortran", "big-endian", "row", "column", "empty"],
)
def test_reads_the_arrays_that_numpy_wrote(array, compressed):
    file = npz.Npz(saved(compressed, other=np.ones(3), array=array))
    assert file.header("array").shape == array.shape
    np.testing.assert_array_equal(file.read("array"), array)
    first = np.moveaxis(array, -1, 0)
    read = file.read_time_first("array")
    np.testing.assert_array_equal(read, first)
    assert read.flags.c_contiguous
    assert read.dtype.isnative
    chosen = np.arange(0, len(first), 3)
    np.testing.assert_array_equal(file.read_time_first("array", chosen), first[chosen])


def test_reads_the_same_arrays_without_isal(monkeypatch):
    array = np.random.default_rng(0).integers(0, 9, (99, 70, 3, 8), np.uint8)
    file = npz.Npz(saved(array=array))
    monkeypatch.setattr(npz, "zlib", zlib)
    np.testing.assert_array_equal(
        file.read_time_first("array"), np.moveaxis(array, -1, 0)
    )


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize("chunk", [1, 64, 5000])
def test_the_size_of_the_pieces_does_not_change_the_array(monkeypatch, piece, chunk):
    # Small pieces make the decompressor keep bytes for the next call.
    array = np.repeat(np.random.default_rng(0).integers(0, 9, 700), 30)
    array = array.astype(np.uint8).reshape(70, 50, 3, 2)
    monkeypatch.setattr(npz, "_PIECE_BYTES", piece)
    monkeypatch.setattr(npz, "_COMPRESSED_BYTES", chunk)
    read = npz.Npz(saved(array=array)).read_time_first("array")
    np.testing.assert_array_equal(read, np.moveaxis(array, -1, 0))


def test_the_fingerprint_depends_on_the_content():
    first, same = saved(a=np.arange(9)), saved(a=np.arange(9))
    other = saved(a=np.arange(9) * 2)
    assert npz.Npz(first).fingerprint == npz.Npz(same).fingerprint
    assert npz.Npz(first).fingerprint != npz.Npz(other).fingerprint


HUGE = npy_header(
    "{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 1000, 1000), }"
)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"b.npy": b""}, "has no a"),
        ({"a.npy": b""}, "ends early"),
        ({"a.npy": b"some other bytes"}, "is not an npy array"),
        ({"a.npy": npy(np.arange(9))[:-1]}, "ends early"),
        ({"a.npy": npy(np.arange(9)) + b"x"}, "more bytes than its header says"),
        ({"a.npy": HUGE + bytes(1000)}, "claims 100,000,000,000 bytes"),
        ({"a.npy": b"\x93NUMPY\x03\x00" + bytes(99)}, "npy version"),
        ({"a.npy": b"\x93NUMPY\x02\x00" + b"\xff" * 99}, "header of 4,294,967,295"),
        ({"a.npy": npy_header("{'descr': '|u1', 'shape': (9,)}")}, "damaged header"),
        ({"a.npy": npy_header("[" * 117)}, "damaged header"),
        (
            {
                "a.npy": npy_header(
                    "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }"
                )
            },
            "negative size",
        ),
    ],
)
def test_names_the_damage_of_an_array(members, reason):
    with pytest.raises(npz.NpzError, match=reason):
        npz.Npz(archive(members)).read("a")


def test_does_not_unpickle_object_arrays():
    class FailsWhenUnpickled:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    file = npz.Npz(saved(a=np.array([FailsWhenUnpickled()], dtype=object)))
    with pytest.raises(npz.NpzError, match="object array"):
        file.read("a")


def test_rejects_a_header_that_claims_more_than_the_compressed_bytes_can_contain():
    # 2 GB are below the limit, but cannot result from a hundred compressed bytes.
    header = HUGE.replace(b"100000, 1000", b"  2000, 1000")
    with pytest.raises(npz.NpzError, match="cannot result from"):
        npz.Npz(archive({"a.npy": header})).header("a")


def test_rejects_other_compression_methods_and_encryption():
    with pytest.raises(npz.NpzError, match="compression method 12"):
        npz.Npz(archive({"a.npy": npy(np.ones(3))}, zipfile.ZIP_BZIP2)).read("a")
    raw = bytearray(archive({"a.npy": npy(np.ones(3))}).getvalue())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(npz.NpzError, match="encrypted"):
        npz.Npz(io.BytesIO(raw)).read("a")


def test_a_flipped_byte_raises_an_error_or_changes_nothing():
    array = np.random.default_rng(0).integers(0, 4, (40, 50), np.uint8)
    intact = saved(a=array).getvalue()
    start, end = 30 + len("a.npy"), intact.index(b"PK\x01\x02")
    for position in range(start, end, 17):
        broken = bytearray(intact)
        broken[position] ^= 0x55
        try:
            read = npz.Npz(io.BytesIO(broken)).read("a")
        except npz.NpzError:
            continue
        # Some bytes, for example padding, do not influence the array.
        np.testing.assert_array_equal(read, array)


def test_rejects_a_truncated_file():
    intact = saved(a=np.arange(500)).getvalue()
    for length in range(0, len(intact), 7):
        with pytest.raises(npz.NpzError):
            npz.Npz(io.BytesIO(intact[:length])).read("a")


def test_many_threads_can_read_headers_at_the_same_time():
    # Without a lock, some of them fail on CPython 3.11.
    content = saved(x=np.zeros((68, 3, 4), np.float32)).getvalue()

    def shape(_):
        return npz.Npz(io.BytesIO(content)).header("x").shape

    def switch_threads(*_):
        time.sleep(0)

    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    gc.callbacks.append(switch_threads)
    sys.setswitchinterval(1e-6)
    gc.set_threshold(20)
    try:
        with futures.ThreadPoolExecutor(8) as pool:
            assert set(pool.map(shape, range(4000))) == {(68, 3, 4)}
    finally:
        gc.callbacks.remove(switch_threads)
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
