"""Keys and mouse of the correction mode, as data."""

from __future__ import annotations

from typing import Final

from gui.correction.groups import EDITED
from gui.widgets.shortcuts import SHORTCUTS, Lines, Shortcut, lines

_PARTS: Final = ", ".join(group.name.lower() for group in EDITED)

KEYS: Final = (
    Shortcut("leave", ("<c>", "<Escape>"), "C or Esc", "Leave the correction mode"),
    Shortcut("play_video", ("<space>",), "Space", "Leave the mode and play"),
    Shortcut("nudge_left", ("<Left>",), "← ↑ → ↓", "Move by 0.1 pixels"),
    Shortcut("nudge_up", ("<Up>",), "", ""),
    Shortcut("nudge_right", ("<Right>",), "", ""),
    Shortcut("nudge_down", ("<Down>",), "", ""),
    Shortcut("move_left", ("<Shift-Left>",), "Shift+arrow", "Move by 1 pixel"),
    Shortcut("move_up", ("<Shift-Up>",), "", ""),
    Shortcut("move_right", ("<Shift-Right>",), "", ""),
    Shortcut("move_down", ("<Shift-Down>",), "", ""),
    Shortcut("next_landmark", ("<Tab>",), "Tab", "Select the next landmark"),
    Shortcut(
        "previous_landmark",
        ("<Shift-Tab>", "<ISO_Left_Tab>"),
        "Shift+Tab",
        "Select the previous landmark",
    ),
    *(
        Shortcut(
            f"part_{number}",
            (f"<Key-{number}>",),
            "0 to 7" if number == 0 else "",
            f"Select a part: {_PARTS}" if number == 0 else "",
        )
        for number in range(len(EDITED))
    ),
    Shortcut("turn_left", ("<bracketleft>",), "[ and ]", "Rotate the part by 1°"),
    Shortcut("turn_right", ("<bracketright>",), "", ""),
    Shortcut("shrink", ("<minus>",), "− and +", "Scale the part by 1 %"),
    Shortcut("grow", ("<plus>", "<equal>"), "", ""),
    Shortcut(
        "mirror",
        ("<m>",),
        "M",
        "Replace the half with the selected landmark by the mirrored other half",
    ),
    Shortcut("visible", ("<v>",), "V", "Hidden or visible (hidden: hollow handles)"),
    Shortcut("undo", ("<Control-z>",), "Ctrl+Z", "Undo"),
    Shortcut(
        "redo", ("<Control-Shift-z>", "<Control-y>"), "Ctrl+Shift+Z, Ctrl+Y", "Redo"
    ),
    Shortcut("keep", ("<Return>",), "Enter", "Keep the landmarks: they are right"),
    Shortcut("delete", ("<Delete>",), "Delete", "Remove the correction of this face"),
    Shortcut("add", ("<a>",), "A", "Add a face: drag a box around it"),
    Shortcut("next_face", ("<Next>",), "Page ↓", "Next face of the frame"),
    Shortcut("previous_face", ("<Prior>",), "Page ↑", "Previous face of the frame"),
    Shortcut("next_frame", ("<period>",), ". and ,", "Next and previous frame"),
    Shortcut("previous_frame", ("<comma>",), "", ""),
    Shortcut(
        "next_corrected",
        ("<Control-Right>",),
        "Ctrl+→, Ctrl+←",
        "Next and previous corrected frame",
    ),
    Shortcut("previous_corrected", ("<Control-Left>",), "", ""),
    Shortcut("suggest", ("<n>",), "N", "Go to the face that most needs a correction"),
    Shortcut("fit", ("<f>",), "F", "Show the whole face"),
)
"""The keys in the correction mode. They have precedence over those of the viewer. An
entry without a text belongs to the entry above it."""

MOUSE: Final = (
    ("Drag a handle", "Move the landmark, or the selected part"),
    ("Click", "Select a landmark"),
    ("Shift+click", "Select the part with the landmark"),
    ("Drag beside", "Move the view"),
    ("Wheel", "Zoom"),
    ("Shift+wheel", "Rotate the part"),
    ("Ctrl+wheel", "Scale the part"),
)
"""What the mouse does in the correction mode."""


def help_columns() -> dict[str, Lines]:
    """The lines of the help window, by the heading of their column."""
    return {
        "Viewer": lines(SHORTCUTS),
        "Correction mode": [*lines(KEYS), *MOUSE],
    }
