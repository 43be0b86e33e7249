"""Reads and writes files on this machine and in remote stores (`s3://`, `gs://`, ...).

A file is written completely or not at all. On this machine and on HDFS it is written
under a temporary name and renamed. Object stores have no atomic rename, but a file
appears there only when its upload is complete, so it is written under its own name.

The functions accept paths from `resolve`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import posixpath
import re
import shutil
import stat
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from ethos_data.errors import EthosError
from ethos_data.storage import stores

TEMPORARY: Final = ".tmp-"
"""Part of the name of each unfinished file."""


_LOST_AND_FOUND: Final = "lost+found"
"""Directory of the system at the root of a disk. Only root may read it."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file in a directory.

    Attributes:
      path: Path relative to the directory, with forward slashes.
      size: Size in bytes.
      modified: Time of the last change, in seconds since 1970.
    """

    path: str
    size: int
    modified: float


def resolve(path: str | os.PathLike[str]) -> str:
    """Returns the path of a file or directory as the functions of this module need it.

    | argument | result |
    | --- | --- |
    | `data` | `data` |
    | `file:///tmp/my%20data` | `/tmp/my data` |
    | `s3://bucket/data/` | `s3://bucket/data` |

    Raises:
      EthosError: The scheme is unknown, or a package for it is not installed.
    """
    path = os.fspath(path)
    match = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://(.*)", path, re.DOTALL)
    if match is None:
        return path
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        host, slash, local = rest.partition("/")
        if host not in ("", "localhost") or not slash:
            raise EthosError(f"{path}: must be file:/// and an absolute path")
        return urllib.parse.unquote("/" + local)
    if not rest.strip("/"):
        raise EthosError(f"{path}: contains no name after {scheme}://")
    path = f"{scheme}://{rest}".rstrip("/")
    stores.require(path)
    return path


def local_path(path: str | os.PathLike[str]) -> str:
    """Returns the path of a file or directory on this machine.

    A URI `file:///...` is converted to a path, and `~` to the home directory.

    Raises:
      EthosError: The path is on another machine.
    """
    resolved = resolve(path)
    if not is_local(resolved):
        raise EthosError(f"{resolved}: must be a path on this machine")
    return os.path.expanduser(resolved)


def is_local(path: str) -> bool:
    """Returns whether a path is on this machine."""
    return "://" not in path


def join(directory: str, *names: str) -> str:
    """Returns the path of a file in a directory."""
    if is_local(directory):
        return os.path.join(directory, *names)
    return posixpath.join(directory, *names)


def set_options(beam_args: list[str]) -> None:
    """Sets the options of remote stores: endpoints, keys, regions.

    Args:
      beam_args: Flags of Beam, for example ["--s3_endpoint_url=http://127.0.0.1:9000"].
    """
    stores.set_options(beam_args)


def check_reachable(path: str) -> None:
    """Checks that the store of a path answers. Does nothing for local paths.

    A command calls this function before it begins slow work.

    Raises:
      EthosError: The store does not answer within a few seconds, or refuses a request.
    """
    if not is_local(path):
        stores.check_reachable(path)


def walk(directory: str, *, follow: bool = True) -> Iterator[Entry]:
    """Yields all files in a directory and its subdirectories, in any order.

    A local file that cannot be read, for example a broken link, has size 0.

    Args:
      directory: The directory to list. Nothing is yielded if it does not exist.
      follow: Whether to follow links to directories. Each directory is listed once.

    Raises:
      OSError: A directory cannot be read. The error names it.
      EthosError: An object store does not answer, or refuses the request.
    """
    if not is_local(directory):
        yield from _walk_remote(directory.rstrip("/"))
        return
    seen: set[tuple[int, int]] = set()
    for parent, directories, names in os.walk(
        directory, onerror=_raise_unreadable, followlinks=follow
    ):
        try:
            status = os.stat(parent)
        except FileNotFoundError:  # another process removed it
            directories.clear()
            continue
        identity = status.st_dev, status.st_ino
        if identity in seen:  # a link leads back to a directory of the walk
            directories.clear()
            continue
        seen.add(identity)
        for name in names:
            path = os.path.join(parent, name)
            relative = os.path.relpath(path, directory).replace(os.sep, "/")
            try:
                status = os.stat(path)
            except OSError:
                yield Entry(relative, 0, 0.0)
            else:
                yield Entry(relative, status.st_size, status.st_mtime)


def _raise_unreadable(error: OSError) -> None:
    """Raises an error of `os.walk`, which would leave out the directory otherwise."""
    name = os.path.basename(error.filename or "")
    if not isinstance(error, FileNotFoundError) and name != _LOST_AND_FOUND:
        raise error


def _walk_remote(directory: str) -> Iterator[Entry]:
    stores.check_reachable(directory)
    with stores.one_line_errors(directory):
        (listing,) = stores.file_systems().match([f"{directory}/**"])
    for file in listing.metadata_list:
        yield Entry(
            file.path[len(directory) + 1 :],
            file.size_in_bytes,
            file.last_updated_in_seconds or 0.0,
        )


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Opens a file for reading. The file is seekable and is not decompressed."""
    if is_local(path):
        # Opening a pipe would wait until another process writes to it.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError(errno.EINVAL, "not a file", path)
        with open(path, "rb") as local_file:
            yield local_file
        return
    stores.check_reachable(path)
    with stores.one_line_errors(path):
        file = stores.open_file(path, "rb")
        try:
            yield file
        finally:
            file.close()


def read_bytes(path: str) -> bytes | None:
    """Returns the content of a file, or None if it does not exist."""
    try:
        with opened(path) as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError:
        if is_local(path) or _exists(path):
            raise
        return None


def _exists(path: str) -> bool:
    with stores.one_line_errors(path):
        return stores.file_systems().exists(path)


def write(path: str, parts: Iterator[bytes]) -> None:
    """Writes a file completely or not at all."""
    if is_local(path):
        _write_local(path, parts)
        return
    stores.check_reachable(path)
    direct = path.startswith(stores.ATOMIC_UPLOAD)
    temporary = path if direct else f"{path}{TEMPORARY}{uuid.uuid4().hex[:12]}"
    with stores.one_line_errors(path):
        # After an error the file is not closed, so that an upload is not completed.
        file = stores.open_file(temporary, "wb")
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
    """Yields a temporary name for a local file or directory that will become `path`.

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
    directory, start, end = _temporary_name(path)
    temporary = os.path.join(directory, f"{start}{uuid.uuid4().hex[:12]}{end}")
    try:
        os.makedirs(directory, exist_ok=True)
        yield temporary
        if os.path.isdir(temporary) and os.path.isdir(path):
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        # The error of a failed write does not contain the name of the file.
        raise OSError(error.errno, error.strerror or str(error), path) from error
    finally:
        _remove(temporary)


def remove_leftovers(path: str, older_than: float = 0.0) -> None:
    """Removes the temporary files that killed processes left for `path`.

    Args:
      path: Final name of the files, as in `replacing`.
      older_than: Time since the last change of a file, in seconds. A file that changed
        later stays. Use 0 only while no other process can be inside `replacing(path)`.
    """
    directory, start, end = _temporary_name(path)
    latest = time.time() - older_than
    for name in os.listdir(directory):
        if not name.startswith(start) or not name.endswith(end):
            continue
        temporary = os.path.join(directory, name)
        with contextlib.suppress(OSError):  # another process removed it
            if older_than <= 0 or os.lstat(temporary).st_mtime <= latest:
                _remove(temporary)


def _temporary_name(path: str) -> tuple[str, str, str]:
    """Returns the directory, the start and the end of the temporary names of `path`."""
    directory, name = os.path.split(os.path.abspath(path))
    stem, suffix = os.path.splitext(name)
    return directory, f"{stem}{TEMPORARY}", suffix


def _remove(path: str) -> None:
    """Removes a local file or directory that may not exist."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)


def rename(source: str, target: str) -> None:
    """Renames a file. An existing target is replaced."""
    if is_local(source):
        os.replace(source, target)
        return
    with stores.one_line_errors(target):
        file_systems = stores.file_systems()
        if file_systems.exists(target):
            file_systems.delete([target])
        file_systems.rename([source], [target])


def delete(path: str) -> None:
    """Deletes a file."""
    if is_local(path):
        os.unlink(path)
        return
    with stores.one_line_errors(path):
        stores.file_systems().delete([path])


def make_directory(path: str) -> None:
    """Creates a directory and its parents, if the store has directories."""
    if is_local(path):
        os.makedirs(path, exist_ok=True)
    elif not path.startswith(stores.ATOMIC_UPLOAD):
        stores.check_reachable(path)
        with contextlib.suppress(OSError):  # it exists
            stores.file_systems().mkdirs(path)


def write_texts(
    directory: str | os.PathLike[str], contents: Mapping[str, str]
) -> list[str]:
    """Writes text files in UTF-8, each completely or not at all.

    Args:
      directory: Directory on this machine or in an object store. It is created if it
        does not exist.
      contents: Texts by the name of the file.

    Returns:
      Paths of the files.
    """
    paths = []
    for name, text in contents.items():
        path = join(resolve(directory), name)
        write(path, iter([text.encode()]))
        paths.append(path)
    return paths
