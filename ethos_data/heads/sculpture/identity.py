"""How the built-in head varies between people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from ethos_data.heads.geometry import smoothstep
from ethos_data.heads.parts import EYE
from ethos_data.heads.sculpture.displacement import X, Y, Z, bump, sideways, two_bumps

_Shape = Callable[[np.ndarray], np.ndarray]


def _large_eyes(p: np.ndarray) -> np.ndarray:
    weight = 0.08 * two_bumps(p, (3.0, 3.4, 9.3), (1.5, 0.8, 1))
    height = p[:, 1:2] - 3.35  # above the centre of the eye
    return weight * np.sign(height) * Y * np.minimum(1, np.abs(height) / 0.4)


_SHAPES: Final[tuple[_Shape, ...]] = (
    # Functions from vertices (N, 3) in cm to the displacements (N, 3) in cm for one
    # standard deviation.
    lambda p: p * (0.035, 0, 0),  # wide head
    lambda p: (p - (0, 3.4, 0)) * (0, 0.035, 0),  # long face
    lambda p: p * (0, 0, 0.03) * smoothstep(p[:, 1:2], 14, 6),  # deep head
    lambda p: (p - (0, 3, 0)) * 0.025,  # large head
    lambda p: 0.4 * two_bumps(p, (5.6, -4.5, 4), 3.2) * sideways(p) * X,  # broad jaw
    lambda p: 0.3 * bump(p, (0, -6.8, 9.5), (2.6, 2.0, 3)) * Z,  # chin forward
    lambda p: -0.32 * bump(p, (0, -7.2, 8.5), (4, 2.6, 5)) * Y,  # long chin
    lambda p: (  # broad nose
        0.2 * two_bumps(p, (1.2, -0.3, 11), (1.0, 1.1, 1.4)) * sideways(p) * X
    ),
    lambda p: 0.3 * bump(p, (0, 0.3, 12.4), (1.3, 1.4, 1.7)) * Z,  # nose forward
    lambda p: -0.25 * bump(p, (0, -0.3, 11.8), (1.5, 1.5, 2)) * Y,  # long nose
    lambda p: 0.17 * bump(p, (0, 2.5, 11), (0.7, 1.0, 1.2)) * Z,  # high nose bridge
    lambda p: (  # broad nose bridge
        0.12 * two_bumps(p, (0.9, 2.6, 10.4), (0.6, 1.7, 1)) * sideways(p) * X
    ),
    lambda p: 0.25 * two_bumps(p, (2.9, 5.3, 9.2), (2.0, 0.9, 1.6)) * Z,  # brow ridges
    lambda p: 0.3 * two_bumps(p, (3, 5.7, 9.4), (2.4, 1.0, 2)) * Y,  # high brows
    lambda p: (  # eyes far apart
        0.12 * two_bumps(p, (3.1, 3.4, 9), (2.0, 1.6, 2)) * sideways(p) * X
    ),
    _large_eyes,
    lambda p: 0.14 * two_bumps(p, (4.4, 3.4, 8.6), (0.8, 0.8, 1)) * Y,  # slanting eyes
    lambda p: (  # cheekbones outward
        0.4 * two_bumps(p, (4.7, 1.2, 7.5), (2, 1.8, 2)) * (sideways(p) * X + Z) * 0.7
    ),
    lambda p: (  # full cheeks
        0.35 * two_bumps(p, (3.9, -2.2, 7.4), (1.8, 2.2, 2.4)) * (sideways(p) * X + Z)
    ),
    lambda p: (  # wide mouth
        0.24 * two_bumps(p, (2.4, -3.5, 10), (1.3, 1.2, 1.3)) * sideways(p) * X
    ),
    lambda p: (  # full upper lip
        0.16 * bump(p, (0, -2.75, 11.6), (1.5, 0.5, 1)) * (Z + 0.5 * Y)
    ),
    lambda p: (  # full lower lip
        0.18 * bump(p, (0, -4.2, 11.3), (1.5, 0.55, 1)) * (Z - 0.5 * Y)
    ),
    lambda p: 0.25 * bump(p, (0, -3.4, 10.8), (2.8, 1.5, 2.5)) * Z,  # jaws forward
    lambda p: 0.22 * bump(p, (0, -2.6, 11.3), (2.8, 1.6, 2.5)) * Y,  # high mouth
    lambda p: 0.5 * bump(p, (0, 9, 7.5), (5, 2.6, 4)) * Z,  # steep forehead
    lambda p: 0.06 * p * (1, 0, 1) * smoothstep(p[:, 1:2], -6, -10),  # thick neck
    lambda p: (  # protruding ears
        0.35 * two_bumps(p, (7.8, 1.8, -0.8), (1.2, 3.2, 2.5)) * sideways(p) * X
    ),
)


def identity_shapes(
    vertices: np.ndarray, parts: np.ndarray, landmarks: np.ndarray
) -> np.ndarray:
    """Returns the identity shapes.

    Args:
      vertices: Vertices of the neutral head, (N, 3), in cm.
      parts: Part of each vertex, (N,).
      landmarks: Vertices of the 68 landmarks, (68,).

    Returns:
      Displacements for one standard deviation, float64 (I, N, 3), in cm.
    """
    shapes = []
    for displacement in _SHAPES:
        shape = displacement(vertices) * np.ones(3)
        # An eyeball moves as a whole, with the mean of its lids' edges. It thus stays
        # round and behind the lids.
        for side, lids in ((-1, slice(36, 42)), (1, slice(42, 48))):
            is_eye = (parts == EYE) & (side * vertices[:, 0] > 0)
            shape[is_eye] = shape[landmarks[lids]].mean(axis=0)
        shapes.append(shape)
    return np.stack(shapes)
