"""Makes paths absolute and checks them before a command starts its work."""

from __future__ import annotations

import os

from ethos_data.errors import EthosError
from ethos_data.storage import files


def absolute(path: str) -> str:
    """An absolute local path, or a path in an object store without a final slash."""
    path = files.resolve(path)
    return os.path.abspath(path) if files.is_local(path) else path


def check_directory(path: str) -> None:
    """Checks that a local directory exists. Paths in object stores are not checked.

    Raises:
      EthosError: It does not exist, or it is a file.
    """
    if not files.is_local(path) or os.path.isdir(path):
        return
    problem = "not a directory" if os.path.exists(path) else "no such directory"
    raise EthosError(f"{path}: {problem}")


def check_file(path: str) -> None:
    """Checks that a local file can be written. See `check_writable`."""
    if files.is_local(path) and os.path.isdir(path):
        raise EthosError(f"{path}: is a directory, not a file")
    check_writable(path)


def check_writable(path: str) -> None:
    """Checks that a local file or directory can be created or changed.

    Paths in object stores are not checked.

    Raises:
      EthosError: A parent is a file, or this user may not write there.
    """
    if not files.is_local(path):
        return
    existing = os.path.abspath(path)
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    if existing != os.path.abspath(path) and not os.path.isdir(existing):
        raise EthosError(f"{path}: cannot be created: {existing} is not a directory")
    if not os.access(existing, os.W_OK):
        raise EthosError(f"{path}: cannot be written: no permission for {existing}")
