"""A viewer that corrects a face with synthetic mouse and keys until it is killed.

    python -m tests.gui.widgets.correction.killed_viewer clip.avi settings.json

It prints one line after each step. The parent process kills it.
"""

from __future__ import annotations

import sys

from gui.widgets.controller import Controller
from tests.gui import fakes
from tests.gui.driver import Driver
from tests.gui.widgets.correction.steps import Mode


def say(text: str) -> None:
    """Prints a line that the parent reads."""
    print(text, flush=True)


def main() -> None:
    video, settings_path = sys.argv[1:]
    viewer = Controller(
        video=video, factory=fakes.load, settings_path=settings_path, paused=True
    )
    drive = Driver(viewer)
    drive.ready()
    drive.until(lambda: viewer.painting is not None and viewer.painting.view.faces)
    mode = Mode(drive)
    mode.open()
    mode.drag(36, 30, -20)
    mode.drive.key("<Key-7>")  # the mouth
    mode.drag(51, 0, 15)
    mode.drive.key("<bracketright>")
    mode.drive.key("<Control-z>")
    mode.click(8)
    mode.drive.key("<v>")
    viewer.player.seek(12)
    mode.drive.until(lambda: mode.editor.frame == 12)
    mode.drive.key("<Return>")
    mode.saved()
    say("corrected")
    mode.click(30)
    for count in range(1, 10_000):
        mode.drive.key("<Shift-Right>")
        say(f"moved {count}")
        mode.saved()


if __name__ == "__main__":
    main()
