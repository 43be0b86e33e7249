"""Glasses: rims, bridge, temples, and dark lenses in some of them.

A network that has never seen glasses places brows and lids on the rims. All coordinates
are in the head frame, in cm.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ethos_data.heads.person.appearance import Look

_TUBE_CORNERS: Final = 6
"""Number of corners of a tube's cross-section."""

_FORWARD: Final = np.array((0.0, 0, 1))
_UP: Final = np.array((0.0, 1, 0))

_Mesh = tuple[np.ndarray, np.ndarray]
"""Vertices (N, 3) in cm, and triangles (F, 3)."""


def glasses_mesh(
    landmarks: np.ndarray, look: Look, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Builds glasses that fit a person.

    Args:
      landmarks: Landmarks of the person's neutral head, (68, 3), in cm.
      look: The person's look. Its `glasses` are "clear" or "dark".
      rng: Source of randomness for the shape of the rims.

    Returns:
      Vertices (N, 3) in cm, and triangles (F, 3).
    """
    half_width, half_height = rng.uniform(2.2, 2.8), rng.uniform(1.4, 2.2)
    squareness = rng.uniform(2.0, 4.5)
    thickness = rng.uniform(0.06, 0.2)
    outline = _superellipse(half_width, half_height, squareness)
    front = max(landmarks[[19, 24], 2].mean(), landmarks[27, 2]) + 0.55
    meshes, rim_meshes = [], []
    for side, eye, ear in ((-1, slice(36, 42), 0), (1, slice(42, 48), 16)):
        center = landmarks[eye].mean(axis=0)
        x = center[0] + side * 0.15 + outline[:, 0]
        # The rims bend backwards with the face.
        z = front - 0.035 * x**2
        rim = np.stack([x, center[1] - 0.2 + outline[:, 1], z], axis=1)
        rim_meshes.append(_tube(rim, thickness, _FORWARD, closed=True))
        meshes.append(rim_meshes[-1])
        if look.glasses == "dark":
            meshes.append(_lens(rim))
        hinge = rim[np.argmax(x * side)]
        temple = _temple(hinge, landmarks[ear], side)
        meshes.append(_tube(temple, thickness, _UP, closed=False))
    (right_rim, _), (left_rim, _) = rim_meshes
    bridge = _bridge(right_rim, left_rim)
    meshes.append(_tube(bridge, thickness, _FORWARD, closed=False))
    return _merged(meshes)


def _superellipse(
    half_width: float, half_height: float, squareness: float
) -> np.ndarray:
    """Outline of a rim, (N, 2): an ellipse for squareness 2, nearly a box for 4.5."""
    angle = np.linspace(0, 2 * np.pi, 29)[:-1]
    c, s = np.cos(angle), np.sin(angle)
    x = half_width * np.sign(c) * np.abs(c) ** (2 / squareness)
    y = half_height * np.sign(s) * np.abs(s) ** (2 / squareness)
    return np.stack([x, y], axis=1)


def _temple(hinge: np.ndarray, ear: np.ndarray, side: int) -> np.ndarray:
    """Path (3, 3) from the hinge at the rim to the end behind the ear."""
    end = np.array((ear[0] + 0.1 * side, ear[1] + 0.6, ear[2] - 4.0))
    middle = 0.6 * hinge + 0.4 * end + (0.25 * side, 0.35, 0.6)
    return np.stack([np.add(hinge, (0, 0.5, 0)), middle, end])


def _bridge(right_rim: np.ndarray, left_rim: np.ndarray) -> np.ndarray:
    """Path (3, 3) between the inner ends of the two rims (N, 3)."""
    right = right_rim[np.argmax(right_rim[:, 0])]
    left = left_rim[np.argmin(left_rim[:, 0])]
    middle = (right + left) / 2 + (0, 0.35, 0.25)
    return np.stack([right, middle, left])


def _merged(meshes: list[_Mesh]) -> _Mesh:
    """Several meshes as one."""
    offset, faces = 0, []
    for vertices, triangles in meshes:
        faces.append(triangles + offset)
        offset += len(vertices)
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(faces)


def _tube(path: np.ndarray, radius: float, up: np.ndarray, *, closed: bool) -> _Mesh:
    """Builds a tube along a path.

    Args:
      path: Points on the axis, (N, 3), in cm.
      radius: Radius, in cm.
      up: A direction (3,) that is nowhere parallel to the path.
      closed: Whether the last point joins the first.
    """
    following = np.roll(path, -1, axis=0)
    before = np.roll(path, 1, axis=0)
    if not closed:
        following[-1], before[0] = path[-1], path[0]
    along = following - before
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, up)
    across = across / np.linalg.norm(across, axis=1, keepdims=True)
    normal = np.cross(across, along)
    angle = np.linspace(0, 2 * np.pi, _TUBE_CORNERS, endpoint=False)[None, :, None]
    ring = np.cos(angle) * across[:, None] + np.sin(angle) * normal[:, None]
    points = path[:, None] + radius * ring
    number = np.arange(len(path) * _TUBE_CORNERS).reshape(len(path), _TUBE_CORNERS)
    rows = np.concatenate([number, number[:1]]) if closed else number
    a, d = rows[:-1], rows[1:]
    b, c = np.roll(a, -1, axis=1), np.roll(d, -1, axis=1)
    faces = [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    return points.reshape(-1, 3), np.concatenate([f.reshape(-1, 3) for f in faces])


def _lens(rim: np.ndarray) -> _Mesh:
    """Builds a slightly domed disc that fills a rim (N, 3) and faces forwards."""
    middle = np.add(rim.mean(axis=0, keepdims=True), (0, 0, 0.12))
    number = np.arange(len(rim))
    tip = np.full(len(rim), len(rim))
    faces = np.stack([number, np.roll(number, -1), tip], axis=1)
    return np.concatenate([rim, middle]), faces
