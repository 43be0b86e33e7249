"""The colours that carry a meaning. People with any colour vision can tell them apart.

The colours are those of Okabe and Ito, "Color Universal Design" (2008),
https://jfly.uni-koeln.de/color/.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from ethos_data.drawing import Color

ORANGE: Final = (230, 159, 0)
SKY_BLUE: Final = (86, 180, 233)
GREEN: Final = (0, 158, 115)
YELLOW: Final = (240, 228, 66)
BLUE: Final = (0, 114, 178)
VERMILLION: Final = (213, 94, 0)
PURPLE: Final = (204, 121, 167)
WHITE: Final = (235, 240, 245)
SHADOW: Final = (20, 22, 26)

PEOPLE: Final = (SKY_BLUE, ORANGE, GREEN, PURPLE, BLUE)
"""Colours of the people in the plot, the contact sheet and the boxes. They can be seen
on black and on white. The sixth person has the colour of the first, so the number of a
person is always shown too."""

SURE: Final = (SKY_BLUE, YELLOW, VERMILLION)
"""Colours of a landmark from sure to unsure."""

UNSURE: Final = VERMILLION
"""Colour of a face that may be none, and of warnings."""

REFERENCE: Final = PURPLE
"""Colour of the lines of the clean frame."""

CORRECTED: Final = GREEN
"""Colour of landmarks that the user has corrected."""

INTERPOLATED: Final = PURPLE
"""Colour of landmarks between two corrected frames."""

AXES: Final = (VERMILLION, GREEN, SKY_BLUE)
"""Colours of the axes of a head: to its side, up, and forward."""


@dataclasses.dataclass(frozen=True)
class Ink:
    """The colours of a drawing besides its data, each (R, G, B), 0 to 255.

    Attributes:
      background: Background.
      grid: Lines of minor importance.
      muted: Text of minor importance.
      text: Text.
    """

    background: Color = (24, 26, 31)
    grid: Color = (59, 66, 77)
    muted: Color = (153, 162, 174)
    text: Color = (231, 233, 236)


def person(number: int) -> Color:
    """The colour of a person.

    Args:
      number: Number of the person, from 1.
    """
    return PEOPLE[(number - 1) % len(PEOPLE)]
