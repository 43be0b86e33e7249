"""Corrected faces for the tests of the correction mode."""

from __future__ import annotations

import numpy as np

from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.visibility import VISIBLE
from gui.correction.document import corrected_face
from tests.gui import fakes


def points_in(box: tuple[float, float, float, float]) -> np.ndarray:
    """The drawn face in a box, float64 (68, 2)."""
    low, high = np.array(box[:2]), np.array(box[2:])
    return low + fakes.template()[:, :2] * (high - low)


def face(
    frame: int, person: int = 1, x: float = 60.0, image: str = ""
) -> CorrectedFace:
    """A corrected face whose left edge is at `x`."""
    points = points_in((x, 40.0, x + 50.0, 100.0))
    visible = np.full(68, VISIBLE, np.uint8)
    return corrected_face(frame, frame / 25, person, points, visible, image)
