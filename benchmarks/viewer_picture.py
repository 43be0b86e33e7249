"""Takes the screenshots of the viewer for the documentation.

    xvfb-run -a -s "-screen 0 1280x860x24 -dpi 96" \\
        python -m benchmarks.viewer_picture docs/images

Writes viewer.png (dark theme, clean video) and viewer_degraded.png (light theme,
degraded video). Both show the sample video, which contains rendered heads only.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from PIL import ImageGrab

from ethos_data import options
from ethos_data.errors import EthosError, cli
from gui.viewer import settings
from gui.widgets.controller import Controller

TIMEOUT_SECONDS = 120.0
"""Time after which a viewer that shows no face counts as failed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command. Each field is a flag."""

    directory: str = options.required(
        "Directory of the pictures", positional=True, metavar="DIR"
    )
    frame: int = options.option(20, "Number of the frame to show", minimum=0)
    seconds: float = options.option(
        4.0, "Time that the video is played before the picture", minimum=0
    )


def wait_until(viewer: Controller, condition: Callable[[], object]) -> None:
    """Lets the window work until a condition is true."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise EthosError("the viewer shows no face")
        viewer.root.update()
        time.sleep(0.005)


def take(path: str, theme: str, chosen: Options, **degradation: float) -> None:
    """Opens the viewer and takes a picture of its window.

    Args:
      path: PNG file to write.
      theme: "dark" or "light".
      chosen: The options of the command.
      **degradation: Value of each slider that is not at its neutral position.
    """
    with tempfile.TemporaryDirectory() as directory:
        stored = os.path.join(directory, "viewer.json")
        settings.write(stored, settings.Settings(theme=theme))
        viewer = Controller(settings_path=stored)
        for name, value in degradation.items():
            viewer.sidebar.set_slider(name, value)

        def shown() -> bool:
            painting = viewer.painting
            return painting is not None and bool(painting.view.faces)

        wait_until(viewer, shown)
        end = time.monotonic() + chosen.seconds
        wait_until(viewer, lambda: time.monotonic() > end)
        viewer.player.play(False)
        viewer.player.seek(chosen.frame)
        end = time.monotonic() + 1.5
        wait_until(viewer, lambda: time.monotonic() > end and shown())
        left, top = viewer.root.winfo_rootx(), viewer.root.winfo_rooty()
        width, height = viewer.root.winfo_width(), viewer.root.winfo_height()
        box = (left, top, left + width, top + height)
        ImageGrab.grab(bbox=box, xdisplay=os.environ.get("DISPLAY")).save(path)
        viewer.close()
    print(f"wrote {path}")


def parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    result = options.make_parser("python -m benchmarks.viewer_picture", __doc__)
    options.add_flags(result, Options)
    return result


@cli
def main(argv: Sequence[str] | None = None) -> int:
    chosen = options.from_flags(Options, parser().parse_args(argv))
    take(os.path.join(chosen.directory, "viewer.png"), "dark", chosen)
    take(
        os.path.join(chosen.directory, "viewer_degraded.png"),
        "light",
        chosen,
        low_resolution=4.0,
        darkness=0.7,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
