"""Opens the viewer: a video with its facial landmarks and reconstruction.

    ethos-view                       # a rendered sample
    ethos-view clip.mp4
    ethos-view camera:0 --model runs/first/model

F1 lists the keyboard shortcuts.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import Any

from ethos_data import options
from ethos_data.errors import EthosError, cli
from ethos_data.options import option
from ethos_model.predict import BACKENDS


@dataclasses.dataclass(frozen=True)
class ViewOptions:
    """What to open. Each field is a flag; its help text documents it."""

    video: str | None = option(
        None,
        "Path of a video, an image or a directory of images, a URL, or camera:0 for a "
        "camera (default: a rendered sample)",
        positional=True,
        metavar="VIDEO",
    )
    model: str | None = option(
        None,
        "Directory of an exported model (default: the model of the last start, or else "
        "the shipped model)",
        metavar="DIR",
        local=True,
    )
    backend: str = option(
        "auto",
        "File of the model to run: model.tflite (litert), model.onnx or the SavedModel "
        "(tensorflow); auto is litert where it is available",
        choices=BACKENDS,
    )
    detector: str = option("yunet", 'Face detector: "yunet", or a YuNet .onnx file')
    send: str | None = option(
        None,
        "Send the faces of each frame as an OSC bundle to this address (needs "
        "python-osc)",
        metavar="udp://HOST:PORT",
    )


def parser() -> argparse.ArgumentParser:
    """The flags of ethos-view."""
    result = options.make_parser("ethos-view", __doc__)
    options.add_flags(result, ViewOptions)
    return result


def check(chosen: ViewOptions) -> None:
    """Checks the paths before the window opens.

    Raises:
      EthosError: A path is missing, or is not a model or a detector.
    """
    from ethos_model import predict
    from ethos_model.footage import detectors, osc

    video = chosen.video or "camera:0"
    # A camera, a URL and a pattern of image files are not paths.
    is_path = not re.fullmatch(r"(camera:?)?\d+|.*://.*|.*[*%].*", video)
    if is_path and not os.path.exists(video):
        raise EthosError(f"{video}: no such file")
    if chosen.model is not None:
        predict.read_card(predict.find(chosen.model))
    if chosen.detector != detectors.YUNET:
        detectors.make_detector(chosen.detector)
    if chosen.send is not None:
        osc.check_url(chosen.send)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    chosen = options.from_flags(ViewOptions, parser().parse_args(argv))
    check(chosen)
    run(
        video=chosen.video,
        model_dir=chosen.model,
        detector=chosen.detector,
        backend=chosen.backend,
        send=chosen.send,
    )
    return 0


def run(**arguments: Any) -> None:
    """Shows the window until it is closed.

    Args:
      **arguments: Arguments of `Controller`.

    Raises:
      EthosError: There is no Tk or no display.
    """
    # Not at module level: the model's process imports this module too.
    try:
        import tkinter as tk
    except ImportError:  # Debian and others package it separately
        raise EthosError(
            "this Python has no Tk (Debian, Ubuntu: apt install python3-tk)"
        ) from None
    from gui.widgets.controller import Controller

    try:
        viewer = Controller(**arguments)
    except tk.TclError as error:
        raise EthosError(f"no window can be opened ({error})") from None
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows does not know the last
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: viewer.stop())
    viewer.run()


if __name__ == "__main__":
    sys.exit(main())
