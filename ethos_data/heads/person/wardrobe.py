"""The hair and the clothes of a person, as meshes fitted to the person's head.

Both meshes are grids of rows (from top to bottom) and columns (around the head). They
fit every `HeadModel`. All coordinates are in the head frame, in cm.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import FACE, HEAD
from ethos_data.heads.person.appearance import Look
from ethos_data.heads.person.masks import hairline_height

_COLUMNS: Final = 80
_ROWS: Final = 22
_HANGING_ROWS: Final = 10

_AZIMUTH: Final = np.linspace(-np.pi, np.pi, _COLUMNS + 1)[:-1]
"""Angles of the columns around the head, in radians, 0 in front."""

_ELEVATION: Final = np.linspace(np.pi / 2, -1.1, 48)
"""Elevations at which the skull is measured, in radians, from the crown down."""

_HANGING_LENGTH: Final = {
    # How far the hair of each style hangs below the hairline, in cm.
    "short": 0.0,
    "medium": 6.0,
    "long": 17.0,
}


def collar_height(landmarks: np.ndarray) -> float:
    """Returns the height of the collar.

    Args:
      landmarks: Landmarks of the neutral head in the head frame, (68, 3), in cm.

    Returns:
      y in the head frame, in cm.
    """
    chin, nose_bridge = landmarks[8, 1], landmarks[27, 1]
    return float(chin - 0.45 * (nose_bridge - chin))


def hair_mesh(
    shape: np.ndarray,
    model: HeadModel,
    look: Look,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Builds a shell of hair over the scalp.

    Args:
      shape: Vertices of the person's neutral head, (V, 3), in cm.
      model: Head model that `shape` belongs to.
      look: The person's hair style, hair volume, hairline and fringe.
      rng: Source of randomness for locks and the parting.

    Returns:
      None for a bald or shaved head. Otherwise vertices (N, 3) in cm, triangles (F, 3),
      and texture coordinates (N, 3) in cm: around the head, along the strand, 0.
    """
    if look.hair_style not in _HANGING_LENGTH:
        return None
    length = _HANGING_LENGTH[look.hair_style]
    landmarks = shape[model.landmarks68]
    center = np.add(landmarks[[0, 16]].mean(axis=0), (0, 2.5, -4.0))
    skull = _skull_radius(shape, model, center)
    locks = _sample_locks(rng)
    edge = _lower_edge(landmarks, look, locks, rng)
    shell = _shell(center, skull, edge, locks, look, hangs=length > 0)
    rows = [shell]
    if length > 0:
        drop = length + 2.5 * locks + shell[-1, :, 1] - edge.min()
        rows.append(_hanging_rows(shell[-1], center, _at_side() * drop))
    grid = np.concatenate(rows)
    steps = np.linalg.norm(np.diff(grid, axis=0), axis=-1)
    along = np.concatenate([np.zeros((1, _COLUMNS)), np.cumsum(steps, axis=0)])
    strand = np.stack([_AZIMUTH[None] * 9.0 + 0 * along, along, 0 * along], axis=-1)
    faces = grid_triangles(len(grid), _COLUMNS)
    return grid.reshape(-1, 3), faces, strand.reshape(-1, 3)


def _skull_radius(
    shape: np.ndarray, model: HeadModel, center: np.ndarray
) -> np.ndarray:
    """Distance from `center` to the skin, (elevations, columns), in cm."""
    is_skin = (model.parts == FACE) | (model.parts == HEAD)
    height = collar_height(shape[model.landmarks68])
    offset = shape[is_skin & (shape[:, 1] > height + 2)] - center
    reach = np.linalg.norm(offset, axis=1)
    tree = cKDTree(offset / reach[:, None])
    rays = _directions(_AZIMUTH[None], _ELEVATION[:, None])
    distance, index = tree.query(rays.reshape(-1, 3), k=4)
    weight = 1 / (distance + 1e-3)
    skull = (reach[index] * weight).sum(axis=1) / weight.sum(axis=1)
    return skull.reshape(len(_ELEVATION), _COLUMNS)


def _sample_locks(rng: np.random.Generator) -> np.ndarray:
    """Draws the waves of the hair around the head: a sum of sines, (columns,)."""
    locks = np.zeros(_COLUMNS)
    for k in (2, 3, 5, 8, 13):
        amplitude, phase = rng.uniform(0.02, 0.16), rng.uniform(0, 2 * np.pi)
        locks += amplitude * np.sin(k * _AZIMUTH + phase)
    return locks


def _in_front() -> np.ndarray:
    """Weight of the columns in front, (columns,): 1 at the forehead, 0 behind."""
    return np.exp(-np.square(_AZIMUTH / np.radians(40)))


def _at_side() -> np.ndarray:
    """Weight of the columns at the sides and behind, (columns,): 0 over the face."""
    return np.clip((np.abs(_AZIMUTH) - np.radians(62)) / np.radians(14), 0, 1)


def _lower_edge(
    landmarks: np.ndarray, look: Look, locks: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Height of the shell's lower edge, (columns,), in cm."""
    front = _in_front()
    parting = rng.uniform(-0.5, 0.5)
    sweep = front * (0.8 + 1.2 * np.abs(np.sin(_AZIMUTH - parting)))
    height = hairline_height(_AZIMUTH, landmarks.astype(np.float64))
    edge = height + look.hairline * (front + 0.2)
    return edge - look.fringe * sweep + 0.4 * locks


def _shell(
    center: np.ndarray,
    skull: np.ndarray,
    edge: np.ndarray,
    locks: np.ndarray,
    look: Look,
    *,
    hangs: bool,
) -> np.ndarray:
    """The hair from the crown to the lower edge, (rows, columns, 3), in cm.

    Args:
      center: Centre of the skull, (3,), in cm.
      skull: Distance from the centre to the skin, (elevations, columns), in cm.
      edge: Height of the lower edge, (columns,), in cm.
      locks: Waves of the hair, (columns,).
      look: The person's hair volume and fringe.
      hangs: Whether hair hangs from the lower edge, so that it stays thick there.
    """
    columns = range(_COLUMNS)
    height = center[1] + skull * np.sin(_ELEVATION)[:, None]
    last = np.array([np.interp(-edge[k], -height[:, k], _ELEVATION) for k in columns])
    t = np.linspace(0, 1, _ROWS)[:, None]
    elevation = np.pi / 2 + t * (last - np.pi / 2)
    radius = np.stack(
        [np.interp(-elevation[:, k], -_ELEVATION, skull[:, k]) for k in columns],
        axis=1,
    )
    side = _at_side()
    thinnest = _in_front() * (0.35 if look.fringe else 0.12)
    thinnest = np.maximum(thinnest, side * (0.9 * hangs))
    profile = 1 - (1 - thinnest) * np.clip((t - 0.55) / 0.45, 0, 1) ** 2
    # The last row goes below the skin, so that no gap shows under the edge.
    below_skin = np.minimum(profile, thinnest) - 0.15 * (1 - side * hangs)
    profile = np.where(t == 1, below_skin, profile)
    radius = radius + look.hair_volume * (1 + locks * 0.5) * profile
    return center + radius[..., None] * _directions(_AZIMUTH[None], elevation)


def _hanging_rows(last: np.ndarray, center: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """The hair that hangs from the shell, (rows, columns, 3), in cm.

    Args:
      last: The shell's last row, (columns, 3), in cm.
      center: Centre of the skull, (3,), in cm.
      drop: How far each column hangs down, (columns,), in cm.
    """
    u = np.linspace(0, 1, _HANGING_ROWS + 1)[1:, None, None]
    flare = 1 + _at_side()[:, None] * (0.35 * np.sin(u * np.pi * 0.8) * 0.3)
    middle = center * (1, 0, 1)
    hanging = middle + (last - middle) * (flare * (1, 0, 1) + (0, 1, 0))
    return hanging - u * drop[:, None][None] * (0, 1, 0)


def _directions(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Unit directions (..., 3) in the head frame from angles in radians."""
    x = np.cos(elevation) * np.sin(azimuth)
    y = np.sin(elevation) + 0 * azimuth
    z = np.cos(elevation) * np.cos(azimuth)
    return np.stack([x, y, z], axis=-1)


def torso_mesh(
    landmarks: np.ndarray, neck_z: float, collar: float
) -> tuple[np.ndarray, np.ndarray]:
    """Builds neckline, shoulders and chest.

    Args:
      landmarks: Landmarks of the person's neutral head, (68, 3), in cm.
      neck_z: z of the neck's axis, in cm.
      collar: Depth of the neckline, in cm.

    Returns:
      Vertices (N, 3) in cm, and triangles (F, 3).
    """
    width = np.ptp(landmarks[[0, 16], 0])
    rows = np.array(
        # Half width and half depth relative to the width between the ears, and the
        # distance below the collar in cm.
        [
            (0.36, 0.38, 1.5),
            (0.42, 0.44, 0.0),
            (0.50, 0.48, 0.4),
            (0.66, 0.53, 1.6),
            (0.90, 0.57, 2.8),
            (1.12, 0.59, 4.2),
            (1.26, 0.60, 6.5),
            (1.32, 0.62, 10.0),
            (1.30, 0.64, 18.0),
            (1.26, 0.62, 36.0),
        ]
    )
    angle = np.linspace(-np.pi, np.pi, 49)[:-1]
    x = rows[:, :1] * width * np.sin(angle)
    z = neck_z + rows[:, 1:2] * width * np.cos(angle)
    neckline = collar * np.exp(-rows[:, 2:] / 2.5) * np.clip(np.cos(angle), 0, 1) ** 2
    y = collar_height(landmarks) - rows[:, 2:] - neckline
    grid = np.stack([x, y, z], axis=-1)
    return grid.reshape(-1, 3), grid_triangles(len(rows), len(angle))


def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """Returns the triangles of a grid whose last column joins the first.

    Args:
      rows: Number of rows, from top to bottom.
      columns: Number of columns, counter-clockwise seen from above.

    Returns:
      int32 (F, 3), numbers of the vertices, row by row. They face outwards.
    """
    number = np.arange(rows * columns).reshape(rows, columns)
    following = np.roll(number, -1, axis=1)
    a, b, c, d = number[:-1], following[:-1], following[1:], number[1:]
    quads = [np.stack([a, d, c], -1), np.stack([a, c, b], -1)]
    return np.concatenate([quad.reshape(-1, 3) for quad in quads]).astype(np.int32)
