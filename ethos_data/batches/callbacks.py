"""Python that TensorFlow's threads call, none of it under way when Python ends.

A thread that comes back for Python's lock while the interpreter shuts down never gets
it, and an iterator that is deleted waits for its threads: one in six programs that
ended with a live iterator hung.
"""

from __future__ import annotations

import atexit
import functools
import threading
import time
from collections.abc import Callable
from typing import Any, Final

_QUIET: Final = 0.1
"""Seconds without a call after which buffers must be full."""

_PATIENCE: Final = 10.0
"""Seconds that the end of the program waits for this at most."""

_changed = threading.Condition()
_running = 0
_begun = 0


def awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for `tf.numpy_function`: the end of the program waits for it."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        global _running, _begun
        with _changed:
            _running += 1
            _begun += 1
            _changed.notify_all()
        try:
            return function(*args)
        finally:
            with _changed:
                _running -= 1
                _changed.notify_all()

    return call


@atexit.register
def settle() -> None:
    """Waits until nothing is called any more: nobody takes from the pipelines now."""
    began = time.monotonic()
    with _changed:
        begun = -1 if _begun else 0
        while begun != _begun and time.monotonic() - began < _PATIENCE:
            _changed.wait_for(lambda: not _running, _PATIENCE)
            begun = _begun
            _changed.wait(_QUIET)
