"""A command in a process of its own, and the thread that reads what it prints."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Sequence
from typing import Any, Final

from gui.viewer.worker import describe

STOP_SECONDS: Final = 5.0
"""Time that a process has to end after it was asked to, in seconds."""


class WatchedProcess:
    """Runs a command. Subclasses read its messages in `_follow`."""

    def __init__(self, name: str) -> None:
        """Prepares the thread; `start` starts it and the process.

        Args:
          name: Name of the thread.
        """
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the process."""
        self._thread.start()

    def cancel(self) -> None:
        """Asks the process to end. It removes its unfinished files."""
        self._cancelled.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def close(self) -> None:
        """Ends the process, by force if necessary, and waits for its end."""
        self.cancel()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self._process.kill()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            text = self._follow()
        except BaseException as error:
            text = self._failed(describe(error))
        finally:
            # Without this thread nothing reads the process's output.
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()
        self._finish(text)

    def _launch(
        self, command: Sequence[str], **options: Any
    ) -> subprocess.Popen[bytes]:
        """Starts a command without input, unless it was cancelled before.

        Args:
          command: The command.
          **options: Further arguments of `subprocess.Popen`.
        """
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
        if self._cancelled.is_set():
            self._process.terminate()
        return self._process

    def _follow(self) -> str:
        """Runs the process to its end. Returns the result as a sentence."""
        raise NotImplementedError

    def _failed(self, reason: str) -> str:
        """The result if `_follow` raised an error, as a sentence."""
        raise NotImplementedError

    def _finish(self, text: str) -> None:
        """Receives the result."""
        raise NotImplementedError
