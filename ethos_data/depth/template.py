"""A regular grid of surface points on a head: the parametrisation of the depth prior.

The face is unrolled around a vertical axis inside the head. A grid point is a place on
the neutral head's surface (three vertices and their barycentric weights), so it follows
the head through every identity and expression.

The face region: from the jaw points of one ear to the other's, from the jaw line up to
the forehead, `FOREHEAD` of the height between chin and brows above the brows. Of the
forehead no more, because that is where hair begins. Behind the lips lies a second,
small grid on the teeth, and the face's grid is slit between the lips: an open mouth
shows teeth instead of a skin from lip to lip.
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

TEETH_ROWS: Final = 8
TEETH_COLUMNS: Final = 17

FOREHEAD: Final = 0.3
_SKIN: Final = (heads.FACE, heads.HEAD, heads.EYE)


@dataclasses.dataclass(frozen=True, eq=False)
class Template:
    """Where on a head model the 68 landmarks and the grid lie.

    Attributes:
      vertices: int32 (68 + P, 3), vertex numbers of the model: the landmarks, then the
        P surface points.
      weights: float32 (68 + P, 3), summing to 1 in each row.
      triangles: int32 (T, 3), numbers of surface points, from 0.
      mirror: int (68 + P,), the permutation of all points under a reflection of x.
    """

    vertices: np.ndarray
    weights: np.ndarray
    triangles: np.ndarray
    mirror: np.ndarray

    def of(self, displacement: np.ndarray) -> np.ndarray:
        """Values (..., V, 3) at the vertices to (..., 68 + P, 3)."""
        return np.einsum(
            "...pkc,pk->...pc", displacement[..., self.vertices, :], self.weights
        )


def build(model: heads.HeadModel) -> Template:
    """Lays the grid over the neutral head of a model."""
    neutral = np.asarray(model.neutral, np.float64)
    landmarks = neutral[model.landmarks68]
    # The axis runs between the jaw's ends, where the ears are: the sides of the face
    # are then seen from it as squarely as the front.
    cylinder = _Cylinder(neutral, float(landmarks[[0, 16], 2].mean()))
    skin = cylinder.cast(_of_parts(model, _SKIN), *_face_rays(landmarks, cylinder))
    triangles = grid_triangles(ROWS, COLUMNS)
    surfaces = [skin]
    mirrors = [_grid_mirror(ROWS, COLUMNS)]
    teeth = _of_parts(model, (heads.TEETH,))
    if len(teeth):
        surfaces.append(cylinder.cast(teeth, *_mouth_rays(landmarks, cylinder)))
        mirrors.append(_grid_mirror(TEETH_ROWS, TEETH_COLUMNS) + len(skin[0]))
        slit = _slit(model, triangles, skin)
        behind = grid_triangles(TEETH_ROWS, TEETH_COLUMNS) + len(skin[0])
        triangles = np.concatenate([triangles[~slit], behind])
    own = np.repeat(model.landmarks68.astype(np.int32)[:, None], 3, axis=1)
    corner = np.tile(np.eye(1, 3), (topology.NUM_LANDMARKS, 1))
    return Template(
        vertices=np.concatenate([own, *(vertices for vertices, _ in surfaces)]),
        weights=np.concatenate([corner, *(w for _, w in surfaces)]).astype(np.float32),
        triangles=triangles.astype(np.int32),
        mirror=np.concatenate(
            [topology.MIRROR, *(m + topology.NUM_LANDMARKS for m in mirrors)]
        ),
    )


def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """int (T, 3) over a grid by rows; diagonals are mirrored at the middle column."""
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    c, d = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    left = np.tile(np.arange(columns - 1) < (columns - 1) / 2, rows - 1)[:, None]
    first = np.where(left, np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    second = np.where(left, np.stack([b, d, c], 1), np.stack([a, d, c], 1))
    return np.concatenate([first, second])


def _grid_mirror(rows: int, columns: int) -> np.ndarray:
    return np.arange(rows * columns).reshape(rows, columns)[:, ::-1].ravel()


def _of_parts(model: heads.HeadModel, parts: tuple[int, ...]) -> np.ndarray:
    return model.triangles[np.isin(model.parts, parts)[model.triangles].all(axis=1)]


def _slit(
    model: heads.HeadModel, triangles: np.ndarray, skin: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """bool (T,): triangles from lip to lip, which opening the mouth would stretch."""
    vertices, weights = skin

    def on_grid(values: np.ndarray) -> np.ndarray:
        return np.einsum("...pkc,pk->...pc", values[..., vertices, :], weights)

    points = on_grid(model.neutral)
    lips = model.neutral[model.landmarks68[48:60]]
    near = (points >= lips.min(axis=0)) & (points <= lips.max(axis=0))
    near_mouth = near[:, :2].all(axis=1)[triangles].all(axis=1)
    moved = on_grid(model.expression)
    stretched = np.zeros(len(triangles), bool)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        a, b = triangles[:, i], triangles[:, j]
        length = np.linalg.norm(points[a] - points[b], axis=1)
        change = np.linalg.norm(moved[:, a] - moved[:, b], axis=2).max(axis=0)
        # Skin does not get twice as long; the gap between the lips gets tenfold.
        stretched |= change > 2 * length
    return near_mouth & stretched


def _face_rays(
    landmarks: np.ndarray, cylinder: _Cylinder
) -> tuple[np.ndarray, np.ndarray]:
    """Angle (radians, 0 = forwards) and height (cm) of the face's grid, each (P,)."""
    jaw = landmarks[:17]
    jaw_angle = cylinder.angle(jaw)
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


def _mouth_rays(
    landmarks: np.ndarray, cylinder: _Cylinder
) -> tuple[np.ndarray, np.ndarray]:
    """The same of the grid on the teeth, which hides behind the closed lips."""
    lips = landmarks[48:60]
    reach = np.abs(cylinder.angle(lips)).max()
    angle = np.linspace(-reach, reach, TEETH_COLUMNS)
    height = np.linspace(lips[:, 1].max(), lips[:, 1].min(), TEETH_ROWS)
    angle, height = np.meshgrid(angle, height)
    return angle.ravel(), height.ravel()


@dataclasses.dataclass(frozen=True, eq=False)
class _Cylinder:
    """The head unrolled around a vertical axis.

    Attributes:
      vertices: float64 (V, 3), cm.
      axis_z: z of the axis, whose x is 0, cm.
    """

    vertices: np.ndarray
    axis_z: float

    def angle(self, points: np.ndarray) -> np.ndarray:
        """Of points (..., 3) around the axis: radians, 0 = forwards."""
        return np.arctan2(points[..., 0], points[..., 2] - self.axis_z)

    def cast(
        self, triangles: np.ndarray, angles: np.ndarray, heights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The outermost surface on every horizontal ray from the axis.

        A ray that slips through, as between the lips, gets its nearest neighbour's.

        Args:
          triangles: int (F, 3).
          angles: (P,), radians.
          heights: (P,), cm.

        Returns:
          vertices int32 (P, 3) and their barycentric weights float64 (P, 3).
        """
        angle = self.angle(self.vertices)
        radius = np.hypot(self.vertices[:, 0], self.vertices[:, 2] - self.axis_z)
        # Triangles behind the axis would wrap around; the face has none.
        triangles = triangles[(np.abs(angle[triangles]) < 2.5).all(axis=1)]
        corners = np.stack([angle, self.vertices[:, 1]], axis=1)[triangles]
        area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        triangles, corners = triangles[area != 0], corners[area != 0]
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        area = area[area != 0]
        low, high = corners.min(axis=1) - 1e-9, corners.max(axis=1) + 1e-9
        rays = np.stack([angles, heights], axis=1)
        vertices = np.zeros((len(rays), 3), np.int32)
        weights = np.zeros((len(rays), 3))
        for k, ray in enumerate(rays):
            near = np.flatnonzero(((low <= ray) & (ray <= high)).all(axis=1))
            wb = _cross(ray - a[near], c[near] - a[near]) / area[near]
            wc = _cross(b[near] - a[near], ray - a[near]) / area[near]
            barycentric = np.stack([1 - wb - wc, wb, wc], axis=1)
            inside = (barycentric >= -1e-9).all(axis=1)
            if inside.any():
                hit, barycentric = near[inside], barycentric[inside]
                best = (radius[triangles[hit]] * barycentric).sum(axis=1).argmax()
                vertices[k], weights[k] = triangles[hit[best]], barycentric[best]
        found = weights.any(axis=1)
        for k in np.flatnonzero(~found):
            away = ((rays[found] - rays[k]) ** 2 * (radius.mean() ** 2, 1)).sum(axis=1)
            nearest = np.flatnonzero(found)[away.argmin()]
            vertices[k], weights[k] = vertices[nearest], weights[nearest]
        return vertices, weights


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
