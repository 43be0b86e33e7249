"""Lets Python functions that TensorFlow calls finish before the interpreter exits.

TensorFlow's threads call Python in `tf.numpy_function`. A thread that needs the
interpreter's lock while the interpreter shuts down never receives it, and deleting an
iterator waits for its threads. Without this module, one in six programs that ended with
an open iterator did not exit.
"""

from __future__ import annotations

import atexit
import functools
import threading
import time
from collections.abc import Callable
from typing import Any, Final

_IDLE_SECONDS: Final = 0.1
"""After this time without a call, the buffers of all pipelines are full and no further
call begins."""

_MAX_WAIT_SECONDS: Final = 10.0
"""Maximum delay of the program's exit, in seconds."""

_changed = threading.Condition()
_running = 0  # calls that have begun and not ended
_begun = 0  # calls that have begun since the start of the program


def tracked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function for `tf.numpy_function`, such that the exit waits for it."""

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
def wait_until_idle() -> None:
    """Waits until no tracked function runs and none has begun for a while.

    At the exit of the program nothing reads from the pipelines any more, so they stop
    when their buffers are full.
    """
    start = time.monotonic()
    with _changed:
        seen = -1 if _begun else 0
        while seen != _begun and time.monotonic() - start < _MAX_WAIT_SECONDS:
            _changed.wait_for(lambda: not _running, _MAX_WAIT_SECONDS)
            seen = _begun
            _changed.wait(_IDLE_SECONDS)
