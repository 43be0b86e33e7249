"""Files wherever they lie: this machine directly, `s3://`, `gs://`, `hdfs://` by Beam.

A file that is written here is there as a whole or not at all. On this machine and on
HDFS that takes a temporary name and a rename. Object stores have no atomic rename (it
is a copy and a delete), but an upload appears only when it is finished, so there a file
is written under its own name at once.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import errno
import os
import posixpath
import shutil
import stat
import uuid
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from ethos_data.errors import EthosError

TEMPORARY: Final = ".tmp-"
"""Stands in the name of every file that is not finished."""

_ATOMIC_UPLOAD: Final = ("s3://", "gs://", "azfs://")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file that was found.

    Attributes:
      path: relative to the folder that was listed, with forward slashes.
      size: bytes.
      modified: when, seconds since 1970.
    """

    path: str
    size: int
    modified: float


def is_local(path: str) -> bool:
    return "://" not in path


def join(folder: str, *names: str) -> str:
    if is_local(folder):
        return os.path.join(folder, *names)
    return posixpath.join(folder, *names)


_s3_client: Any = None


def set_options(beam_args: list[str]) -> None:
    """Tells Beam's file systems their options: endpoints, keys, regions."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    global _s3_client
    _s3_client = None
    FileSystems.set_options(PipelineOptions(beam_args))


def _s3() -> Any:
    """Beam's S3 access with a client that is made once.

    Beam makes one for every file, which takes longer (0.2 s) than to read it. A copy
    shares the connections, and has a place in its stream of its own.
    """
    from apache_beam.io.aws import s3io
    from apache_beam.io.aws.clients.s3 import boto3_client

    global _s3_client
    if _s3_client is None:
        _s3_client = boto3_client.Client(options=_beam()._pipeline_options)
    return s3io.S3IO(client=copy.copy(_s3_client))


def _open_remote(path: str, mode: str) -> Any:
    """A remote file, uncompressed as it lies there; mode is "rb" or "wb"."""
    kind = "application/octet-stream"
    if path.startswith("s3://"):
        try:
            return _s3().open(path, mode, mime_type=kind)
        except ImportError as error:
            raise EthosError(f"{path}: needs boto3 (pip install boto3)") from error
    from apache_beam.io.filesystem import CompressionTypes

    make = _beam().open if mode == "rb" else _beam().create
    return make(path, kind, CompressionTypes.UNCOMPRESSED)


def _beam():
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    if FileSystems._pipeline_options is None:  # then S3 asks for its options in vain
        FileSystems.set_options(PipelineOptions([]))
    return FileSystems


def walk(folder: str, *, follow: bool = True) -> Iterator[Entry]:
    """All files under a folder, however deep, in no particular order.

    A local file that cannot be looked at (a broken link) has size 0.

    Args:
      folder: to list.
      follow: also what links to folders lead to, each folder once.
    """
    if not is_local(folder):
        pattern = folder.rstrip("/") + "/**"
        for found in _beam().match([pattern])[0].metadata_list:
            path = found.path[len(folder.rstrip("/")) + 1 :]
            modified = found.last_updated_in_seconds or 0.0
            yield Entry(path, found.size_in_bytes, modified)
        return
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, followlinks=follow):
        status = os.stat(parent)
        place = status.st_dev, status.st_ino
        if place in seen:  # a link led to where the walk has been
            folders.clear()
            continue
        seen.add(place)
        for name in names:
            path = os.path.join(parent, name)
            relative = os.path.relpath(path, folder).replace(os.sep, "/")
            try:
                status = os.stat(path)
            except OSError:
                yield Entry(relative, 0, 0.0)
            else:
                yield Entry(relative, status.st_size, status.st_mtime)


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A file to read, uncompressed as it lies there, seekable."""
    if is_local(path):
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            raise OSError(errno.EINVAL, "not a file", path)
        with open(path, "rb") as file:
            yield file
        return
    file = _open_remote(path, "rb")
    try:
        yield file
    finally:
        file.close()


def read_bytes(path: str) -> bytes | None:
    """The content of a file; None if there is none."""
    try:
        with opened(path) as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError:
        if is_local(path) or _beam().exists(path):
            raise
        return None


def write(path: str, parts: Iterator[bytes]) -> None:
    """Writes a file as a whole or not at all."""
    if is_local(path):
        _write_local(path, parts)
        return
    direct = path.startswith(_ATOMIC_UPLOAD)
    temporary = path if direct else f"{path}{TEMPORARY}{uuid.uuid4().hex[:12]}"
    # A stray error leaves the upload open, which is to leave no file.
    file = _open_remote(temporary, "wb")
    for part in parts:
        file.write(part)
    file.close()
    if not direct:
        rename(temporary, path)


def _write_local(path: str, parts: Iterator[bytes]) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """A temporary name for a local file or directory that is to become `path`.

    Whatever the block creates under the temporary name is renamed to `path` when the
    block ends, and removed when the block fails. A reader never sees half a file. The
    temporary name keeps the suffix of `path`.

    Example:
      with files.replacing("points.csv") as temporary:
          with open(temporary, "w") as file:
              file.write(text)

    Args:
      path: File or directory on this machine. Missing parent directories are created.
        A file is replaced. A directory is replaced only if the block created one.

    Raises:
      OSError: `path` cannot be written. The error names `path`.
    """
    folder, name = os.path.split(os.path.abspath(path))
    stem, suffix = os.path.splitext(name)
    temporary = os.path.join(
        folder, f"{stem}{TEMPORARY}{uuid.uuid4().hex[:12]}{suffix}"
    )
    try:
        os.makedirs(folder, exist_ok=True)
        yield temporary
        if os.path.isdir(temporary) and os.path.isdir(path):
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        # The error of a failed write does not say which file it was.
        raise OSError(error.errno, error.strerror or str(error), path) from error
    finally:
        _remove(temporary)


def _remove(path: str) -> None:
    """Removes a local file or directory that may not exist."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)


def rename(source: str, target: str) -> None:
    if is_local(source):
        os.replace(source, target)
    else:
        if _beam().exists(target):
            _beam().delete([target])
        _beam().rename([source], [target])


def delete(path: str) -> None:
    if is_local(path):
        os.unlink(path)
    else:
        _beam().delete([path])


def make_folder(path: str) -> None:
    """Makes a folder and its parents, where there are such things as folders."""
    if is_local(path):
        os.makedirs(path, exist_ok=True)
    elif not path.startswith(_ATOMIC_UPLOAD):
        with contextlib.suppress(OSError):  # it exists
            _beam().mkdirs(path)


def delete_folder(path: str) -> None:
    if is_local(path):
        shutil.rmtree(path)
    else:
        _beam().delete([path.rstrip("/") + "/"])
