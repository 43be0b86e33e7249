"""The parts of a head's mesh, as a number for each triangle."""

from typing import Final

FACE: Final = 0
"""Skin between the ears, from the hairline to the throat."""

HEAD: Final = 1
"""Scalp, ears, nape and neck."""

MOUTH: Final = 2
"""The inside of the mouth."""

SOCKET: Final = 3
"""The inside of the eyelids."""

TEETH: Final = 4
"""Upper and lower teeth."""

EYE: Final = 5
"""Eyeballs, with sclera, iris and pupil."""
