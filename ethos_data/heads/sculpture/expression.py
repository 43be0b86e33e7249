"""How the built-in head moves: its expression shapes.

The names are those of ICT-FaceKit, which follow Apple's ARKit. Where ARKit has two
shapes that always move together, there is a single one.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_data.heads.geometry import smoothstep
from ethos_data.heads.parts import EYE, SOCKET, TEETH
from ethos_data.heads.sculpture.curves import (
    LID_START,
    LID_STOP,
    lip_seam,
    lower_lid,
    upper_lid,
)
from ethos_data.heads.sculpture.displacement import Vector, X, Y, Z, bump, turned
from ethos_data.heads.sculpture.field import EYE_CENTER, EYE_RADIUS

_JAW_HINGE: Final = np.array((0.0, 1.6, 1.0))
"""Point on the axis about which the jaw turns, (3,), in cm."""


def expression_shapes(vertices: np.ndarray, parts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the expression shapes by name.

    Args:
      vertices: Vertices of the neutral head, (N, 3), in cm.
      parts: Part of each vertex, (N,).

    Returns:
      Displacements at coefficient 1, float64 (N, 3), in cm. Names that end with "_L" or
      "_R" move the person's left or right side.
    """
    shapes = _central_shapes(vertices, parts)
    for side, letter in ((1, "L"), (-1, "R")):
        one_sided = {
            **_eye_shapes(vertices, parts, side),
            **_brow_and_cheek_shapes(vertices, parts, side),
            **_mouth_shapes(vertices, parts, side),
        }
        shapes |= {f"{name}_{letter}": shape for name, shape in one_sided.items()}
    return shapes


def _central_shapes(p: np.ndarray, parts: np.ndarray) -> dict[str, np.ndarray]:
    """The shapes that are not specific to a side."""
    jaw = _jaw_weight(p, parts)
    is_not_teeth = (parts != TEETH)[:, None]
    lips = bump(p, (0, -3.5, 11), (2.4, 1.2, 2.2)) * is_not_teeth
    down = turned(p, _JAW_HINGE, 0, 17)
    return {
        "jawOpen": jaw * down,
        "jawForward": jaw * 0.7 * Z,
        "jawLeft": jaw * 0.7 * X,
        "jawRight": jaw * -0.7 * X,
        "mouthLeft": lips * 0.8 * X,
        "mouthRight": lips * -0.8 * X,
        "mouthPucker": lips * (p * (-0.38, 0, 0) + 0.75 * Z),
        "mouthFunnel": lips * (p * (-0.28, 0, 0) + 0.6 * Z + (1 - 2 * jaw) * 0.3 * Y),
        "mouthPress": lips * (2 * jaw - 1) * np.abs(p[:, 1:2] + 3.46) * 0.35 * Y,
    }


def _eye_shapes(p: np.ndarray, parts: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """The shapes of the eyeball and the lids on a side (1 for left, -1 for right)."""
    is_eye = (parts == EYE)[:, None] & (side * p[:, :1] > 0)

    def look(axis: int, degrees: float) -> np.ndarray:
        return is_eye * turned(p, EYE_CENTER * (side, 1, 1), axis, degrees)

    def lids(close: float, lift: float) -> np.ndarray:
        return _lid_shape(p, parts, side, close, lift)

    return {
        "eyeLookIn": look(1, -side * 22),
        "eyeLookOut": look(1, side * 22),
        "eyeLookUp": look(0, -20) + lids(-0.15, 0),
        "eyeLookDown": look(0, 20) + lids(0.45, 0),
        # The eyeball moves back as the lids close, so that it never shows through them.
        "eyeBlink": lids(1.02, 0.0) - 0.15 * is_eye * Z,
        "eyeSquint": lids(0.2, 0.3) + 0.15 * _cheek(p, side) * Y,
        "eyeWide": lids(-0.25, -0.1),
    }


def _brow_and_cheek_shapes(
    p: np.ndarray, parts: np.ndarray, side: int
) -> dict[str, np.ndarray]:
    """The shapes of brow and cheek on a side (1 for left, -1 for right)."""
    outward = side * X
    half = smoothstep(side * p[:, :1], -1.2, 1.2) * (parts != EYE)[:, None]
    inner = bump(p, (side * 1.6, 5.6, 10), (1.4, 1.1, 2))
    outer = bump(p, (side * 4.6, 5.5, 8), (1.5, 1.1, 2))
    lower_cheek = bump(p, (side * 3.9, -2.6, 8.2), (1.6, 1.7, 2.2))
    return {
        "browDown": half * (0.5 * (inner + 0.5 * outer) * (-Y) - 0.2 * inner * outward),
        "browInnerUp": half * 0.75 * inner * Y,
        "browOuterUp": half * 0.75 * outer * Y,
        "cheekPuff": 0.9 * lower_cheek * (outward + 0.6 * Z),
        "cheekSquint": 0.4 * _cheek(p, side) * (Y + 0.4 * Z),
    }


def _mouth_shapes(p: np.ndarray, parts: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """The shapes of mouth and nose on a side (1 for left, -1 for right)."""
    outward = side * X
    is_not_teeth = (parts != TEETH)[:, None]
    jaw = _jaw_weight(p, parts)

    def at(x: float, y: float, z: float, radius: Vector) -> np.ndarray:
        return bump(p, (side * x, y, z), radius)

    corner = at(2.3, -3.5, 10, (1.25, 1.1, 1.8)) * is_not_teeth
    upper_lip = at(1.0, -2.8, 11.2, (1.0, 0.7, 1.5)) * is_not_teeth * (1 - jaw)
    lower_lip = at(0.9, -4.1, 11.0, (1.0, 0.7, 1.5)) * is_not_teeth * jaw
    nostril = at(1.3, 0.4, 10.8, (0.9, 1.2, 1.2))
    cheek = _cheek(p, side)
    return {
        "mouthSmile": corner * (0.75 * outward + 0.75 * Y - 0.5 * Z)
        + cheek * (0.2 * outward + 0.3 * Y + 0.3 * Z),
        "mouthFrown": corner * (-0.65 * Y + 0.1 * outward),
        "mouthStretch": corner * (0.7 * outward - 0.2 * Y - 0.5 * Z),
        "mouthUpperUp": 0.55 * upper_lip * Y,
        "mouthLowerDown": -0.6 * lower_lip * Y,
        "noseSneer": 0.4 * nostril * Y + 0.2 * upper_lip * Y,
    }


def _cheek(p: np.ndarray, side: int) -> np.ndarray:
    """Weight (N, 1) of the cheek below the eye."""
    return bump(p, (side * 3.7, -0.2, 8.4), (1.4, 1.3, 1.8))


def _jaw_weight(p: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """How much each vertex moves with the jaw, (N, 1), from 0 to 1."""
    x, y = np.abs(p[:, :1]), p[:, 1:2]
    seam = lip_seam(np.minimum(x, 2.2))
    # The limit is sharp between the lips and wide over the cheeks.
    width = 0.004 + 3.4 * smoothstep(x, 1.95, 4.0)
    below = smoothstep(seam - y, -width, width)
    # The corners of the mouth stay together, and the lips near them move less.
    near_seam = np.exp(-np.square((y - seam) / 0.9))
    below = 0.5 + (below - 0.5) * (1 - smoothstep(x, 0.8, 2.1) * near_seam)
    below = np.where(parts[:, None] == TEETH, y < -3.56, below)
    # The neck does not move with the jaw.
    return below * smoothstep(y + 0.5 * np.maximum(p[:, 2:] - 6, 0), -14, -8.5)


def _lid_shape(
    p: np.ndarray, parts: np.ndarray, side: int, close: float, lift: float
) -> np.ndarray:
    """Moves the lids of an eye.

    Args:
      p: Vertices, (N, 3), in cm.
      parts: Part of each vertex, (N,).
      side: 1 for the left eye, -1 for the right eye.
      close: How far the upper lid moves down, as a share of the eye's opening.
      lift: How far the lower lid moves up, as a share of the eye's opening.

    Returns:
      Displacements, (N, 3), in cm.
    """
    center = EYE_CENTER * (side, 1, 1)
    x = np.clip(p[:, 0] * side, LID_START, LID_STOP)
    y = p[:, 1]
    opening = upper_lid(x) - lower_lid(x)
    is_near = (parts != EYE) & (p[:, 2] > 7.0) & (np.abs(p[:, 0] * side - 3.1) < 2.0)
    is_upper = y > (upper_lid(x) + lower_lid(x)) / 2
    above, below = y - upper_lid(x), lower_lid(x) - y
    down = close * opening * (1 - smoothstep(above, 0.0, 0.85)) * is_upper
    up = lift * opening * (1 - smoothstep(below, 0.0, 0.7)) * ~is_upper
    moved = p.copy()
    moved[:, 1] += np.where(is_near, up - down, 0)
    # A lid slides over the eyeball and does not cut through it.
    outward = moved - center
    reach = np.linalg.norm(outward, axis=1)
    clearance = EYE_RADIUS + np.where(parts == SOCKET, 0.03, 0.2)
    is_pushed = is_near & ((np.abs(down) + np.abs(up)) > 1e-6) & (reach < clearance)
    scale = (clearance / reach)[is_pushed, None]
    moved[is_pushed] = center + outward[is_pushed] * scale
    return moved - p
