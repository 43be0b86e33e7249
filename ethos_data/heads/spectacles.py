"""Spectacles: rims, bridge, temples, and dark lenses for some.

One face in six in a video wears them; a network that never saw them puts brows and lids
on the rims. Sizes in cm, in the head's frame of reference.
"""

from __future__ import annotations

import numpy as np

from ethos_data.heads.appearance import Look

_SIDES = 6
"""Corners of a tube's cross-section."""


def spectacles(
    marks: np.ndarray, look: Look, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A pair that fits a person.

    Args:
      marks: (68, 3), landmarks of the person's neutral head, cm.
      look: "clear" or "dark" `glasses`.
      rng: for the shape of the rims.

    Returns:
      vertices (N, 3) and triangles (F, 3).
    """
    half_width, half_height = rng.uniform(2.2, 2.8), rng.uniform(1.4, 2.2)
    squareness = rng.uniform(2.0, 4.5)
    thickness = rng.uniform(0.06, 0.2)
    front = max(marks[[19, 24], 2].mean(), marks[27, 2]) + 0.55
    turn = np.linspace(0, 2 * np.pi, 29)[:-1]
    c, s = np.cos(turn), np.sin(turn)
    x = half_width * np.sign(c) * np.abs(c) ** (2 / squareness)
    y = half_height * np.sign(s) * np.abs(s) ** (2 / squareness)
    pieces = []
    for side, eye in ((-1, slice(36, 42)), (1, slice(42, 48))):
        center = marks[eye].mean(axis=0)
        across = center[0] + side * 0.15 + x
        # Rims bend back with the face.
        z = front - 0.035 * across**2
        rim = np.stack([across, center[1] - 0.2 + y, z], axis=1)
        pieces.append(_tube(rim, thickness, np.array((0.0, 0, 1)), closed=True))
        if look.glasses == "dark":
            pieces.append(_lens(rim))
        outer = rim[np.argmax(across * side)]
        ear = marks[16 if side > 0 else 0]
        behind = np.array((ear[0] + 0.1 * side, ear[1] + 0.6, ear[2] - 4.0))
        corner = 0.6 * outer + 0.4 * behind + (0.25 * side, 0.35, 0.6)
        temple = np.stack([np.add(outer, (0, 0.5, 0)), corner, behind])
        pieces.append(_tube(temple, thickness, np.array((0.0, 1, 0)), closed=False))
    inner = [pieces[0][0], pieces[len(pieces) // 2][0]]
    right = inner[0][np.argmax(inner[0][:, 0])]
    left = inner[1][np.argmin(inner[1][:, 0])]
    middle = (right + left) / 2 + (0, 0.35, 0.25)
    bridge = np.stack([right, middle, left])
    pieces.append(_tube(bridge, thickness, np.array((0.0, 0, 1)), closed=False))

    offset, faces = 0, []
    for points, triangles in pieces:
        faces.append(triangles + offset)
        offset += len(points)
    return np.concatenate([p for p, _ in pieces]), np.concatenate(faces)


def _tube(
    path: np.ndarray, radius: float, up: np.ndarray, *, closed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """A tube along a path (N, 3); up: (3,), never along the path."""
    following = np.roll(path, -1, axis=0)
    before = np.roll(path, 1, axis=0)
    if not closed:
        following[-1], before[0] = path[-1], path[0]
    along = following - before
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, up)
    across = across / np.linalg.norm(across, axis=1, keepdims=True)
    normal = np.cross(across, along)
    turn = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)[None, :, None]
    ring = np.cos(turn) * across[:, None] + np.sin(turn) * normal[:, None]
    points = path[:, None] + radius * ring
    number = np.arange(len(path) * _SIDES).reshape(len(path), _SIDES)
    rows = np.concatenate([number, number[:1]]) if closed else number
    a, d = rows[:-1], rows[1:]
    b, c = np.roll(a, -1, axis=1), np.roll(d, -1, axis=1)
    faces = [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    return points.reshape(-1, 3), np.concatenate([f.reshape(-1, 3) for f in faces])


def _lens(rim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A disc in a rim (N, 3), a little domed, that faces forwards."""
    middle = np.add(rim.mean(axis=0, keepdims=True), (0, 0, 0.12))
    number = np.arange(len(rim))
    tip = np.full(len(rim), len(rim))
    faces = np.stack([number, np.roll(number, -1), tip], axis=1)
    return np.concatenate([rim, middle]), faces
