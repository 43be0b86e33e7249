"""Takes the screenshots of the viewer for the documentation.

    xvfb-run -a -s "-screen 0 1280x860x24 -dpi 96" \\
        python -m benchmarks.viewer_picture docs/images

| picture | shows |
| --- | --- |
| viewer.png | dark theme, clean video |
| viewer_degraded.png | light theme, degraded video |
| viewer_people.png | dark theme, two people with head pose, eyes and plot |
| people.png | the window with the people |
| viewer_correction.png | the correction mode, with an interpolated part |

All show rendered heads: the sample video, or two people of it side by side.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import os
import shutil
import sys
import tempfile
import time
import tkinter as tk
from collections.abc import Callable, Sequence

import numpy as np
from PIL import ImageGrab

from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_model.footage.reader import open_video
from ethos_model.footage.writer import VideoRecorder
from gui import sample
from gui.viewer import settings
from gui.widgets.controller import Controller

TIMEOUT_SECONDS = 120.0
"""Time after which a viewer that shows no face counts as failed."""

CORRECTED = (10, 30)
"""Frames that are corrected for the picture of the correction mode."""

FRAMES_BEFORE = 23
"""Number of frames before the picture that contribute to the face from many frames."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    directory: str = options.required(
        "Directory of the pictures", positional=True, metavar="DIR"
    )
    frame: int = options.option(20, "Number of the frame to show", minimum=0)
    seconds: float = options.option(
        8.0, "Time that the video is played before the picture", minimum=0
    )


def write_pair(path: str) -> None:
    """Writes a video of two people: the first at the left, the others at the right."""
    with open_video(sample.SAMPLE) as source:
        frames = [frame.image for frame in iter(source.read, None)]
    count = sample.FRAMES_PER_PERSON
    with VideoRecorder(path, sample.FPS) as recorder:
        for index in range(2 * count):
            left = frames[min(index, 2 * count - 1 - index)]
            pair = np.concatenate([left, frames[count + index]], axis=1)
            recorder.write(np.ascontiguousarray(pair), recorder.frames / sample.FPS)


def wait_until(viewer: Controller, condition: Callable[[], object]) -> None:
    """Lets the window work until a condition is true."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise EthosError("the viewer shows no face")
        viewer.root.update()
        time.sleep(0.005)


def shown_frame(viewer: Controller) -> int:
    """Number of the frame on the screen."""
    assert viewer.painting is not None
    return viewer.painting.view.frame.index


def wait(viewer: Controller, seconds: float) -> None:
    """Lets the window work for some time."""
    end = time.monotonic() + seconds
    wait_until(viewer, lambda: time.monotonic() > end)


def grab(path: str, window: tk.Misc) -> None:
    """Takes a picture of a window."""
    left, top = window.winfo_rootx(), window.winfo_rooty()
    width, height = window.winfo_width(), window.winfo_height()
    box = (left, top, left + width, top + height)
    ImageGrab.grab(bbox=box, xdisplay=os.environ.get("DISPLAY")).save(path)
    print(f"wrote {path}")


def take(
    path: str,
    chosen: Options,
    stored: settings.Settings,
    *,
    video: str | None = None,
    people: str | None = None,
    **degradation: float,
) -> None:
    """Opens the viewer and takes a picture of its window.

    Args:
      path: PNG file to write.
      chosen: The options of the command.
      stored: Choices of the user.
      video: Video to show; None for the sample.
      people: PNG file for the window with the people; None for none.
      **degradation: Value of each slider that is not at its neutral position.
    """
    with tempfile.TemporaryDirectory() as directory:
        settings_path = os.path.join(directory, "viewer.json")
        settings.write(settings_path, stored)
        viewer = Controller(video=video, settings_path=settings_path)
        for name, value in degradation.items():
            viewer.sidebar.set_slider(name, value)

        def shown() -> bool:
            painting = viewer.painting
            return painting is not None and bool(painting.view.faces)

        wait_until(viewer, shown)
        wait(viewer, chosen.seconds)
        viewer.player.play(False)
        # One by one, because each frame improves the face from many frames.
        for index in range(max(0, chosen.frame - FRAMES_BEFORE), chosen.frame + 1):
            viewer.player.seek(index)
            wait_until(viewer, lambda index=index: shown_frame(viewer) == index)
        wait(viewer, 1.5)
        wait_until(viewer, shown)
        grab(path, viewer.root)
        if people is not None:
            viewer.show_people()
            wait(viewer, 1.5)
            assert viewer.people_window is not None
            grab(people, viewer.people_window)
        viewer.close()


def take_correction(path: str) -> None:
    """Corrects two frames of a rendered video, and takes a picture of the second.

    The right eyebrow is selected and the right eye is marked as hidden.

    Args:
      path: PNG file to write.
    """
    with tempfile.TemporaryDirectory() as directory:
        video = shutil.copy(sample.SAMPLE, os.path.join(directory, "clip.mp4"))
        settings_path = os.path.join(directory, "viewer.json")
        settings.write(settings_path, settings.Settings())
        viewer = Controller(video=video, settings_path=settings_path, paused=True)
        mode = viewer.correction
        mode.open_soon()
        wait_until(viewer, lambda: mode.is_open and mode.editor.faces)
        document = mode.corrections.document
        for frame in CORRECTED:
            viewer.player.seek(frame)
            wait_until(viewer, lambda frame=frame: mode.editor.frame == frame)
            wait_until(viewer, lambda: mode.editor.faces)
            mode.editor.select_part(0)
            mode.editor.nudge(0.4, 0.2)
        wait_until(viewer, lambda: document.frames(interpolated=True))
        mode.editor.select_part(5)
        mode.editor.toggle_visible()
        mode.editor.select_part(2)
        mode.editor.turn(2.0)
        mode.fit()
        wait(viewer, 3.0)
        grab(path, viewer.root)
        viewer.close()


def parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    result = options.make_parser("python -m benchmarks.viewer_picture", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    chosen = options.from_flags(Options, parser().parse_args(argv))
    dark = settings.Settings()
    take(os.path.join(chosen.directory, "viewer.png"), chosen, dark)
    gc.collect()  # otherwise a thread of the next window might release Tk
    take(
        os.path.join(chosen.directory, "viewer_degraded.png"),
        chosen,
        settings.Settings(theme="light"),
        low_resolution=4.0,
        darkness=0.7,
    )
    gc.collect()
    take_correction(os.path.join(chosen.directory, "viewer_correction.png"))
    gc.collect()
    with tempfile.TemporaryDirectory() as directory:
        pair = os.path.join(directory, "two_people.mp4")
        write_pair(pair)
        take(
            os.path.join(chosen.directory, "viewer_people.png"),
            chosen,
            dataclasses.replace(dark, pose=True, eyes=True),
            video=pair,
            people=os.path.join(chosen.directory, "people.png"),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
