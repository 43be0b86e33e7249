"""A thread that is started again after a failure."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

RESTART_SECONDS: Final = 1.0
"""Minimum time between two starts of a thread. A thread that fails at once does not
occupy the processor."""

_logger = logging.getLogger(__name__)


class Worker:
    """A thread of the viewer.

    The owner calls `check` at short intervals. A thread that failed is started again,
    and the owner learns the reason.

    Example:
      worker = Worker("ethos-player", player.run)
      worker.start()
      ...
      if reason := worker.check():
          show(f"The player failed: {reason}")

    Attributes:
      restarts: Number of times that the thread was started again.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        """Prepares the thread.

        Args:
          name: Name of the thread.
          work: What the thread does until the owner ends it. It is called again after a
            failure, so all its state has to be stored outside.
        """
        self._name = name
        self._work = work
        self._thread: threading.Thread | None = None
        self._started = 0.0
        self._closed = False
        self._reason = ""
        self._reported: threading.Thread | None = None
        self.restarts = 0

    def start(self) -> None:
        """Starts the thread."""
        self._reason = ""
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    @property
    def thread(self) -> threading.Thread | None:
        """The current thread; None before `start`."""
        return self._thread

    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def check(self) -> str:
        """Starts the thread again if it failed.

        Returns:
          The reason of a failure, once for each failure; "" otherwise.
        """
        if self._thread is None or self._closed or self._thread.is_alive():
            return ""
        reason = ""
        if self._reported is not self._thread:
            self._reported = self._thread
            reason = self._reason or "it ended without an error"
        if time.monotonic() - self._started >= RESTART_SECONDS:
            self.restarts += 1
            self.start()
        return reason

    def close(self, timeout: float = 5.0) -> None:
        """Waits for the end of the thread. The owner has told it to end before.

        Args:
          timeout: Maximum time to wait, in seconds.
        """
        self._closed = True
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # SystemExit ends a thread without a message
            self._reason = describe(error)
            _logger.exception("thread %s failed", self._name)


def describe(error: BaseException) -> str:
    """The type and the first line of an error."""
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return f"{name}: {lines[0]}" if lines else name
