"""The model's process, as seen from the viewer."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from gui.viewer import session
from gui.viewer.session import Factory


class ModelProcess:
    """A process that runs `session.serve`, and the pipe to it.

    Every method that uses the pipe raises EOFError or OSError when the process has
    ended. The methods must be called from one thread.

    A thread reads the pipe. A process that stops in the middle of a message, which is
    larger than the pipe's buffer, blocks only that thread.
    """

    def __init__(self, factory: Factory) -> None:
        """Starts the process.

        Args:
          factory: Loads models, in the process.

        Raises:
          OSError: The system cannot start another process.
        """
        # "spawn": a fork of a process with a window and threads is not reliable.
        context = multiprocessing.get_context("spawn")
        self._connection: Connection
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=session.serve,
            args=(theirs, factory),
            name="ethos-model",
            daemon=True,
        )
        try:
            self._process.start()
        except OSError:
            self._connection.close()
            raise
        finally:
            theirs.close()
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=self._read, name="ethos-model-reader", daemon=True
        )
        self._reader.start()

    def _read(self) -> None:
        """Queues the messages, and the error that ends them."""
        try:
            while True:
                self._messages.put(self._connection.recv())
        except Exception as error:
            self._messages.put(error)

    def yield_to_others(self) -> None:
        """Lets other processes go first, if the system supports it."""
        if hasattr(os, "setpriority") and self._process.pid is not None:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, 10)

    def send(self, message: object) -> None:
        """Sends a message."""
        self._connection.send(message)

    def receive(self, timeout: float = 0.0) -> Any:
        """Waits for a message.

        Args:
          timeout: Maximum time to wait, in seconds.

        Returns:
          The message; None if none arrives in time.
        """
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(message, Exception):
            self._messages.put(message)  # for the next call
            raise message
        return message

    def ending(self) -> str:
        """How the process ended, for example "killed by SIGKILL"."""
        self._process.join(timeout=1)
        return exit_text(self._process.exitcode) or "unknown cause"

    def stop(self) -> None:
        """Ends the process, by force if necessary."""
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._process.join(timeout=1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(timeout=5)
        self._reader.join(timeout=5)  # the end of the process ends it
        self._connection.close()
        with contextlib.suppress(ValueError):  # it does not end even so
            self._process.close()


def exit_text(status: int | None) -> str:
    """How a process ended, for the user.

    Args:
      status: Exit status; negative for the number of a signal; None while it runs.

    Returns:
      For example "killed by SIGKILL" or "exit status 1"; "" while it runs.
    """
    if status is None:
        return ""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
