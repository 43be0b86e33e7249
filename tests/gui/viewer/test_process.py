"""The pipe to the model's process."""

import multiprocessing
import os
import pickle
import struct
import time

import pytest

from gui.viewer import session
from gui.viewer.process import ModelProcess
from tests.gui import fakes


def send_and_a_half(connection, factory):
    """Sends a message and a part of another one, and stops."""
    message = pickle.dumps("complete")
    whole = struct.pack("!i", len(message)) + message
    os.write(connection.fileno(), whole + struct.pack("!i", 1000) + b"part")
    time.sleep(600)


def send_and_end(connection, factory):
    connection.send("complete")


def test_an_incomplete_message_does_not_block(monkeypatch):
    monkeypatch.setattr(session, "serve", send_and_a_half)
    process = ModelProcess(fakes.load)
    assert process.receive(timeout=60) == "complete"
    assert process.receive(timeout=0.2) is None
    process.stop()
    assert multiprocessing.active_children() == []


def test_the_end_of_the_process_is_reported_by_each_call(monkeypatch):
    monkeypatch.setattr(session, "serve", send_and_end)
    process = ModelProcess(fakes.load)
    assert process.receive(timeout=60) == "complete"
    for _ in range(2):
        with pytest.raises((EOFError, OSError)):
            process.receive(timeout=60)
    assert process.ending() == "exit status 0"
    process.stop()
