"""Numbers of the parts of a person's mesh."""

from typing import Final

FACE: Final = 0
"""Skin between the ears, from the hairline to the throat."""

HEAD: Final = 1
"""Scalp, ears, nape and neck."""

MOUTH: Final = 2
"""Inside of the mouth."""

SOCKET: Final = 3
"""Inside of the eyelids."""

TEETH: Final = 4
"""Upper and lower teeth."""

EYE: Final = 5
"""Eyeballs with sclera, iris and pupil."""

HAIR: Final = 6
"""Hair. This part and the following ones belong to a `Figure`, not to a `HeadModel`."""

CLOTH: Final = 7
"""Clothes on the shoulders and the chest."""

GLASSES: Final = 8
"""Rims, temples and dark lenses of glasses."""

NO_PART: Final = 255
"""Background of an image, or a vertex of a head file that is not drawn."""
