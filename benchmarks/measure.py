"""Runs a command and measures its time, processor time and memory."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import psutil


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes:
      seconds: on the clock, from start to end.
      cpu_seconds: of all its processes.
      peak_bytes: the largest sum of the proportional set sizes of all its processes at
        one moment (memory that several share is counted once).
      peak_worker_bytes: the largest of a single process.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    peak_worker_bytes: int


def run(arguments: Sequence[str], every: float = 0.1) -> Cost:
    """Runs `python ARGUMENTS` and measures it.

    Raises:
      RuntimeError: the command failed.
    """
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    peaks = [0, 0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(every):
            sizes = _sizes(process.pid)
            peaks[0] = max(peaks[0], sum(sizes))
            peaks[1] = max([peaks[1], *sizes])

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    stop.set()
    watcher.join()
    if status:
        raise RuntimeError(f"{arguments}: {errors.decode()[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, peaks[0], peaks[1])


def _sizes(pid: int) -> list[int]:
    """Bytes of each process of a tree."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    sizes = []
    for process in tree:
        try:
            sizes.append(process.memory_full_info().pss)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return sizes
