"""Keeps TensorFlow's greetings off stderr, where lines for people belong."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silences what C++ writes to stderr inside of the block; exceptions pass.

    What Python writes is silenced as well, so keep the block short.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError):  # no stderr: a windowed program on Windows
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def import_tensorflow() -> None:
    """Imports TensorFlow without its greetings; takes some seconds the first time.

    TF_CPP_MIN_LOG_LEVEL does not reach the lines that are written before TensorFlow has
    set up its log ("All log messages before absl::InitializeLog() ...").
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_libraries():
        import tensorflow  # noqa: F401
