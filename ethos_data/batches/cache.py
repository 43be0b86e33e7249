"""Decoded examples on disk, for splits that memory does not hold: decoded once, mapped.

`tf.data`'s own file cache is read from its start to its end, and every tensor is parsed
out of a record again. Here the pixels lie in the file as they lie in memory: any
example can be sampled where it lies, and the system keeps what it has room for.
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
from ethos_data.errors import EthosError

_MAPPED: Final = {"pixels": np.uint8, "depth": np.uint16}
"""What takes the room; each has a file of its own, without a header."""

_SMALL: Final = ("sides", "landmarks", "windows", "face_size")


def kept(folder: str, parts: Iterable[Examples], expected_bytes: int) -> Examples:
    """The examples that `folder` holds, made of `parts` if it is not there yet.

    Processes that want the same folder wait for the one that makes it. A folder is
    there as a whole or not at all, whatever ends the process.

    Args:
      folder: on this machine; its name must tell what is in it.
      parts: all examples, in order.
      expected_bytes: about how much room they take.

    Raises:
      EthosError: it cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(folder) or ".", exist_ok=True)
        with open(f"{folder}.lock", "wb") as lock:
            # The system drops the lock with the process, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.isdir(folder):
                _write(folder, parts, expected_bytes)
        return _read(folder)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise EthosError(
            f"{folder}: decoded examples cannot be kept ({reason})"
        ) from error


def _write(folder: str, parts: Iterable[Examples], expected_bytes: int) -> None:
    partial = f"{folder}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    free = shutil.disk_usage(os.path.dirname(folder) or ".").free
    if free < expected_bytes:
        raise EthosError(
            f"{folder}: decoded examples take about {expected_bytes / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free"
        )
    about = f"about {expected_bytes / 1e9:.1f} GB"
    print(f"decoding all examples once into {folder}, {about}", file=sys.stderr)
    os.makedirs(partial)
    try:
        small: list[tuple[np.ndarray, ...]] = []
        with (
            open(os.path.join(partial, "pixels"), "wb") as pixels,
            open(os.path.join(partial, "depth"), "wb") as depth,
        ):
            for part in parts:
                pixels.write(part.pixels.data)
                depth.write(np.ascontiguousarray(part.depth).data)
                small.append(tuple(getattr(part, name) for name in _SMALL))
        for name, values in zip(_SMALL, zip(*small, strict=True), strict=True):
            np.save(os.path.join(partial, f"{name}.npy"), np.concatenate(values))
        os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _read(folder: str) -> Examples:
    # Private mappings: writable, so that no kernel is compiled a second time for
    # read-only arrays, and nothing that is written would reach the file.
    mapped = {
        name: np.asarray(np.memmap(os.path.join(folder, name), dtype, mode="c"))
        for name, dtype in _MAPPED.items()
    }
    small = {
        name: np.load(os.path.join(folder, f"{name}.npy"), allow_pickle=False)
        for name in _SMALL
    }
    side = records.DEPTH_SIZE
    mapped["depth"] = mapped["depth"].reshape(-1, side, side)
    return Examples(**mapped, **small)
