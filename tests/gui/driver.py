"""Drives the real window: waits by letting Tk work, presses keys, moves the mouse."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable

from gui.app import App
from gui.viewer.engine import READY


class Driver:
    """A running viewer in a test's hands."""

    def __init__(self, app: App) -> None:
        self.app = app

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Lets the window work until something is true."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"never happened; it says: {self.says()}"
            self.app.root.update()
            time.sleep(0.005)

    def ready(self) -> None:
        """Waits until the model is loaded and a frame with its faces is shown."""
        self.until(
            lambda: (
                self.app.engine.state == READY
                and self.app.painting is not None
                and self.app.painting.view.state == READY
            )
        )

    def frame(self) -> int:
        """Number of the frame on the screen."""
        assert self.app.painting is not None
        return self.app.painting.view.frame.index

    def show(self, index: int) -> None:
        """Waits until this frame is on the screen, with the model's word on it."""
        self.until(lambda: self.frame() == index)

    def says(self) -> str:
        """State and note of the status line."""
        window = self.app.window
        return f"{window.status_label.cget('text')} | {window.note_label.cget('text')}"

    def key(self, pattern: str) -> None:
        """Presses a key, e.g. "<space>"."""
        self.app.root.focus_force()
        self.app.root.update()
        self.app.root.event_generate(pattern)
        self.app.root.update()

    def drag(self, widget, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Presses, moves and lets go of the left button in a widget."""
        widget.event_generate("<ButtonPress-1>", x=start[0], y=start[1])
        for step in range(1, 5):
            x, y = (
                round(a + (b - a) * step / 4) for a, b in zip(start, end, strict=True)
            )
            widget.event_generate("<B1-Motion>", x=x, y=y)
            self.app.root.update()
        widget.event_generate("<ButtonRelease-1>", x=end[0], y=end[1])
        self.app.root.update()


def left_behind() -> list[str]:
    """Threads and processes of a viewer that are still there."""
    threads = [t.name for t in threading.enumerate() if t.name.startswith("ethos")]
    return threads + [child.name for child in multiprocessing.active_children()]
