"""Runs a worker of a distributed run in a child process that can always be ended.

TensorFlow connects the workers in a call that holds Python's interpreter lock and
replaces the signal handler of SIGTERM. If another worker is lost at this moment, the
call does not return, and no thread of the process can react to a signal or a timeout.
This process, which does not import TensorFlow, can.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

_VARIABLE: Final = "ETHOS_SUPERVISOR_PIPE"
"""Environment variable with the file descriptor on which a child reports."""

_CONNECTING: Final = b"c"
_CONNECTED: Final = b"t"

_QUICK_SECONDS: Final = 3.0
"""Time that a child has to end after a signal while it connects, when nothing is lost,
or after a second signal."""

_SAVING_SECONDS: Final = 100.0
"""Time that a child has to end after a signal later: a step and a checkpoint."""

_POLL_SECONDS: Final = 0.1

_PR_SET_PDEATHSIG: Final = 1  # <sys/prctl.h>


class Supervisor:
    """Starts a child process, forwards signals to it and ends it if necessary."""

    def __init__(self, command: Sequence[str], connect_timeout: float):
        """
        Args:
          command: Command of the child.
          connect_timeout: Maximum time that the child may connect, in seconds.
        """
        self._connect_timeout = connect_timeout
        self._signals: list[int] = []
        self._signal_time = 0.0
        self._connect_time: float | None = None
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._child = subprocess.Popen(
            command,
            env=os.environ | {_VARIABLE: str(writer)},
            pass_fds=[writer],
            # Ctrl-C reaches only this process, which forwards it.
            process_group=0,
        )
        os.close(writer)

    def run(self) -> int:
        """Waits for the child.

        Returns:
          The exit status of the child, or 128 + the number of the signal that ended it.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._forward)
        while (status := self._child.poll()) is None:
            self._read_reports()
            now = time.monotonic()
            if self._signals and now - self._signal_time > self._patience():
                return self._kill(128 + self._signals[0], "stopped")
            if (
                self._connect_time is not None
                and now - self._connect_time > self._connect_timeout
            ):
                return self._kill(
                    1,
                    "error: another worker was lost while the workers connected. The "
                    "same command on all workers starts again",
                )
            time.sleep(_POLL_SECONDS)
        return status if status >= 0 else 128 - status

    def _forward(self, number: int, frame: Any) -> None:
        self._signals.append(number)
        self._signal_time = time.monotonic()
        if self._child.poll() is None:
            self._child.send_signal(number)

    def _patience(self) -> float:
        is_quick = self._connect_time is not None or len(self._signals) > 1
        return _QUICK_SECONDS if is_quick else _SAVING_SECONDS

    def _read_reports(self) -> None:
        try:
            reports = os.read(self._reader, 16)
        except BlockingIOError:
            return
        if _CONNECTING in reports:
            self._connect_time = time.monotonic()
        if _CONNECTED in reports:
            self._connect_time = None

    def _kill(self, status: int, text: str) -> int:
        self._child.kill()
        self._child.wait()
        print(text, file=sys.stderr)
        return status


def is_supervised() -> bool:
    """Whether this process is the child of a supervisor."""
    return _VARIABLE in os.environ


def follow_parent() -> None:
    """Ends this process when its supervisor is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def report(connecting: bool) -> None:
    """Tells the supervisor, if there is one, that TensorFlow starts or stops to connect
    the workers."""
    if is_supervised():
        state = _CONNECTING if connecting else _CONNECTED
        os.write(int(os.environ[_VARIABLE]), state)
