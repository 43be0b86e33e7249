"""Drives the real window: lets Tk work, presses keys, moves the mouse."""

from __future__ import annotations

import ctypes
import multiprocessing
import threading
from collections.abc import Callable

from gui.viewer.engine import READY
from gui.viewer.worker import Worker
from gui.widgets.controller import Controller
from tests.waiting import LIMIT, wait_until


def kill_thread(worker: Worker) -> None:
    """Raises SystemExit in the thread of a worker, wherever the thread is.

    The thread receives the exception when it executes Python code again.
    """
    thread = worker.thread
    assert thread is not None
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )


class Driver:
    """Controls a running viewer in a test.

    Attributes:
      viewer: The viewer.
    """

    def __init__(self, viewer: Controller) -> None:
        self.viewer = viewer

    def until(self, condition: Callable[[], object], seconds: float = LIMIT) -> None:
        """Lets the window work until a condition is true."""
        try:
            wait_until(condition, seconds, self.viewer.root.update)
        except AssertionError as error:
            raise AssertionError(f"{error}; status line: {self.status()}") from None

    def ready(self) -> None:
        """Waits until the model is loaded and a frame with its faces is shown."""
        self.until(
            lambda: (
                self.viewer.engine.state.phase == READY
                and self.viewer.painting is not None
                and self.viewer.painting.view.phase == READY
            )
        )

    def frame(self) -> int:
        """Number of the frame on the screen."""
        assert self.viewer.painting is not None
        return self.viewer.painting.view.frame.index

    def show(self, index: int) -> None:
        """Waits until a frame is on the screen."""
        self.until(lambda: self.frame() == index)

    def status(self) -> str:
        """Status and note of the status line."""
        window = self.viewer.window
        return f"{window.status_label.cget('text')} | {window.note_label.cget('text')}"

    def key(self, pattern: str, **fields: object) -> None:
        """Presses a key.

        Args:
          pattern: Tk event pattern, for example "<space>".
          **fields: Further fields of the event, for example `state`.
        """
        self.viewer.root.focus_force()
        self.viewer.root.update()
        self.viewer.root.event_generate(pattern, **fields)
        self.viewer.root.update()

    def drag(self, widget, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Drags the mouse in a widget with the left button pressed."""
        widget.event_generate("<ButtonPress-1>", x=start[0], y=start[1])
        for step in range(1, 5):
            x, y = (
                round(a + (b - a) * step / 4) for a, b in zip(start, end, strict=True)
            )
            widget.event_generate("<B1-Motion>", x=x, y=y)
            self.viewer.root.update()
        widget.event_generate("<ButtonRelease-1>", x=end[0], y=end[1])
        self.viewer.root.update()


def left_behind() -> list[str]:
    """Names of the viewer's threads and processes that still run."""
    threads = [t.name for t in threading.enumerate() if t.name.startswith("ethos")]
    return threads + [child.name for child in multiprocessing.active_children()]
