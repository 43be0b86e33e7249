"""The user's directory for files that can be computed or copied again.

The first of these directories that can be used:

| directory | if |
| --- | --- |
| `$ETHOS_CACHE` | it is set; no other directory is tried then |
| `$XDG_CACHE_HOME/ethos` | it is set to an absolute path and writable |
| `~/.cache/ethos` | `$XDG_CACHE_HOME` is not set, and the home directory is writable |
| `ethos-cache-UID` in the system's temporary directory | otherwise |
"""

from __future__ import annotations

import contextlib
import os
import tempfile

from ethos_data.errors import EthosError, reason_of


def directory() -> str:
    """Returns the directory. It is created if it is missing.

    Raises:
      EthosError: The directory cannot be created or belongs to another user.
    """
    chosen = os.environ.get("ETHOS_CACHE")
    if chosen:
        _create(chosen)
        return chosen
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification of XDG_CACHE_HOME says that a relative path is ignored.
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    # `expanduser` returns a relative path for a user without a home directory.
    if os.path.isabs(base):
        default = os.path.join(base, "ethos")
        with contextlib.suppress(EthosError):
            _create(default)
            if os.access(default, os.W_OK):
                return default
    # All users share the temporary directory, so the name contains the user's number.
    fallback = os.path.join(tempfile.gettempdir(), f"ethos-cache-{os.getuid()}")
    _create(fallback, 0o700)
    if os.stat(fallback).st_uid != os.getuid():
        raise EthosError(f"{fallback}: belongs to another user; set ETHOS_CACHE")
    return fallback


def _create(path: str, mode: int = 0o777) -> None:
    try:
        os.makedirs(path, mode=mode, exist_ok=True)
    except OSError as error:
        raise EthosError(f"{path}: cannot be created ({reason_of(error)})") from error
