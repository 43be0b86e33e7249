"""Signals stop a process in every phase, even while it does not run Python code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ethos_model.training import stopping

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
        print("ready", flush=True)
        mutex = ctypes.create_string_buffer(64)
        libc.pthread_mutex_lock(mutex)
        libc.pthread_mutex_lock(mutex)
"""


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
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (128 + number, text)


def kill_soon(number, seconds=0.1):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
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
        start = time.monotonic()
        while not stopper.requested and time.monotonic() < start + 30:
            time.sleep(0.01)
        assert stopper.requested == signal.SIGTERM
        with pytest.raises(stopping.Terminated):
            stopper.raise_requested()


def test_a_second_signal_stops_a_run_at_once():
    def wait():
        with stopping.Stopper(force=True) as stopper, stopper.deferred(Run()):
            kill_soon(signal.SIGINT)
            kill_soon(signal.SIGINT, 0.3)
            time.sleep(0.2)
            assert stopper.requested
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
