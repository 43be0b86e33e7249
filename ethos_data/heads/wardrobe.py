"""What a head wears: a shell of hair over the scalp, and shoulders in clothes.

Both are plain grids fitted to a person's own shape, so that any `HeadModel` can wear
them. Sizes in cm, in the head's frame of reference.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from ethos_data.heads.appearance import Look, hairline
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import FACE, HEAD

_MERIDIANS: Final = 80
_ROWS: Final = 22
_EXTENSION_ROWS: Final = 10

_STYLES: Final = {
    # Thickness over the look's volume, and how far the hair hangs below the ears, cm.
    "short": (1.0, 0.0),
    "medium": (1.0, 6.0),
    "long": (1.0, 17.0),
}


def neck_base(marks: np.ndarray) -> float:
    """Height of the collar over landmarks (68, 3) of a neutral head, cm."""
    return float(marks[8, 1] - 0.45 * (marks[27, 1] - marks[8, 1]))


def hair(
    shape: np.ndarray,
    model: HeadModel,
    look: Look,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The shell of hair of a person, None for those who have none.

    Args:
      shape: (V, 3), the person's neutral vertices.
      model: whose landmarks and parts they are.
      look: style, volume, hair line, fringe.
      rng: for locks and partings.

    Returns:
      vertices (N, 3), triangles (F, 3), and strand coordinates (N, 3): around the
      head, along the strand, 0; cm.
    """
    if look.hair_style not in _STYLES:
        return None
    thickness, length = _STYLES[look.hair_style]
    marks = shape[model.landmarks68]
    center = np.add(marks[[0, 16]].mean(axis=0), (0, 2.5, -4.0))
    skin = (model.parts == FACE) | (model.parts == HEAD)
    offset = shape[skin & (shape[:, 1] > neck_base(marks) + 2)] - center
    reach = np.linalg.norm(offset, axis=1)
    tree = cKDTree(offset / reach[:, None])

    azimuth = np.linspace(-np.pi, np.pi, _MERIDIANS + 1)[:-1]
    elevation = np.linspace(np.pi / 2, -1.1, 48)
    a, e = azimuth[None], elevation[:, None]
    rays = np.stack(
        [np.cos(e) * np.sin(a), np.sin(e) + 0 * a, np.cos(e) * np.cos(a)], axis=-1
    )
    distance, index = tree.query(rays.reshape(-1, 3), k=4)
    weight = 1 / (distance + 1e-3)
    skull = (reach[index] * weight).sum(axis=1) / weight.sum(axis=1)
    skull = skull.reshape(48, _MERIDIANS)
    # Ears are not skull: no radius may jump above its neighbours' smooth course.
    skull = np.minimum(skull, np.linalg.norm(offset, axis=1).max())

    lock = sum(
        rng.uniform(0.02, 0.16) * np.sin(k * azimuth + rng.uniform(0, 2 * np.pi))
        for k in (2, 3, 5, 8, 13)
    )
    front = np.exp(-np.square(azimuth / np.radians(40)))
    parting = rng.uniform(-0.5, 0.5)
    sweep = front * (0.8 + 1.2 * np.abs(np.sin(azimuth - parting)))
    edge = hairline(azimuth, marks.astype(np.float64)) + look.hairline * (front + 0.2)
    edge = edge - look.fringe * sweep + 0.4 * lock
    height = center[1] + skull * np.sin(elevation)[:, None]
    end = np.array(
        [np.interp(-edge[m], -height[:, m], elevation) for m in range(_MERIDIANS)]
    )

    t = np.linspace(0, 1, _ROWS)[:, None]
    e = np.pi / 2 + t * (end - np.pi / 2)
    radius = np.stack(
        [np.interp(-e[:, m], -elevation, skull[:, m]) for m in range(_MERIDIANS)],
        axis=1,
    )
    hangs = length > 0
    side = np.clip((np.abs(azimuth) - np.radians(62)) / np.radians(14), 0, 1)
    tip = np.maximum(front * (0.35 if look.fringe else 0.12), side * (0.9 * hangs))
    volume = thickness * look.hair_volume * (1 + lock * 0.5)
    profile = 1 - (1 - tip) * np.clip((t - 0.55) / 0.45, 0, 1) ** 2
    profile = np.where(
        t == 1, np.minimum(profile, tip) - 0.15 * (1 - side * hangs), profile
    )
    radius = radius + volume * profile
    shell = center + radius[..., None] * np.stack(
        [np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)], axis=-1
    )
    rows = [shell]
    if hangs:
        u = np.linspace(0, 1, _EXTENSION_ROWS + 1)[1:, None, None]
        last = shell[-1]
        drop = (side * (length + 2.5 * lock + last[:, 1] - edge.min()))[:, None]
        flare = 1 + side[:, None] * (0.35 * np.sin(u * np.pi * 0.8) * 0.3)
        middle = center * (1, 0, 1)
        hanging = middle + (last - middle) * (flare * (1, 0, 1) + (0, 1, 0))
        rows.append(hanging - u * drop[None] * (0, 1, 0))
    grid = np.concatenate(rows)
    along = np.concatenate(
        [
            np.zeros((1, _MERIDIANS)),
            np.cumsum(np.linalg.norm(np.diff(grid, axis=0), axis=-1), axis=0),
        ]
    )
    strand = np.stack([a * 9.0 + 0 * along, along, 0 * along], axis=-1)
    faces = grid_triangles(len(grid), _MERIDIANS)
    return grid.reshape(-1, 3), faces, strand.reshape(-1, 3)


def torso(
    marks: np.ndarray, neck_z: float, collar: float
) -> tuple[np.ndarray, np.ndarray]:
    """Neckline, shoulders and chest.

    Args:
      marks: (68, 3), landmarks of the person's neutral head, cm.
      neck_z: z of the neck's axis, cm.
      collar: depth of the neckline, cm.

    Returns:
      vertices (N, 3) and triangles (F, 3).
    """
    top = neck_base(marks)
    width = np.ptp(marks[[0, 16], 0])
    rows = np.array(
        # Half width and half depth over the width between the ears, drop in cm.
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
    around = np.linspace(-np.pi, np.pi, 49)[:-1]
    x = rows[:, :1] * width * np.sin(around)
    z = neck_z + rows[:, 1:2] * width * np.cos(around)
    dip = collar * np.exp(-rows[:, 2:] / 2.5) * np.clip(np.cos(around), 0, 1) ** 2
    y = top - rows[:, 2:] - dip
    grid = np.stack([x, y, z], axis=-1)
    return grid.reshape(-1, 3), grid_triangles(len(rows), len(around))


def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """Triangles (F, 3) of a grid that goes down row by row and closes sideways.

    Columns run counter-clockwise seen from above, so the outside faces outwards.
    """
    number = np.arange(rows * columns).reshape(rows, columns)
    following = np.roll(number, -1, axis=1)
    a, b, c, d = number[:-1], following[:-1], following[1:], number[1:]
    quads = [np.stack([a, d, c], -1), np.stack([a, c, b], -1)]
    return np.concatenate([quad.reshape(-1, 3) for quad in quads]).astype(np.int32)
