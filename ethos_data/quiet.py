"""Keeps start-up messages of libraries off stderr, so that users see only ours."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Discards everything that is written to stderr inside the block.

    Use it for short blocks that call a library. Messages of C++ code and of Python are
    discarded, exceptions are not.

    Example:
      with quiet_libraries():
          model = load_native_library()
    """
    try:
        sys.stderr.flush()
        original = os.dup(2)
    except (OSError, AttributeError):  # no stderr, as in a windowed program on Windows
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)


def import_tensorflow() -> None:
    """Imports TensorFlow without its start-up messages. Takes 5 s the first time.

    The environment variable TF_CPP_MIN_LOG_LEVEL does not suppress the messages that
    TensorFlow writes before it has initialised its log.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_libraries():
        import tensorflow  # noqa: F401
