"""What the window says of the moment, in plain words. No Tk here."""

from __future__ import annotations

import dataclasses
import math
import os

import numpy as np

from ethos_data.topology import face_size
from gui.viewer.engine import LOADING, NO_MODEL, View
from gui.viewer.player import PlayerState


@dataclasses.dataclass(frozen=True)
class Status:
    """A sentence and how it is meant: "good", "warning" or "busy"."""

    text: str
    mood: str


def describe(
    view: View | None, player: PlayerState, engine_state: str, engine_error: str
) -> Status:
    """The most important thing to say now."""
    if player.error:
        return Status(shortened(player.error), "warning")
    if engine_state == NO_MODEL:
        return Status(shortened(f"Model: {engine_error}"), "warning")
    if engine_state == LOADING:
        return Status("Loading model …", "busy")
    if player.opening:
        return Status("Opening …", "busy")
    if view is None or player.info is None:
        return Status("Load a video to begin", "busy")
    if not view.faces:
        return Status("No face", "warning")
    unsure = sum(face.unsure for face in view.faces)
    count = len(view.faces)
    faces = "1 face" if count == 1 else f"{count} faces"
    if unsure == count:
        return Status(f"{faces}, unsure", "warning")
    if unsure:
        return Status(f"{faces}, {unsure} unsure", "warning")
    return Status(faces, "good")


def shortened(text: str) -> str:
    """A message that fits into a line: of the path that it names only the last part."""
    parts = text.split(": ")
    for number, part in enumerate(parts[:-1]):
        if os.sep in part:
            parts[number] = os.path.basename(os.path.normpath(part))
            break
    return ": ".join(parts)


def difference(view: View) -> str:
    """How far degradation moved the landmarks, or "" where nothing is compared."""
    if not view.compared:
        return ""
    if not view.reference:
        return "no face in the clean frame"
    if not view.faces:
        return "face lost by degradation"
    shifts = []
    for face in view.faces:
        centers = [np.abs(other.box - face.box).mean() for other in view.reference]
        other = view.reference[int(np.argmin(centers))]
        moved = face.face.landmarks[:, :2] - other.face.landmarks[:, :2]
        size = float(face_size(other.box))
        shifts.append(100 * np.linalg.norm(moved, axis=-1).mean() / max(size, 1e-6))
    return f"landmarks moved by {np.mean(shifts):.1f} % of the face size"


def stages(view: View, paint_ms: float) -> str:
    """Model's name and what each stage costs."""
    shown = ("degrade", "detect", "predict")
    parts = [
        f"{n} {view.timings[n]:.0f}" for n in shown if view.timings.get(n, 0) >= 0.5
    ]
    parts.append(f"draw {paint_ms:.0f} ms")
    if view.fps >= 0.5:
        parts.append(f"{view.fps:.0f} frames/s")
    return " · ".join(parts)


def clock(seconds: float) -> str:
    """12.34 as "0:12.34"."""
    seconds = max(0.0, seconds)
    minutes, rest = divmod(round(seconds * 100), 6000)
    return f"{minutes}:{rest // 100:02d}.{rest % 100:02d}"


def parse_clock(text: str) -> float | None:
    """ "1:02.5", "62.5" or "1:00:03" as seconds; None if it is no time."""
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
