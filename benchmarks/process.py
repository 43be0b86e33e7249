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
    """What a command needed.

    Attributes:
      seconds: Wall time from start to end, in seconds.
      cpu_seconds: Processor time of all its processes, in seconds.
      peak_bytes: Largest sum of the proportional set sizes of all its processes at one
        moment, in bytes. Memory that processes share is counted once.
      peak_process_bytes: Largest proportional set size of a single process, in bytes.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    peak_process_bytes: int


def run(arguments: Sequence[str], interval: float = 0.1) -> Cost:
    """Runs `python ARGUMENTS` and measures it.

    Args:
      arguments: Arguments of Python.
      interval: Seconds between two measurements of the memory.

    Raises:
      RuntimeError: The command failed.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    peaks = [0, 0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(interval):
            sizes = _sizes(process.pid)
            peaks[0] = max(peaks[0], sum(sizes))
            peaks[1] = max([peaks[1], *sizes])

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    stop.set()
    watcher.join()
    if status:
        raise RuntimeError(f"{arguments}: {errors.decode()[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, peaks[0], peaks[1])


def _sizes(pid: int) -> list[int]:
    """Proportional set size of each process of a process tree, in bytes."""
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
