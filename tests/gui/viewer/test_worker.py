import threading

import pytest

from gui.viewer import worker as worker_module
from gui.viewer.worker import Worker, describe
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def restart_quickly(monkeypatch):
    monkeypatch.setattr(worker_module, "RESTART_SECONDS", 0.1)


def test_starts_again_after_a_failure_and_reports_it_once(caplog):
    runs, closed = [], threading.Event()

    def work():
        runs.append(len(runs))
        if len(runs) == 1:
            raise ValueError("first line\nsecond line")
        closed.wait(10)

    worker = Worker("ethos-test", work)
    assert worker.check() == ""
    worker.start()
    wait_until(lambda: not worker.is_alive())
    assert worker.check() == "ValueError: first line"
    assert worker.check() == ""
    wait_until(lambda: worker.check() == "" and len(runs) == 2)
    assert worker.restarts == 1
    assert "ethos-test failed" in caplog.text
    closed.set()
    worker.close()
    assert not worker.is_alive()
    assert worker.check() == ""


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt()])
def test_notices_a_thread_that_exits(error):
    def work():
        raise error

    worker = Worker("ethos-test", work)
    worker.start()
    wait_until(lambda: not worker.is_alive())
    assert worker.check() == type(error).__name__
    worker.close()


def test_notices_a_thread_that_returns():
    worker = Worker("ethos-test", lambda: None)
    worker.start()
    wait_until(lambda: not worker.is_alive())
    assert worker.check() == "it ended without an error"
    worker.close()


def test_waits_between_two_starts(monkeypatch):
    monkeypatch.setattr(worker_module, "RESTART_SECONDS", 60)
    worker = Worker("ethos-test", lambda: 1 // 0)
    worker.start()
    wait_until(lambda: not worker.is_alive())
    for _ in range(5):
        worker.check()
    assert worker.restarts == 0
    worker.close()


def test_an_error_is_described_in_one_line():
    assert describe(ValueError("a\nb")) == "ValueError: a"
    assert describe(SystemExit()) == "SystemExit"
