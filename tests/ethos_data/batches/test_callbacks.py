"""The exit of the program waits for tracked functions in other threads."""

from __future__ import annotations

import threading
import time

import pytest

from ethos_data.batches import callbacks


def test_waits_for_the_running_call_and_for_calls_that_follow_it():
    ended, started = [], threading.Event()

    @callbacks.tracked
    def call(number):
        started.set()
        time.sleep(0.2)
        ended.append(number)

    def pipeline():
        for number in range(3):
            call(number)

    thread = threading.Thread(target=pipeline)
    thread.start()
    assert started.wait(60)
    callbacks.wait_until_idle()
    assert ended == [0, 1, 2]
    thread.join()


def test_a_call_that_fails_is_not_waited_for():
    @callbacks.tracked
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert callbacks._running == 0
