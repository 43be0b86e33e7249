"""What the keys and buttons of the correction mode do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gui.correction.groups import EDITED

if TYPE_CHECKING:
    from gui.widgets.correction.mode import CorrectionMode

NUDGE: Final = 0.1
MOVE: Final = 1.0
"""Distances of the arrow keys, in source pixels: alone and with Shift."""

DEGREES: Final = 1.0
FACTOR: Final = 1.01
"""Rotation and scaling of one key press or step of the wheel."""

_ARROWS: Final = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def actions(mode: CorrectionMode) -> dict[str, Callable[[], None]]:
    """The function of each action of `keys.KEYS`."""
    editor, player = mode.editor, mode.player

    def edit(function: Callable[..., str | None], *arguments: float) -> Callable:
        return lambda: mode.do(lambda: function(*arguments))

    result: dict[str, Callable[[], None]] = {
        "leave": mode.leave,
        "play_video": mode.play,
        "next_landmark": edit(editor.step, 1),
        "previous_landmark": edit(editor.step, -1),
        "turn_left": edit(editor.turn, -DEGREES),
        "turn_right": edit(editor.turn, DEGREES),
        "shrink": edit(editor.scale, 1 / FACTOR),
        "grow": edit(editor.scale, FACTOR),
        "mirror": edit(editor.mirror),
        "visible": edit(editor.toggle_visible),
        "keep": edit(editor.keep),
        "delete": edit(editor.remove),
        "undo": lambda: mode.go_back(editor.undo(), "undo"),
        "redo": lambda: mode.go_back(editor.redo(), "repeat"),
        "add": mode.start_adding,
        "next_face": lambda: mode.go_to_face(1),
        "previous_face": lambda: mode.go_to_face(-1),
        "next_frame": lambda: player.step(1),
        "previous_frame": lambda: player.step(-1),
        "next_corrected": lambda: mode.go_to_corrected(1),
        "previous_corrected": lambda: mode.go_to_corrected(-1),
        "suggest": mode.suggest,
        "fit": mode.fit,
    }
    for name, (dx, dy) in _ARROWS.items():
        result[f"nudge_{name}"] = edit(editor.nudge, NUDGE * dx, NUDGE * dy)
        result[f"move_{name}"] = edit(editor.nudge, MOVE * dx, MOVE * dy)
    for number in range(len(EDITED)):
        result[f"part_{number}"] = edit(functools.partial(editor.select_part, number))
    return result
