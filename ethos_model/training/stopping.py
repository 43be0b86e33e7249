"""Stops a run on Ctrl-C (SIGINT) and SIGTERM, in every phase.

Python runs signal handlers between two instructions of the main thread. If TensorFlow
connects, compiles or waits for another worker, the main thread may not return to Python
for a long time or at all. A second thread therefore receives each signal through a
pipe. If the main thread does not react soon, the second thread saves the run if its
state is complete, and ends the process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final, NoReturn, Protocol

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_PATIENCE_SECONDS: Final = 2.0
"""Time that the main thread has to react to a signal, unless a run sets its own."""

_UNWINDING_SECONDS: Final = 10.0
"""Time that the main thread has to end after it has reacted."""


class Terminated(KeyboardInterrupt):
    """Raised instead of KeyboardInterrupt when the signal was SIGTERM."""


class Stoppable(Protocol):
    """A run that decides itself when it can stop."""

    def patience(self) -> float:
        """Seconds that the main thread may still need before it can stop."""

    def rescue(self) -> str:
        """Saves what is complete. Called by the second thread before the process ends.

        Returns:
          One line that says what was saved.
        """


class Stopper:
    """Reacts to SIGINT and SIGTERM while it is used as a context manager.

    A signal raises KeyboardInterrupt or `Terminated` in the main thread. Inside
    `deferred` it only sets `requested`, and the run stops when its state is complete. A
    second signal always raises.

    Example:
      with Stopper(force=True) as stopper:
          prepare()
          with stopper.deferred(run):
              while not stopper.requested:
                  run.step()

    Attributes:
      requested: Number of the signal that has arrived, or 0.
    """

    def __init__(self, *, force: bool = False):
        """
        Args:
          force: Whether to end the process if the main thread does not react. Set it
            in a command, not in a function that other programs call.
        """
        self.requested = 0
        self._force = force
        self._run: Stoppable | None = None
        self._signals = 0
        self._reacted: float | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Stopper:
        if threading.current_thread() is not threading.main_thread():
            return self  # only the main thread may set signal handlers
        for number in _SIGNALS:
            self._stack.callback(signal.signal, number, signal.getsignal(number))
        self.set_handlers()
        if self._force:
            self._start_watching()
        return self

    def set_handlers(self) -> None:
        """Sets the signal handlers.

        Call it again after `MultiWorkerMirroredStrategy` was created: TensorFlow's
        coordination service replaces the handler of SIGTERM.
        """
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._handle)

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def _start_watching(self) -> None:
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        watcher = threading.Thread(target=self._watch, args=(reader,), daemon=True)
        watcher.start()

        def stop_watching() -> None:
            signal.set_wakeup_fd(previous)
            writer.close()  # ends the thread
            watcher.join()
            reader.close()

        self._stack.callback(stop_watching)

    @contextlib.contextmanager
    def deferred(self, run: Stoppable) -> Iterator[None]:
        """Leaves it to a run to look at `requested` and to stop."""
        self._run = run
        try:
            yield
        finally:
            self._run = None

    def raise_requested(self) -> NoReturn:
        """Raises the exception of the signal that has arrived."""
        self._reacted = time.monotonic()
        raise _exception(self.requested)

    def _handle(self, number: int, frame: Any) -> None:
        self.requested = self.requested or number
        self._signals += 1
        if self._run is None or self._signals > 1:
            self.raise_requested()

    def _watch(self, reader: socket.socket) -> None:
        """Waits for signals in the second thread."""
        times: list[float] = []
        while True:
            timeout = 0.1 if self.requested or times else None
            if select.select([reader], [], [], timeout)[0]:
                received = reader.recv(16)
                if not received:
                    return  # the block has ended
                for number in set(received) & set(_SIGNALS):
                    self.requested = self.requested or number
                    times.append(time.monotonic())
            if times and time.monotonic() > self._deadline(times):
                self._end_process()

    def _deadline(self, times: list[float]) -> float:
        """Time at which the process is ended.

        Args:
          times: Time of each signal.
        """
        if self._reacted is not None:
            return self._reacted + _UNWINDING_SECONDS
        if self._run is not None and len(times) == 1:
            return times[0] + self._run.patience()
        return times[-1] + _PATIENCE_SECONDS

    def _end_process(self) -> None:
        text, run = "stopped", self._run
        if run is not None:
            try:
                text = run.rescue()
            except Exception as error:  # the process must end in any case
                text = f"stopped; the run could not be saved: {error}"
        print(text, file=sys.stderr)
        end_process(128 + self.requested)


def end_process(status: int) -> NoReturn:
    """Ends the process at once, without the waits of TensorFlow's own end."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def _exception(number: int) -> KeyboardInterrupt:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
