"""Parts of the face that are edited together, and the names of the landmarks."""

from __future__ import annotations

import dataclasses
from typing import Final

from ethos_data.topology import GROUPS, NUM_LANDMARKS


@dataclasses.dataclass(frozen=True)
class Group:
    """A part of the face.

    Attributes:
      name: Name for the user.
      landmarks: Indices of its landmarks, ascending.
    """

    name: str
    landmarks: tuple[int, ...]


def _group(name: str, *parts: str) -> Group:
    return Group(name, tuple(index for part in parts for index in GROUPS[part]))


FACE: Final = Group("Whole face", tuple(range(NUM_LANDMARKS)))

EDITED: Final = (
    FACE,
    _group("Outline", "jaw"),
    _group("Right eyebrow", "right_eyebrow"),
    _group("Left eyebrow", "left_eyebrow"),
    _group("Nose", "nose_bridge", "nose_base"),
    _group("Right eye", "right_eye"),
    _group("Left eye", "left_eye"),
    _group("Mouth", "outer_lip", "inner_lip"),
)
"""The parts that can be moved, rotated and scaled. Key k selects the part k."""

_LABELS: Final = {
    "jaw": "outline",
    "right_eyebrow": "right eyebrow",
    "left_eyebrow": "left eyebrow",
    "nose_bridge": "bridge of the nose",
    "nose_base": "base of the nose",
    "right_eye": "right eye",
    "left_eye": "left eye",
    "outer_lip": "outer edge of the lips",
    "inner_lip": "inner edge of the lips",
}

_SPECIAL: Final = {
    0: "at the right ear",
    8: "chin",
    16: "at the left ear",
    17: "outer end",
    21: "inner end",
    22: "inner end",
    26: "outer end",
    27: "top",
    30: "tip",
    31: "right wing",
    33: "middle",
    35: "left wing",
    36: "outer corner",
    39: "inner corner",
    42: "inner corner",
    45: "outer corner",
    48: "right corner",
    51: "top",
    54: "left corner",
    57: "bottom",
    60: "right corner",
    62: "top",
    64: "left corner",
    66: "bottom",
}


def group_of(landmark: int) -> int:
    """Returns the number in `EDITED` of the part that contains a landmark."""
    return next(
        number
        for number, group in enumerate(EDITED)
        if number and landmark in group.landmarks
    )


def landmark_name(landmark: int) -> str:
    """Returns the number and the name of a landmark.

    Example:
      landmark_name(36)    # "36, right eye, outer corner"
    """
    part = next(name for name, group in GROUPS.items() if landmark in group)
    words = [str(landmark), _LABELS[part]]
    if landmark in _SPECIAL:
        words.append(_SPECIAL[landmark])
    elif part.endswith("_eye"):
        place = landmark - GROUPS[part][0]
        words.append("upper lid" if place < 3 else "lower lid")
    return ", ".join(words)
