"""The built-in head's eyeballs and teeth, and how the head varies and moves.

Identity and expression shapes are smooth fields of displacement, mostly a direction
times a Gaussian around a place on the face, evaluated at the neutral vertices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from scipy.interpolate import CubicSpline

from ethos_data.heads.parts import EYE, SOCKET, TEETH

EYE_CENTER: Final = np.array((3.08, 3.38, 8.25))
EYE_RADIUS: Final = 1.22

JAW_HINGE: Final = np.array((0.0, 1.6, 1.0))
"""A point on the axis about which the jaw turns, cm."""


lid_upper: Final = CubicSpline(
    (1.87, 2.4, 2.92, 3.55, 4.41), (3.22, 3.72, 3.96, 3.92, 3.44)
)
"""Height of the upper lid's edge over x of the left eye, cm."""
lid_lower: Final = CubicSpline(
    (1.87, 2.36, 2.92, 3.55, 4.41), (3.22, 3.03, 2.93, 3.0, 3.44)
)


def lip_seam(x: Any) -> Any:
    """Height at which the closed lips meet, cm."""
    return -3.46 - 0.02 * x**2 + 0.05 * np.cos(np.minimum(np.abs(x), 2.0) * np.pi)


def eyeball(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The front of an eyeball with its cornea; side is 1 (x > 0) or -1."""
    rings, segments = 12, 24
    angle = np.linspace(0, 0.62 * np.pi, rings + 1)[1:, None]
    turn = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    cornea = 0.07 * np.exp(-np.square(angle / 0.42))
    radius = EYE_RADIUS - 0.05 + cornea
    x, y = radius * np.sin(angle) * np.cos(turn), radius * np.sin(angle) * np.sin(turn)
    z = radius * np.cos(angle) + 0 * turn
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    points = np.concatenate([points, [(0, 0, EYE_RADIUS - 0.05 + 0.07)]])
    number = np.arange(rings * segments).reshape(rings, segments)
    following = np.roll(number, -1, axis=1)
    a, b, c, d = number[1:], following[1:], following[:-1], number[:-1]
    quads = [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    tip = np.full(segments, rings * segments)
    cap = np.stack([number[0], following[0], tip], -1)
    faces = np.concatenate([*(quad.reshape(-1, 3) for quad in quads), cap])
    return (
        points + EYE_CENTER * (side, 1, 1),
        faces,
        np.full(len(points), EYE),
    )


def teeth(upper: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A row of teeth: a curved band whose height ripples with each tooth."""
    count = 41
    x = np.linspace(-2.3, 2.3, count)
    z = 10.3 - 0.27 * x**2
    ripple = 0.05 * np.abs(np.sin(x * np.pi / 0.78))
    tops = np.full(count, -2.6 if upper else -3.62)
    ends = -3.5 - ripple * 0.6 if upper else np.full(count, -4.5)
    tops = tops if upper else tops - ripple
    bulge = 0.06 * np.abs(np.sin(x * np.pi / 0.78))
    rows = [tops, (tops + ends) / 2, ends]
    points = np.concatenate(
        [np.stack([x, y, z + bulge - 0.1 * abs(k - 1)], -1) for k, y in enumerate(rows)]
    )
    number = np.arange(3 * count).reshape(3, count)
    a, b = number[1:, :-1], number[1:, 1:]
    c, d = number[:-1, 1:], number[:-1, :-1]
    faces = np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    )
    return points, faces, np.full(len(points), TEETH)


def _bump(p: np.ndarray, center: tuple, radius: float | tuple) -> np.ndarray:
    """A Gaussian (N, 1), 1 at the center."""
    return np.exp(-np.square((p - center) / radius).sum(axis=1, keepdims=True) / 2)


def _step(low: Any, high: Any, value: np.ndarray) -> np.ndarray:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _both(p: np.ndarray, center: tuple, radius: float | tuple) -> np.ndarray:
    """A Gaussian around a place and one around its reflection."""
    x, y, z = center
    return _bump(p, center, radius) + _bump(p, (-x, y, z), radius)


def _sideways(p: np.ndarray) -> np.ndarray:
    """-1 on the right side to 1 on the left, smooth across the middle."""
    return np.tanh(p[:, :1] / 0.8)


_X, _Y, _Z = np.eye(3)
"""Directions of displacement."""

Field = Callable[[np.ndarray], np.ndarray]

IDENTITY: Final[tuple[Field, ...]] = (
    # Displacements (N, 3) in cm for one standard deviation.
    lambda p: p * (0.035, 0, 0),  # a wide head
    lambda p: (p - (0, 3.4, 0)) * (0, 0.035, 0),  # a long face
    lambda p: p * (0, 0, 0.03) * _step(14, 6, p[:, 1:2]),  # a deep head
    lambda p: (p - (0, 3, 0)) * 0.025,  # a large one
    lambda p: 0.4 * _both(p, (5.6, -4.5, 4), 3.2) * _sideways(p) * _X,  # a broad jaw
    lambda p: 0.3 * _bump(p, (0, -6.8, 9.5), (2.6, 2.0, 3)) * _Z,  # chin forward
    lambda p: -0.32 * _bump(p, (0, -7.2, 8.5), (4, 2.6, 5)) * _Y,  # a long chin
    lambda p: 0.2 * _both(p, (1.2, -0.3, 11), (1.0, 1.1, 1.4)) * _sideways(p) * _X,
    lambda p: 0.3 * _bump(p, (0, 0.3, 12.4), (1.3, 1.4, 1.7)) * _Z,  # nose forward
    lambda p: -0.25 * _bump(p, (0, -0.3, 11.8), (1.5, 1.5, 2)) * _Y,  # a long nose
    lambda p: 0.17 * _bump(p, (0, 2.5, 11), (0.7, 1.0, 1.2)) * _Z,  # its bridge high
    lambda p: 0.12 * _both(p, (0.9, 2.6, 10.4), (0.6, 1.7, 1)) * _sideways(p) * _X,
    lambda p: 0.25 * _both(p, (2.9, 5.3, 9.2), (2.0, 0.9, 1.6)) * _Z,  # brow ridges
    lambda p: 0.3 * _both(p, (3, 5.7, 9.4), (2.4, 1.0, 2)) * _Y,  # brows high
    lambda p: 0.12 * _both(p, (3.1, 3.4, 9), (2.0, 1.6, 2)) * _sideways(p) * _X,
    lambda p: (  # large eyes
        0.08
        * _both(p, (3.0, 3.4, 9.3), (1.5, 0.8, 1))
        * np.sign(p[:, 1:2] - 3.35)
        * _Y
        * np.minimum(1, np.abs(p[:, 1:2] - 3.35) / 0.4)
    ),
    lambda p: 0.14 * _both(p, (4.4, 3.4, 8.6), (0.8, 0.8, 1)) * _Y,  # slanting eyes
    lambda p: (
        0.4 * _both(p, (4.7, 1.2, 7.5), (2, 1.8, 2)) * (_sideways(p) * _X + _Z) * 0.7
    ),
    lambda p: (
        0.35 * _both(p, (3.9, -2.2, 7.4), (1.8, 2.2, 2.4)) * (_sideways(p) * _X + _Z)
    ),
    lambda p: 0.24 * _both(p, (2.4, -3.5, 10), (1.3, 1.2, 1.3)) * _sideways(p) * _X,
    lambda p: (
        0.16 * _bump(p, (0, -2.75, 11.6), (1.5, 0.5, 1)) * (_Z + 0.5 * _Y)
    ),  # lips
    lambda p: 0.18 * _bump(p, (0, -4.2, 11.3), (1.5, 0.55, 1)) * (_Z - 0.5 * _Y),
    lambda p: 0.25 * _bump(p, (0, -3.4, 10.8), (2.8, 1.5, 2.5)) * _Z,  # jaws forward
    lambda p: 0.22 * _bump(p, (0, -2.6, 11.3), (2.8, 1.6, 2.5)) * _Y,  # a high mouth
    lambda p: 0.5 * _bump(p, (0, 9, 7.5), (5, 2.6, 4)) * _Z,  # a steep forehead
    lambda p: 0.06 * p * (1, 0, 1) * _step(-6, -10, p[:, 1:2]),  # a thick neck
    lambda p: 0.35 * _both(p, (7.8, 1.8, -0.8), (1.2, 3.2, 2.5)) * _sideways(p) * _X,
)


def _jaw_weight(p: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """How much a point goes with the jaw (N, 1): 0 the skull's, 1 the jaw's."""
    x, y = np.abs(p[:, :1]), p[:, 1:2]
    # Sharp along the lips, a wide blend over the cheeks, and nothing down the neck.
    width = 0.004 + 3.4 * _step(1.95, 4.0, x)
    below = _step(-width, width, lip_seam(np.minimum(x, 2.2)) - y)
    # The corners of the mouth stay together, and the lips near them follow.
    lips = np.exp(-np.square((y - lip_seam(np.minimum(x, 2.2))) / 0.9))
    below = 0.5 + (below - 0.5) * (1 - _step(0.8, 2.1, x) * lips)
    below = np.where(parts[:, None] == TEETH, y < -3.56, below)
    return below * _step(-14, -8.5, y + 0.5 * np.maximum(p[:, 2:] - 6, 0))


def _turned(p: np.ndarray, center: np.ndarray, axis: int, degrees: float) -> np.ndarray:
    """Displacement (N, 3) of a turn about an axis through the center."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    q = p - center
    turned = q.copy()
    turned[:, i], turned[:, j] = c * q[:, i] - s * q[:, j], s * q[:, i] + c * q[:, j]
    return turned - q


def _lids(
    p: np.ndarray, parts: np.ndarray, side: int, close: float, raise_lower: float
) -> np.ndarray:
    """Moves the upper lid's edge down by `close` of the opening, the lower one up."""
    center = EYE_CENTER * (side, 1, 1)
    x = np.clip(p[:, 0] * side, 1.87, 4.41)
    y = p[:, 1]
    opening = lid_upper(x) - lid_lower(x)
    skin = parts != EYE
    near = skin & (p[:, 2] > 7.0) & (np.abs(p[:, 0] * side - 3.1) < 2.0)
    upper = y > (lid_upper(x) + lid_lower(x)) / 2
    above, under = y - lid_upper(x), lid_lower(x) - y
    down = close * opening * (1 - _step(0.0, 0.85, above)) * upper
    up = raise_lower * opening * (1 - _step(0.0, 0.7, under)) * ~upper
    moved = p.copy()
    moved[:, 1] += np.where(near, up - down, 0)
    # A lid slides over the eyeball, it does not cut through it.
    outward = moved - center
    reach = np.linalg.norm(outward, axis=1)
    clear = EYE_RADIUS + np.where(parts == SOCKET, 0.03, 0.2)
    pushed = near & ((np.abs(down) + np.abs(up)) > 1e-6) & (reach < clear)
    moved[pushed] = center + outward[pushed] * (clear / reach)[pushed, None]
    return moved - p


def _one_sided(p: np.ndarray, parts: np.ndarray, side: int) -> dict[str, np.ndarray]:
    """Displacements of the expressions that each half of the face has."""
    out = side * _X
    half = _step(-1.2, 1.2, side * p[:, :1])
    eye = (parts == EYE)[:, None] & (side * p[:, :1] > 0)
    center = EYE_CENTER * (side, 1, 1)

    def at(x: float, y: float, z: float, radius: float | tuple) -> np.ndarray:
        return _bump(p, (side * x, y, z), radius)

    mouth = (parts != TEETH)[:, None]
    corner = at(2.3, -3.5, 10, (1.25, 1.1, 1.8)) * mouth
    upper_lip = at(1.0, -2.8, 11.2, (1.0, 0.7, 1.5)) * mouth
    upper_lip = upper_lip * (1 - _jaw_weight(p, parts))
    lower_lip = at(0.9, -4.1, 11.0, (1.0, 0.7, 1.5)) * mouth * _jaw_weight(p, parts)
    cheek = at(3.7, -0.2, 8.4, (1.4, 1.3, 1.8))
    inner, outer = at(1.6, 5.6, 10, (1.4, 1.1, 2)), at(4.6, 5.5, 8, (1.5, 1.1, 2))
    skin = (parts != EYE)[:, None]
    look = {
        "In": (1, -side * 22),
        "Out": (1, side * 22),
        "Up": (0, -20),
        "Down": (0, 20),
    }
    shapes = {
        f"eyeLook{way}": eye * _turned(p, center, axis, degrees)
        for way, (axis, degrees) in look.items()
    }
    shapes["eyeLookDown"] = shapes["eyeLookDown"] + _lids(p, parts, side, 0.45, 0)
    shapes["eyeLookUp"] = shapes["eyeLookUp"] + _lids(p, parts, side, -0.15, 0)
    shapes |= {
        # The eyeball draws back as the lids close (and cannot show through them).
        "eyeBlink": _lids(p, parts, side, 1.02, 0.0) - 0.15 * eye * _Z,
        "eyeSquint": _lids(p, parts, side, 0.2, 0.3) + 0.15 * cheek * _Y,
        "eyeWide": _lids(p, parts, side, -0.25, -0.1),
        "browDown": half
        * skin
        * (0.5 * (inner + 0.5 * outer) * (-_Y) - 0.2 * inner * out),
        "browInnerUp": half * skin * 0.75 * inner * _Y,
        "browOuterUp": half * skin * 0.75 * outer * _Y,
        "cheekPuff": 0.9 * at(3.9, -2.6, 8.2, (1.6, 1.7, 2.2)) * (out + 0.6 * _Z),
        "cheekSquint": 0.4 * cheek * (_Y + 0.4 * _Z),
        "mouthSmile": corner * (0.75 * out + 0.75 * _Y - 0.5 * _Z)
        + cheek * (0.2 * out + 0.3 * _Y + 0.3 * _Z),
        "mouthFrown": corner * (-0.65 * _Y + 0.1 * out),
        "mouthStretch": corner * (0.7 * out - 0.2 * _Y - 0.5 * _Z),
        "mouthUpperUp": 0.55 * upper_lip * _Y,
        "mouthLowerDown": -0.6 * lower_lip * _Y,
        "noseSneer": 0.4 * at(1.3, 0.4, 10.8, (0.9, 1.2, 1.2)) * _Y
        + 0.2 * upper_lip * _Y,
    }
    return shapes


def _central(p: np.ndarray, parts: np.ndarray) -> dict[str, np.ndarray]:
    """Displacements of the expressions that have no side."""
    jaw = _jaw_weight(p, parts)
    mouth = (parts != TEETH)[:, None]
    lips = _bump(p, (0, -3.5, 11), (2.4, 1.2, 2.2)) * mouth
    down = _turned(p, JAW_HINGE, 0, 17)
    return {
        "jawOpen": jaw * down,
        "jawForward": jaw * 0.7 * _Z,
        "jawLeft": jaw * 0.7 * _X,
        "jawRight": jaw * -0.7 * _X,
        "mouthLeft": lips * 0.8 * _X,
        "mouthRight": lips * -0.8 * _X,
        "mouthPucker": lips * (p * (-0.38, 0, 0) + 0.75 * _Z),
        "mouthFunnel": lips * (p * (-0.28, 0, 0) + 0.6 * _Z + (1 - 2 * jaw) * 0.3 * _Y),
        "mouthPress": lips * (2 * jaw - 1) * np.abs(p[:, 1:2] + 3.46) * 0.35 * _Y,
    }


def with_shapes(
    vertices: np.ndarray, triangles: np.ndarray, parts: np.ndarray, marks: np.ndarray
) -> dict[str, Any]:
    """The neutral head and all its shapes: the arrays of `head.HeadModel`."""
    identity = []
    for field in IDENTITY:
        shape = field(vertices) * np.ones(3)
        # Eyeballs stay round, and behind their lids: they move as the lids' edges do.
        for side, edge in ((-1, slice(36, 42)), (1, slice(42, 48))):
            eye = (parts == EYE) & (side * vertices[:, 0] > 0)
            shape[eye] = shape[marks[edge]].mean(axis=0)
        identity.append(shape)
    expression = _central(vertices, parts)
    for side, letter in ((1, "L"), (-1, "R")):
        for name, shape in _one_sided(vertices, parts, side).items():
            expression[f"{name}_{letter}"] = shape
    return {
        "neutral": vertices.astype(np.float32),
        "identity": np.stack(identity).astype(np.float32),
        "expression": np.stack(list(expression.values())).astype(np.float32),
        "expression_names": tuple(expression),
        "triangles": triangles.astype(np.int32),
        "parts": parts.astype(np.uint8),
        "landmarks68": marks.astype(np.int32),
    }
