"""Keeps TensorFlow's greetings off stderr, where one line of ours belongs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silences what C++ writes to stderr inside of the block; exceptions pass.

    TF_CPP_MIN_LOG_LEVEL does not reach the lines that are written before TensorFlow has
    set up its log ("All log messages before absl::InitializeLog() ..."). What Python
    writes is silenced as well, so keep the block short.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
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
