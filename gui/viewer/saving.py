"""The Save menu: what is on the screen at once, the whole video in another process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data.errors import EthosError
from gui.degradation import VideoDegradation
from gui.drawing import export, tables
from gui.drawing.overlay import DRAWN, OverlayOptions
from gui.viewer.painter import Painting
from gui.viewer.session import Setup

ANNOTATE: Final = (sys.executable, "-P", "-m", "gui.annotate")
"""-P: a folder `gui` where the viewer was started is not ours."""


def save_picture(path: str, painting: Painting) -> None:
    """The panels as they are: source at the left, reconstructions at the right."""
    picture = painting.source
    height = picture.shape[0]
    column = [tile for tile in painting.tiles.values() if tile.shape[0] <= height]
    if column:
        side = column[0].shape[0]
        rows = max(1, height // side)
        columns = -(-len(column) // rows)
        sheet = np.zeros((height, columns * side, 3), np.uint8)
        sheet[:] = picture[0, 0] if painting.offset != (0, 0) else (24, 26, 31)
        for number, tile in enumerate(column):
            y, x = side * (number % rows), side * (number // rows)
            sheet[y : y + side, x : x + side] = tile
        picture = np.concatenate([picture, sheet], axis=1)
    export.save_png(path, picture)


def save_depth(path: str, painting: Painting) -> None:
    """Depth of the chosen face as 16-bit PNG."""
    if painting.chosen is None:
        raise EthosError("There is no face in this frame to save the depth of")
    export.save_depth_png(path, painting.chosen.face)


def save_mesh(path: str, painting: Painting) -> None:
    """The chosen face as a mesh, .ply or .obj."""
    if painting.chosen is None:
        raise EthosError("There is no face in this frame to save a mesh of")
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
    """Arguments of ethos-annotate that give what the window shows."""
    suffix = path.lower().rsplit(".", 1)[-1]
    kind = f"--{suffix}" if f".{suffix}" in tables.TABLE_SUFFIXES else "--output"
    flags = [video, kind, path, "--detector", setup.detector, "--overwrite"]
    if setup.model_dir:
        flags += ["--model", setup.model_dir]
    drawn = [name for name in DRAWN if getattr(overlay, name)]
    flags += ["--beside", *kinds, "--draw", *drawn]
    flags += ["--uncertainty", overlay.uncertainty]
    if not smoothing:
        flags.append("--no_smoothing")
    return flags + degradation.flags()


class VideoJob(threading.Thread):
    """Runs ethos-annotate beside the window and listens to it.

    Attributes:
      path: what is written.
      line: the last line that it said.
      status: None while it runs, then its exit status.
    """

    def __init__(
        self, path: str, flags: Sequence[str], command: Sequence[str] = ANNOTATE
    ) -> None:
        super().__init__(name="ethos-save", daemon=True)
        self.path, self.line = path, "starting"
        self.status: int | None = None
        self._command = [*command, *flags]
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = threading.Event()

    def run(self) -> None:
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            self.line, self.status = f"error: {error}", 1
            return
        if self._cancelled.is_set():
            self._process.terminate()
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self.line = line.strip()
        self._process.stderr.close()
        self.status = self._process.wait()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stops the process; nothing half-written stays."""
        self._cancelled.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        if self.is_alive():
            self.join(timeout=5)
