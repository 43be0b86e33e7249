"""A regular grid of surface points on a head: the parametrisation of the depth prior.

The face is unrolled around a vertical axis inside the head. A grid point is a place on
the neutral head's surface (three vertices and their barycentric weights), so it follows
the head through every identity and expression.

The face region: from the jaw points of one ear to the other's, from the jaw line up to
the forehead, `FOREHEAD` of the height between chin and brows above the brows. Of the
forehead no more, because that is where hair begins.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import head as heads
from ethos_data import landmarks as topology

ROWS: Final = 72
COLUMNS: Final = 65
"""Odd, so that the grid has a middle column and is its own mirror image."""

FOREHEAD: Final = 0.3
_SURFACE: Final = (heads.FACE, heads.HEAD, heads.EYE)


@dataclasses.dataclass(frozen=True, eq=False)
class Template:
    """Where on a head model the 68 landmarks and the grid lie.

    Attributes:
      vertices: int32 (68 + ROWS * COLUMNS, 3), vertex numbers of the model.
      weights: float32 (68 + ROWS * COLUMNS, 3), summing to 1 in each row.
    """

    vertices: np.ndarray
    weights: np.ndarray

    def of(self, displacement: np.ndarray) -> np.ndarray:
        """Values (..., V, 3) at the vertices to (..., 68 + ROWS * COLUMNS, 3)."""
        return np.einsum(
            "...pkc,pk->...pc", displacement[..., self.vertices, :], self.weights
        )


def build(model: heads.HeadModel) -> Template:
    """Lays the grid over the neutral head of a model."""
    neutral = np.asarray(model.neutral, np.float64)
    landmarks = neutral[model.landmarks68]
    # The axis runs between the jaw's ends, where the ears are: the sides of the face
    # are then seen from it as squarely as the front.
    axis_z = float(landmarks[[0, 16], 2].mean())
    angles, heights = _grid(landmarks, axis_z)
    used = np.isin(model.parts, _SURFACE)[model.triangles].all(axis=1)
    triangles = model.triangles[used]
    vertices, weights, found = _cast(neutral, triangles, axis_z, angles, heights)
    vertices, weights = _fill_gaps(vertices, weights, found)
    own = model.landmarks68.astype(np.int32)
    return Template(
        vertices=np.concatenate([np.repeat(own[:, None], 3, 1), vertices]),
        weights=np.concatenate(
            [np.tile([1.0, 0.0, 0.0], (topology.NUM_LANDMARKS, 1)), weights]
        ).astype(np.float32),
    )


def _grid(landmarks: np.ndarray, axis_z: float) -> tuple[np.ndarray, np.ndarray]:
    """Angle (radians, 0 = forwards) and height (cm) of the grid points, each (P,)."""
    jaw = landmarks[:17]
    jaw_angle = np.arctan2(jaw[:, 0], jaw[:, 2] - axis_z)
    half = (jaw_angle[16] - jaw_angle[0]) / 2
    # Denser in the middle, where nose, eyes and mouth are.
    u = np.linspace(-1, 1, COLUMNS)
    angle = half * (0.75 * u + 0.25 * u**3)
    bottom = np.interp(angle, jaw_angle, jaw[:, 1])
    bottom = (bottom + bottom[::-1]) / 2
    brow = landmarks[17:27, 1].max()
    forehead = brow + FOREHEAD * (brow - jaw[8, 1])
    side = jaw[[0, 16], 1].mean()
    top = side + (forehead - side) * (1 - (angle / half) ** 4)
    v = np.linspace(0, 1, ROWS)[:, None]
    height = top + (bottom - top) * v
    return np.broadcast_to(angle, height.shape).ravel(), height.ravel()


def _cast(
    neutral: np.ndarray,
    triangles: np.ndarray,
    axis_z: float,
    angles: np.ndarray,
    heights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The outermost surface on every horizontal ray from the axis.

    Returns:
      vertices int32 (P, 3), weights float64 (P, 3), found bool (P,).
    """
    forward = neutral[:, 2] - axis_z
    angle = np.arctan2(neutral[:, 0], forward)
    radius = np.hypot(neutral[:, 0], forward)
    # Triangles behind the axis would wrap around; the face has none.
    triangles = triangles[(np.abs(angle[triangles]) < 2.5).all(axis=1)]
    corners = np.stack([angle, neutral[:, 1]], axis=1)[triangles]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = _cross(b - a, c - a)
    usable = area != 0
    triangles, a, b, c = (array[usable] for array in (triangles, a, b, c))
    area = area[usable]
    low = np.minimum(np.minimum(a, b), c) - 1e-9
    high = np.maximum(np.maximum(a, b), c) + 1e-9
    vertices = np.zeros((len(angles), 3), np.int32)
    weights = np.zeros((len(angles), 3))
    found = np.zeros(len(angles), bool)
    for k, point in enumerate(np.stack([angles, heights], axis=1)):
        near = np.flatnonzero(((low <= point) & (point <= high)).all(axis=1))
        wb = _cross(point - a[near], c[near] - a[near]) / area[near]
        wc = _cross(b[near] - a[near], point - a[near]) / area[near]
        barycentric = np.stack([1 - wb - wc, wb, wc], axis=1)
        inside = (barycentric >= -1e-9).all(axis=1)
        if not inside.any():
            continue
        hit, barycentric = near[inside], barycentric[inside]
        best = (radius[triangles[hit]] * barycentric).sum(axis=1).argmax()
        vertices[k], weights[k] = triangles[hit[best]], barycentric[best]
        found[k] = True
    return vertices, weights, found


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _fill_gaps(
    vertices: np.ndarray, weights: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gives a ray that slipped through, as between the lips, its nearest neighbour."""
    rows, columns = np.divmod(np.arange(len(found)), COLUMNS)
    good = np.flatnonzero(found)
    for k in np.flatnonzero(~found):
        away = (rows[good] - rows[k]) ** 2 + (columns[good] - columns[k]) ** 2
        nearest = good[away.argmin()]
        vertices[k], weights[k] = vertices[nearest], weights[nearest]
    return vertices, weights
