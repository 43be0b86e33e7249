"""The end of the program waits for calls from other threads."""

from __future__ import annotations

import threading
import time

import pytest

from ethos_data.batches import callbacks


def test_settle_waits_for_what_runs_and_for_what_follows_at_once():
    ended = []

    @callbacks.tracked
    def call(number):
        time.sleep(0.2)
        ended.append(number)

    def pipeline():
        for number in range(3):
            call(number)

    thread = threading.Thread(target=pipeline)
    thread.start()
    while not callbacks._running:
        time.sleep(0.001)
    callbacks.wait_until_idle()
    assert ended == [0, 1, 2]
    thread.join()


def test_an_error_passes_and_is_not_waited_for():
    @callbacks.tracked
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert callbacks._running == 0
