"""Texts of the window's status line. Nothing here imports Tk."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from typing import Final

import numpy as np

from ethos_data.topology import face_size
from gui.viewer.engine import LOADING, NO_MODEL, EngineState
from gui.viewer.player import PlayerState
from gui.viewer.view import View

NOTICE_SECONDS: Final = 8.0
"""How long a notice is shown."""

WAITING_SECONDS: Final = 3.0
"""Time after which an unanswered request is shown."""


@dataclasses.dataclass(frozen=True)
class Status:
    """A sentence for the status line.

    Attributes:
      text: The sentence.
      mood: "good", "warning" or "busy"; selects the colour.
    """

    text: str
    mood: str


class Notice:
    """A text that is shown for some seconds.

    Attributes:
      lasting: Text that is shown while there is no such text, for example an error that
        still exists; "" for none.
    """

    def __init__(self) -> None:
        self.lasting = ""
        self._text = ""
        self._end = 0.0

    def show(self, text: str) -> None:
        """Replaces the text."""
        self._text, self._end = text, time.monotonic() + NOTICE_SECONDS

    @property
    def text(self) -> str:
        """The text; `lasting` when its time is over."""
        return self._text if time.monotonic() < self._end else self.lasting


def describe(
    view: View | None, player: PlayerState, engine: EngineState, fault: str = ""
) -> Status:
    """The most important thing to report now.

    Args:
      view: The frame on the screen; None before the first frame.
      player: State of the player.
      engine: State of the engine.
      fault: Text about a thread that failed, or "".
    """
    if fault:
        return Status(shortened(fault), "warning")
    if player.error:
        return Status(shortened(player.error), "warning")
    if engine.phase == NO_MODEL:
        return Status(shortened(engine.error), "warning")
    if engine.phase == LOADING:
        return Status("Loading the model …", "busy")
    waiting = time.monotonic() - engine.asked if engine.asked is not None else 0.0
    if waiting > WAITING_SECONDS:
        return Status(f"Waiting for the model ({waiting:.0f} s) …", "warning")
    if player.opening:
        return Status("Opening …", "busy")
    if view is None or player.info is None:
        return Status("Load a video to begin", "busy")
    if view.error:
        return Status(f"The model failed on this frame: {view.error}", "warning")
    return _faces(view)


def _faces(view: View) -> Status:
    """How many faces a frame has, and how many of them are unsure."""
    count = len(view.faces)
    if not count:
        return Status("No face", "warning")
    text = "1 face" if count == 1 else f"{count} faces"
    if view.skipped:
        text = f"{count} of {count + view.skipped} faces are tracked"
    unsure = sum(face.unsure for face in view.faces)
    if unsure:
        text += ", unsure" if unsure == count else f", {unsure} unsure"
    return Status(text, "warning" if unsure or view.skipped else "good")


def shortened(text: str) -> str:
    """A message whose first path is reduced to its last part, to fit into a line."""
    parts = text.split(": ")
    for number, part in enumerate(parts[:-1]):
        if os.sep in part:
            parts[number] = os.path.basename(os.path.normpath(part))
            break
    return ": ".join(parts)


def difference(view: View) -> str:
    """How far the degradation moved the landmarks; "" without a comparison."""
    if not view.compared:
        return ""
    if not view.reference:
        return "no face in the clean frame"
    if not view.faces:
        return "no face in the degraded frame"
    shifts = []
    for face in view.faces:
        distances = [np.abs(other.box - face.box).mean() for other in view.reference]
        nearest = view.reference[int(np.argmin(distances))]
        moved = face.face.landmarks[:, :2] - nearest.face.landmarks[:, :2]
        size = float(face_size(nearest.box))
        shifts.append(100 * np.linalg.norm(moved, axis=-1).mean() / max(size, 1e-6))
    return f"landmarks moved by {np.mean(shifts):.1f} % of the face size"


def stages(view: View, paint_ms: float) -> str:
    """Duration of each stage and the frame rate.

    Args:
      view: The frame on the screen.
      paint_ms: Duration of the drawing, in milliseconds.
    """
    shown = ("degrade", "detect", "predict", "fuse")
    parts = [
        f"{name} {view.timings[name]:.0f}"
        for name in shown
        if view.timings.get(name, 0) >= 0.5
    ]
    parts.append(f"draw {paint_ms:.0f} ms")
    if view.fps >= 0.5:
        parts.append(f"{view.fps:.0f} frames/s")
    return " · ".join(parts)


def clock(seconds: float) -> str:
    """A time as text, for example 12.34 s as "0:12.34"."""
    seconds = max(0.0, seconds)
    minutes, rest = divmod(round(seconds * 100), 6000)
    return f"{minutes}:{rest // 100:02d}.{rest % 100:02d}"


def parse_clock(text: str) -> float | None:
    """The time of a text such as "1:02.5", "62.5" or "1:00:03".

    Returns:
      The time in seconds; None if the text is not a time.
    """
    try:
        parts = [float(part) for part in text.strip().split(":")]
    except ValueError:
        return None
    if not 1 <= len(parts) <= 3 or not all(0 <= part < math.inf for part in parts):
        return None
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + part
    return seconds
