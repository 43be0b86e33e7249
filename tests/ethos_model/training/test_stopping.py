"""Signals stop a process in every phase, even while it does not run Python code."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from ethos_model.training import stopping
from tests.waiting import wait_until

# The main thread is inside a C function that does not return, like a call of TensorFlow
# that waits for another worker.
STUCK = """
import ctypes
from ethos_model.training.stopping import Stopper

class Run:
    def patience(self):
        return 0.3
    def rescue(self):
        return "saved step 7"

libc = ctypes.CDLL(None)
with Stopper(force=True) as stopper:
    {block}
        mutex = ctypes.create_string_buffer(64)
        print(ctypes.addressof(mutex), flush=True)
        libc.pthread_mutex_lock(mutex)
        libc.pthread_mutex_lock(mutex)
"""


def waits_for(process, address):
    """Whether the main thread of a process waits in a system call for an address."""
    words = pathlib.Path(f"/proc/{process.pid}/syscall").read_text().split()
    return len(words) > 1 and int(words[1], 16) == address


@pytest.mark.parametrize(
    ("block", "text"),
    [("if True:", "stopped\n"), ("with stopper.deferred(Run()):", "saved step 7\n")],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_a_process_whose_main_thread_does_not_react(block, text, number):
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK.format(block=block)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    mutex = int(process.stdout.readline())
    wait_until(lambda: waits_for(process, mutex))
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (128 + number, text)


def kill_soon(number):
    timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
    timer.start()
    return timer


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGINT, KeyboardInterrupt),
        (signal.SIGTERM, stopping.Terminated),
    ],
)
def test_raises_at_once_outside_of_a_run(number, error):
    before = signal.getsignal(number)

    def wait():
        with stopping.Stopper(force=True):
            kill_soon(number)
            time.sleep(30)

    with pytest.raises(error) as caught:
        wait()
    assert type(caught.value) is error
    assert signal.getsignal(number) is before


class Run:
    def patience(self):
        return 30.0

    def rescue(self):
        return ""


def test_a_run_decides_when_it_stops():
    with stopping.Stopper(force=True) as stopper, stopper.deferred(Run()):
        kill_soon(signal.SIGTERM)
        wait_until(lambda: stopper.requested)
        assert stopper.requested == signal.SIGTERM
        with pytest.raises(stopping.Terminated):
            stopper.raise_requested()


def test_a_second_signal_stops_a_run_at_once():
    def wait():
        with stopping.Stopper(force=True) as stopper, stopper.deferred(Run()):
            kill_soon(signal.SIGINT)
            wait_until(lambda: stopper.requested)
            kill_soon(signal.SIGINT)
            time.sleep(30)

    with pytest.raises(KeyboardInterrupt):
        wait()


def test_other_threads_leave_the_signal_handlers_unchanged():
    before = signal.getsignal(signal.SIGINT)
    handlers = []

    def use():
        with stopping.Stopper():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert handlers == [before]
