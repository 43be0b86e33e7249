"""A head unrolled around a vertical axis, and points on its surface."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class SurfacePoints:
    """P points on the surface of a mesh. They follow the mesh when it moves.

    Attributes:
      vertices: int32 (P, 3), vertex numbers of the triangle of each point.
      weights: float64 (P, 3), barycentric weights. Each row sums to 1.
    """

    vertices: np.ndarray
    weights: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """Interpolates values at the vertices.

        Args:
          values: (..., V, 3), values at the vertices, for example positions.

        Returns:
          (..., P, 3), values at the points.
        """
        return np.einsum(
            "...pkc,pk->...pc", values[..., self.vertices, :], self.weights
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Cylinder:
    """Cylinder coordinates of a head, around a vertical axis.

    Attributes:
      vertices: float64 (V, 3), in cm.
      axis_z: z of the axis in cm. Its x is 0.
    """

    vertices: np.ndarray
    axis_z: float

    def angle(self, points: np.ndarray) -> np.ndarray:
        """Computes the angle of points (..., 3) around the axis.

        Returns:
          (...,), radians. 0 is the direction in which the head looks.
        """
        return np.arctan2(points[..., 0], points[..., 2] - self.axis_z)

    def cast(
        self, triangles: np.ndarray, angles: np.ndarray, heights: np.ndarray
    ) -> SurfacePoints:
        """Finds the outermost surface on horizontal rays from the axis.

        A ray that hits no triangle, for example between the lips, gets the result of
        the nearest ray that does.

        Args:
          triangles: int (F, 3), vertex numbers.
          angles: (P,), angle of each ray in radians.
          heights: (P,), height y of each ray in cm.

        Returns:
          The P points where the rays leave the surface.
        """
        around = self.angle(self.vertices)
        radius = np.hypot(self.vertices[:, 0], self.vertices[:, 2] - self.axis_z)
        # Triangles behind the axis would contain the jump of the angle from pi to -pi.
        # The face has none there.
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
        # The rays of one column of a grid share their angle and their candidates.
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
        hits = weights.any(axis=1)
        arc = angles * radius.mean()
        for k in map(int, np.flatnonzero(~hits)):
            distance = (arc[hits] - arc[k]) ** 2 + (heights[hits] - heights[k]) ** 2
            nearest = np.flatnonzero(hits)[distance.argmin()]
            vertices[k], weights[k] = vertices[nearest], weights[nearest]
        return SurfacePoints(vertices, weights)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The z component of the cross product of vectors in the plane."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
