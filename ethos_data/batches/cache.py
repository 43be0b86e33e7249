"""Decoded examples on disk, for splits that do not fit into memory.

A split is decoded once. Later its files are mapped into memory, so that any example can
be sampled directly and the system keeps as much in memory as there is room for.
`tf.data`'s file cache cannot do this: it reads the file from start to end and parses
each tensor again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Iterable
from typing import Final

import numpy as np

from ethos_data import records
from ethos_data.batches.examples import Examples
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files

_MAPPED: Final = {"pixels": np.uint8, "depth": np.uint16}
"""The large arrays and their types. Each has a file without a header."""

_SMALL: Final = (
    "sides",
    "landmarks",
    "windows",
    "face_size",
    "visible",
    "has_z",
)
"""The other arrays. Each has an npy file."""


def load_or_create(
    directory: str, parts: Iterable[Examples], expected_bytes: int
) -> Examples:
    """Returns the examples stored in a directory, which is created if it is missing.

    Processes that need the same directory wait for the process that creates it. The
    directory never contains a part of the examples, even if the process is killed.

    Args:
      directory: Local directory. The caller must choose a name that depends on the
        examples, because an existing directory is not compared with `parts`.
      parts: All examples, in order, at least one. Not read if the directory exists.
      expected_bytes: Approximate size of the decoded examples, in bytes.

    Raises:
      EthosError: The directory cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(directory) or ".", exist_ok=True)
        with open(f"{directory}.lock", "wb") as lock:
            # The system releases the lock when the process ends for any reason.
            fcntl.flock(lock, fcntl.LOCK_EX)
            files.remove_leftovers(directory)
            if not os.path.isdir(directory):
                _write(directory, parts, expected_bytes)
        return _read(directory)
    except OSError as error:
        raise EthosError(
            f"{directory}: decoded examples cannot be stored ({reason_of(error)})"
        ) from error


def _write(directory: str, parts: Iterable[Examples], expected_bytes: int) -> None:
    free = shutil.disk_usage(os.path.dirname(directory) or ".").free
    if free < expected_bytes:
        raise EthosError(
            f"{directory}: decoded examples need about {expected_bytes / 1e9:.1f} GB, "
            f"but only {free / 1e9:.1f} GB are free"
        )
    size = f"about {expected_bytes / 1e9:.1f} GB"
    print(f"decoding all examples once into {directory}, {size}", file=sys.stderr)
    with files.replacing(directory) as temporary:
        os.makedirs(temporary)
        small: list[tuple[np.ndarray, ...]] = []
        with (
            open(os.path.join(temporary, "pixels"), "wb") as pixels,
            open(os.path.join(temporary, "depth"), "wb") as depth,
        ):
            for part in parts:
                pixels.write(part.pixels.data)
                depth.write(np.ascontiguousarray(part.depth).data)
                small.append(tuple(getattr(part, name) for name in _SMALL))
        for name, values in zip(_SMALL, zip(*small, strict=True), strict=True):
            np.save(os.path.join(temporary, f"{name}.npy"), np.concatenate(values))


def _read(directory: str) -> Examples:
    # Mode "c" maps the files privately. The arrays are writable, because numba would
    # compile each kernel a second time for read-only arrays. Nothing that is written to
    # them reaches the file.
    mapped = {
        name: np.asarray(np.memmap(os.path.join(directory, name), dtype, mode="c"))
        for name, dtype in _MAPPED.items()
    }
    small = {
        name: np.load(os.path.join(directory, f"{name}.npy"), allow_pickle=False)
        for name in _SMALL
    }
    side = records.DEPTH_SIZE
    mapped["depth"] = mapped["depth"].reshape(-1, side, side)
    return Examples(**mapped, **small)
