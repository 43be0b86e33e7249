"""Local copies of data sets in remote stores.

TensorFlow cannot read `s3://` without further packages, and training reads a data set
many times. So its files are copied once to a directory on this machine (see
`storage.user_cache`), and again only when they have changed.

Keys and endpoints are read from the environment (`AWS_ACCESS_KEY_ID`,
`AWS_ENDPOINT_URL`, ..., or Google's default credentials).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO, Final

from ethos_data import records
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files, user_cache

_PIECE_BYTES: Final = 4 << 20  # 4 MiB


def local_copy(data_dir: str) -> str:
    """Returns a local directory with the data set of `data_dir`.

    Args:
      data_dir: The directory that was given to ethos-convert, or the directory of one
        version. A local directory is returned unchanged.

    Raises:
      EthosError: `data_dir` contains no complete data set, or it cannot be copied.
    """
    data_dir = files.resolve(data_dir)
    if files.is_local(data_dir):
        return data_dir
    try:
        name = hashlib.blake2b(data_dir.encode(), digest_size=8).hexdigest()
        target = os.path.join(user_cache.directory(), name)
        with open(f"{target}.lock", "wb") as lock:
            # A second process waits until the copy is complete. The system releases
            # the lock when the process ends for any reason.
            fcntl.flock(lock, fcntl.LOCK_EX)
            _copy_all(data_dir, target)
    except OSError as error:
        reason = reason_of(error)
        raise EthosError(f"{data_dir}: cannot be copied ({reason})") from error
    return target


def _copy_all(data_dir: str, target: str) -> None:
    """Makes the local directory `target` equal to the data set."""
    entries = {e.path: e for e in files.walk(data_dir) if _belongs_to_data_set(e.path)}
    # The description is copied last, because a directory that contains it counts as a
    # complete data set.
    order = sorted(entries, key=lambda path: (path.endswith("_info.json"), path))
    if not order or not order[-1].endswith("dataset_info.json"):
        raise EthosError(f"{data_dir}: contains no data set; ethos-convert writes one")
    for path in order:
        _copy(files.join(data_dir, path), entries[path], os.path.join(target, path))
    for entry in list(files.walk(target)):
        if entry.path not in entries:
            files.delete(os.path.join(target, entry.path))


def _belongs_to_data_set(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name.startswith(f"{records.NAME}-") or (
        name.endswith((".json", ".jsonl")) and "/.ethos/" not in f"/{path}"
    )


def _copy(source: str, entry: files.Entry, target: str) -> None:
    """Copies a file and its time, unless `target` has the same size and time."""
    try:
        status = os.stat(target)
        if (status.st_size, status.st_mtime) == (entry.size, entry.modified):
            return
    except FileNotFoundError:
        pass
    with files.opened(source) as file:
        files.write(target, _pieces(file))
    os.utime(target, (entry.modified, entry.modified))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece
