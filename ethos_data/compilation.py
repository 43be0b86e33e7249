"""The decorator of every function that numba compiles.

`numba.njit(cache=True)` raises at import when neither the package's directory nor the
home directory is writable, as in many containers. `compiled` then stores the machine
code below the system's temporary directory, or compiles anew in every process.

numba belongs to the extra `[train]`. Only modules that contain compiled functions may
import this module.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numba


def compiled(
    function: Callable[..., Any] | None = None,
    *,
    fastmath: bool = False,
    inline: str = "never",
) -> Any:
    """Compiles a function with numba at its first call.

    The compiled function releases Python's global lock. Later processes read its
    machine code from the first writable place of this list: the directory in
    `NUMBA_CACHE_DIR`, `__pycache__` beside the source file, the user's cache directory,
    a private directory below the system's temporary directory.

    Example:
      @compiled(fastmath=True)
      def dot(a, b):
          total = 0.0
          for k in range(len(a)):
              total += a[k] * b[k]
          return total

    Args:
      function: The function to compile. It is None when the decorator has arguments.
      fastmath: Whether the compiler may reorder floating-point operations.
      inline: "always" copies the function into its compiled callers; "never" does not.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        details: dict[str, Any] = {
            "nogil": True,
            "fastmath": fastmath,
            "inline": inline,
        }
        # numba raises RuntimeError when it finds no writable cache.
        with contextlib.suppress(RuntimeError):
            return numba.njit(cache=True, **details)(function)
        with (
            contextlib.suppress(RuntimeError, OSError),
            _cache_in(_private_directory()),
        ):
            return numba.njit(cache=True, **details)(function)
        return numba.njit(**details)(function)

    return decorate if function is None else decorate(function)


@contextlib.contextmanager
def _cache_in(directory: str) -> Iterator[None]:
    """Sets numba's cache directory for the functions that are decorated meanwhile."""
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = directory
    try:
        yield
    finally:
        config.CACHE_DIR = before


def _private_directory() -> str:
    """Creates a cache directory that no other user can write to, and returns its path.

    The machine code in it is executed. The temporary directory is shared by all users,
    so a directory that another user created under this name is refused.

    Raises:
      OSError: The directory cannot be created, or another user could write to it.
    """
    user = os.getuid() if hasattr(os, "getuid") else None
    path = os.path.join(tempfile.gettempdir(), f"ethos-numba-{user or 0}")
    os.makedirs(path, mode=0o700, exist_ok=True)
    status = os.lstat(path)
    # Windows has no user numbers, and its temporary directory belongs to one user.
    if user is not None and (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != user
        or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise PermissionError(f"{path}: not a private directory of this user")
    return path
