"""Data sets in an object store, for readers that need files: a copy that is kept.

TensorFlow reads no `s3://` by itself, and training reads a data set many times, so its
files are fetched once, into `$ETHOS_CACHE` (by default `~/.cache/ethos`), and fetched
again only when they have changed. Keys and endpoints are those of the environment
(`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ... , Google's default credentials).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator

from ethos_data import records
from ethos_data.errors import EthosError
from ethos_data.storage import files

_PIECE_BYTES = 4 << 20


def local_copy(data_dir: str) -> str:
    """A folder of this machine with the data set of `data_dir`.

    Args:
      data_dir: as given to ethos-convert, or the version's own folder; returned as it
        is if it is on this machine.

    Raises:
      EthosError: there is no finished data set, or it cannot be fetched.
    """
    if files.is_local(data_dir):
        return data_dir
    data_dir = data_dir.rstrip("/")
    base = os.environ.get("ETHOS_CACHE") or os.path.expanduser("~/.cache/ethos")
    name = hashlib.blake2b(data_dir.encode(), digest_size=8).hexdigest()
    target = os.path.join(base, name)
    try:
        os.makedirs(base, exist_ok=True)
        with open(f"{target}.lock", "wb") as lock:
            # Who comes second waits, and finds all of it there. The system drops the
            # lock with the process, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX)
            _fetch_all(data_dir, target)
    except EthosError:
        raise
    except Exception as error:  # each store's client raises errors of its own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise EthosError(f"{data_dir}: cannot be fetched ({reason})") from error
    return target


def _fetch_all(data_dir: str, target: str) -> None:
    found = {e.path: e for e in files.walk(data_dir) if _is_wanted(e.path)}
    # Last, so that the copy is known as a data set only when all of it is there.
    order = sorted(found, key=lambda path: (path.endswith("_info.json"), path))
    if not order or not order[-1].endswith("dataset_info.json"):
        raise EthosError(f"{data_dir}: contains no data set; ethos-convert writes one")
    for path in order:
        _fetch(files.join(data_dir, path), found[path], os.path.join(target, path))
    for entry in list(files.walk(target)):
        if entry.path not in found:
            files.delete(os.path.join(target, entry.path))


def _is_wanted(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name.startswith(f"{records.NAME}-") or (
        name.endswith(".json") and "/.ethos/" not in f"/{path}"
    )


def _fetch(source: str, entry: files.Entry, target: str) -> None:
    try:
        status = os.stat(target)
        if (status.st_size, status.st_mtime) == (entry.size, entry.modified):
            return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
    with files.opened(source) as file:
        files.write(target, _pieces(file))
    os.utime(target, (entry.modified, entry.modified))


def _pieces(file) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece
