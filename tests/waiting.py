"""Waits for conditions instead of times, so that a busy machine changes no result."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LIMIT: Final = 180.0
"""Maximum time to wait, in seconds. It is reached only if the condition never becomes
true, or if the machine is very busy."""


def wait_until(
    condition: Callable[[], object],
    seconds: float = LIMIT,
    work: Callable[[], object] = lambda: None,
) -> None:
    """Waits until a condition is true. Fails after some seconds.

    Args:
      condition: Tested every few milliseconds.
      seconds: Maximum time to wait.
      work: Called before each test.
    """
    end = time.monotonic() + seconds
    while True:
        work()
        if condition():
            return
        assert time.monotonic() < end, "the condition did not become true"
        time.sleep(0.005)
