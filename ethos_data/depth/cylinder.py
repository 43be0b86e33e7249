"""A head unrolled around a vertical axis: where horizontal rays leave its surface."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """P places on the surface of a mesh, which they follow when it moves.

    Attributes:
      vertices: int32 (P, 3), vertex numbers.
      weights: float64 (P, 3), barycentric: each row sums to 1.
    """

    vertices: np.ndarray
    weights: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """Values (..., V, 3) at the vertices to (..., P, 3) at the places."""
        return np.einsum(
            "...pkc,pk->...pc", values[..., self.vertices, :], self.weights
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Cylinder:
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
    ) -> Places:
        """The outermost surface on every horizontal ray from the axis.

        A ray that slips through, as between the lips, gets its nearest neighbour's.

        Args:
          triangles: int (F, 3).
          angles: (P,), radians.
          heights: (P,), cm.

        Returns:
          P places.
        """
        around = self.angle(self.vertices)
        radius = np.hypot(self.vertices[:, 0], self.vertices[:, 2] - self.axis_z)
        # Triangles behind the axis would wrap around; the face has none.
        triangles = triangles[(np.abs(around[triangles]) < 2.5).all(axis=1)]
        corners = np.stack([around, self.vertices[:, 1]], axis=1)[triangles]
        area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        triangles, corners = triangles[area != 0], corners[area != 0]
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        area = area[area != 0]
        reach = radius[triangles]
        first, last = corners[..., 0].min(axis=1), corners[..., 0].max(axis=1)
        vertices = np.zeros((len(angles), 3), np.int32)
        weights = np.zeros((len(angles), 3))
        # The rays of a grid's column share their angle, and so their candidates.
        for angle in np.unique(angles):
            rays = np.flatnonzero(angles == angle)
            near = np.flatnonzero((first <= angle) & (angle <= last))
            if not near.size:
                continue
            points = np.stack([angles[rays], heights[rays]], axis=1)[:, None]
            wb = _cross(points - a[near], c[near] - a[near]) / area[near]
            wc = _cross(b[near] - a[near], points - a[near]) / area[near]
            barycentric = np.stack([1 - wb - wc, wb, wc], axis=-1)
            inside = np.all(barycentric >= -1e-9, axis=-1)
            radii = (barycentric * reach[near]).sum(axis=-1)
            best = np.where(inside, radii, -np.inf).argmax(axis=1)
            hit = inside.any(axis=1)
            vertices[rays[hit]] = triangles[near[best[hit]]]
            weights[rays[hit]] = barycentric[hit, best[hit]]
        found = weights.any(axis=1)
        arc = angles * radius.mean()
        for k in map(int, np.flatnonzero(~found)):
            away = (arc[found] - arc[k]) ** 2 + (heights[found] - heights[k]) ** 2
            nearest = np.flatnonzero(found)[away.argmin()]
            vertices[k], weights[k] = vertices[nearest], weights[nearest]
        return Places(vertices, weights)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
