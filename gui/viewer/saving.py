"""The Save menu's work: the current picture, or the whole video in another process."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_model.footage.tables.writer import TABLE_SUFFIXES
from gui.degradation import VideoDegradation
from gui.drawing import compose, export
from gui.drawing.overlay import OverlayOptions
from gui.jobs import DAMAGED
from gui.viewer.painter import Painting
from gui.viewer.process import exit_text
from gui.viewer.session import Setup
from gui.viewer.watched_process import WatchedProcess

ANNOTATE: Final = (sys.executable, "-P", "-m", "gui.annotate")
"""Command of ethos-annotate. With -P, Python ignores a directory `gui` in the current
directory."""


def save_picture(path: str, painting: Painting) -> None:
    """Saves the panels: the frame at the left, the reconstructions at the right.

    Raises:
      EthosError: The suffix is not .png, or `path` cannot be written.
    """
    picture = painting.source
    height = picture.shape[0]
    tiles = [tile for tile in painting.tiles.values() if tile.shape[0] <= height]
    if tiles:
        side = tiles[0].shape[0]
        rows = max(1, height // side)
        columns = -(-len(tiles) // rows)
        sheet = np.zeros((height, columns * side, 3), np.uint8)
        # A corner outside the frame has the colour of the panel.
        has_border = painting.offset != (0, 0)
        sheet[:] = picture[0, 0] if has_border else compose.BACKGROUND
        for number, tile in enumerate(tiles):
            y, x = side * (number % rows), side * (number // rows)
            sheet[y : y + side, x : x + side] = tile
        picture = np.concatenate([picture, sheet], axis=1)
    export.save_png(path, picture)


def save_portrait(path: str, painting: Painting) -> None:
    """Saves the chosen face, reconstructed from many frames, as a PNG in colour.

    Raises:
      EthosError: There is no such face, or `path` cannot be written.
    """
    if painting.fused is None:
        raise EthosError("The portrait cannot be saved: no face from many frames")
    export.save_png(path, painting.fused.image)


def new_path(folder: str, stem: str, suffix: str) -> str:
    """Path of a file that does not exist: stem.png, stem_2.png, stem_3.png, ..."""
    names = itertools.chain([stem], (f"{stem}_{n}" for n in itertools.count(2)))
    paths = (os.path.join(folder, name + suffix) for name in names)
    return next(path for path in paths if not os.path.lexists(path))


def save_depth(path: str, painting: Painting) -> None:
    """Saves the depth of the chosen face as a 16-bit PNG.

    Raises:
      EthosError: There is no face, or `path` cannot be written.
    """
    if painting.chosen is None:
        raise EthosError("The depth cannot be saved: this frame has no face")
    export.save_depth_png(path, painting.chosen.face)


def save_mesh(path: str, painting: Painting) -> None:
    """Saves the chosen face as a mesh, .ply or .obj.

    Raises:
      EthosError: There is no face, or `path` cannot be written.
    """
    if painting.chosen is None:
        raise EthosError("The mesh cannot be saved: this frame has no face")
    export.save_mesh(path, painting.chosen.face, painting.view.image)


def annotate_flags(
    video: str,
    path: str,
    setup: Setup,
    degradation: VideoDegradation,
    *,
    kinds: Sequence[str],
    overlay: OverlayOptions,
    smoothing: bool,
) -> list[str]:
    """Arguments with which ethos-annotate produces what the window shows.

    Args:
      video: Path of the video.
      path: File to write. A suffix of a table selects a table of landmarks.
      setup: The model and the detector in use.
      degradation: Degradation of each frame.
      kinds: Kinds of reconstruction beside the frame. ethos-annotate draws only those
        of `compose.RECONSTRUCTIONS`.
      overlay: What to draw over the frame.
      smoothing: Whether to smooth the landmarks.
    """
    suffix = os.path.splitext(path)[1].lower()
    kind = f"--{suffix[1:]}" if suffix in TABLE_SUFFIXES else "--output"
    flags = [video, kind, path, "--detector", setup.detector, "--overwrite"]
    if setup.model_dir:
        flags += ["--model", setup.model_dir]
    if setup.backend != "auto":
        flags += ["--backend", setup.backend]
    flags += ["--beside", *(k for k in kinds if k in compose.RECONSTRUCTIONS)]
    flags += ["--draw", *overlay.drawn]
    flags += ["--uncertainty", overlay.uncertainty]
    if not smoothing:
        flags.append("--no-smoothing")
    return flags + degradation.flags()


class AnnotateProcess(WatchedProcess):
    """Runs ethos-annotate in a process and reads its progress in a thread.

    Attributes:
      path: The file that is written.
    """

    def __init__(
        self, path: str, flags: Sequence[str], command: Sequence[str] = ANNOTATE
    ) -> None:
        """Prepares the process; `start` starts it.

        Args:
          path: The file that is written.
          flags: Arguments of ethos-annotate.
          command: Command that runs ethos-annotate.
        """
        super().__init__("ethos-save")
        self.path = path
        self._command = [*command, *flags]
        self._line = "starting"
        self._result: str | None = None

    @property
    def progress(self) -> str:
        """How far the process is, for example "45 %", or its last message."""
        percent = re.search(r"(\d+)%", self._line)
        return f"{percent[1]} %" if percent else self._line

    @property
    def result(self) -> str | None:
        """The result as a sentence; None while the process runs."""
        if self._result is not None or self._thread.is_alive():
            return self._result
        return f"Saving {self._name} failed. Save it again."

    @property
    def _name(self) -> str:
        return os.path.basename(self.path)

    def _failed(self, reason: str) -> str:
        return f"Saving {self._name} failed ({reason})."

    def _finish(self, text: str) -> None:
        self._result = text

    def _read(self, stderr: IO[bytes]) -> None:
        """Reads the messages of the process until it closes the stream."""
        text = ""
        while chunk := stderr.read(4096):
            # A progress bar starts its line with "\r" and does not end it.
            text += chunk.decode(errors="replace")
            lines = re.split(r"[\r\n]+", text)
            text = lines[-1]
            messages = [line.strip() for line in lines if line.strip()]
            if messages:
                self._line = messages[-1]

    def _follow(self) -> str:
        """Runs the process to its end. Returns the result as a sentence."""
        process = self._launch(
            self._command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,  # messages arrive at once
        )
        assert process.stderr is not None
        with process.stderr as stderr:
            self._read(stderr)
        status = process.wait()
        if status == 0:
            return f"Saved {self.path}"
        if status == DAMAGED:
            return f"Saved {self.path} ({self._line.removeprefix('warning: ')})"
        if self._cancelled.is_set():
            return f"Saving {self._name} was stopped."
        if self._line.startswith("error: "):
            return self._line
        ending = exit_text(status)
        return f"Saving {self._name} failed ({ending}). Save it again."
