"""A supervisor ends a child process that does not react, and mirrors its status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ethos_model.training import supervisor
from tests.waiting import wait_until

SUPERVISOR = """
import sys
from ethos_model.training import supervisor
supervisor._QUICK_SECONDS = 0.3
command = [sys.executable, "-c", sys.argv[1]]
sys.exit(supervisor.Supervisor(command, connect_timeout=float(sys.argv[2])).run())
"""

# Like TensorFlow, the child ignores signals while it connects.
CHILD = """
import os, signal, time
from ethos_model.training import supervisor
supervisor.follow_parent()
{signals}
supervisor.report(connecting=True)
{after}
print("ready", os.getpid(), flush=True)
time.sleep(120)
"""
IGNORE = "signal.signal(15, signal.SIG_IGN); signal.signal(2, signal.SIG_IGN)"


def start(child, connect_timeout=100):
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, child, str(connect_timeout)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_a_child_that_ignores_the_signal_while_it_connects(number):
    process = start(CHILD.format(signals=IGNORE, after=""))
    assert process.stdout.readline().startswith("ready")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (128 + number, "stopped\n")


def test_a_child_that_has_connected_ends_itself():
    # It needs longer than a child that connects would get.
    after = "supervisor.report(connecting=False)\n" + (
        "signal.signal(15, lambda *_: (time.sleep(1), os._exit(7)))"
    )
    process = start(CHILD.format(signals="", after=after))
    process.stdout.readline()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 7


def test_limits_the_time_to_connect():
    process = start(CHILD.format(signals="", after=""), connect_timeout=0.3)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("error: another worker was lost while")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("child", "status"),
    [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 15)", 143)],
)
def test_mirrors_the_status_of_the_child(child, status):
    process = start(child)
    process.communicate(timeout=60)
    assert process.returncode == status


def test_a_child_ends_with_its_supervisor():
    process = start(CHILD.format(signals=IGNORE, after=""))
    child = int(process.stdout.readline().split()[1])
    process.kill()
    process.communicate(timeout=60)
    # The child would end by itself after 120 s.
    wait_until(lambda: not os.path.exists(f"/proc/{child}"))


def test_a_process_without_a_supervisor_reports_nothing():
    assert not supervisor.is_supervised()
    supervisor.report(connecting=True)
