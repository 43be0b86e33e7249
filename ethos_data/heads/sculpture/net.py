"""Vertices of the left half of the built-in head, in a plane map of directions."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ethos_data.heads.geometry import inside_polygon
from ethos_data.heads.sculpture.field import ORIGIN


class Net:
    """Vertices of the left half of the head, with the landmarks among them.

    Attributes:
      points: Vertices in the plane of `to_plane`, (N, 2), in radians.
      landmarks: Number of the vertex of each landmark.
    """

    def __init__(self) -> None:
        self.points = np.zeros((0, 2))
        self.landmarks: dict[int, int] = {}

    def add(
        self, surface: np.ndarray, landmarks: dict[int, int] | None = None
    ) -> np.ndarray:
        """Adds vertices. A point that the net already contains is not repeated.

        Args:
          surface: Points on the surface, (N, 3), in cm.
          landmarks: Index of the point of each landmark. -1 is the last point.

        Returns:
          The points in the plane, (N, 2), in radians.
        """
        plane = to_plane(surface)
        plane[np.abs(surface[:, 0]) < 1e-6, 0] = 0
        for k, point in enumerate(plane):
            equal = np.flatnonzero(np.linalg.norm(self.points - point, axis=1) < 1e-7)
            if len(equal) == 0:
                self.points = np.concatenate([self.points, point[None]])
            number = equal[0] if len(equal) else len(self.points) - 1
            for landmark, index in (landmarks or {}).items():
                if index % len(plane) == k:
                    self.landmarks[landmark] = int(number)
        return plane

    def fill(self, grid: np.ndarray, spacing: float, holes: list[np.ndarray]) -> None:
        """Adds the points of a grid that are not too close to other vertices.

        Args:
          grid: Points in the plane, (N, 2), in radians.
          spacing: Distance between neighbours in the grid, in radians.
          holes: Polygons (M, 2) whose inside stays empty.
        """
        for hole in holes:
            grid = grid[~inside_polygon(grid, hole)]
        nearest, _ = cKDTree(mirrored(self.points)).query(grid)
        self.points = np.concatenate([self.points, grid[nearest > 0.62 * spacing]])


def to_plane(points: np.ndarray) -> np.ndarray:
    """Maps points to the plane of directions from `ORIGIN`.

    This is the azimuthal equidistant projection around +z.

    Args:
      points: (..., 3), in cm.

    Returns:
      (..., 2), in radians.
    """
    d = points - ORIGIN
    angle = np.arctan2(np.hypot(d[..., 0], d[..., 1]), d[..., 2])
    radius = np.maximum(np.hypot(d[..., 0], d[..., 1]), 1e-12)
    return d[..., :2] * (angle / radius)[..., None]


def from_plane(uv: np.ndarray) -> np.ndarray:
    """Returns the unit directions (..., 3) of points (..., 2) in the plane."""
    angle = np.linalg.norm(uv, axis=-1, keepdims=True)
    return np.concatenate([uv * np.sinc(angle / np.pi), np.cos(angle)], axis=-1)


def hexagonal_grid(spacing: float, radius: float) -> np.ndarray:
    """Returns half of a hexagonal grid with a column on the axis of symmetry.

    Args:
      spacing: Distance between neighbours, in radians.
      radius: Radius of the half disc that the grid fills, in radians.

    Returns:
      (N, 2), in radians, with the first coordinate >= 0.
    """
    rows = np.arange(-radius, radius, spacing * 0.866)
    grid = [
        np.stack([u, np.full_like(u, v)], axis=-1)
        for k, v in enumerate(rows)
        for u in [np.arange(0, radius, spacing) + (spacing / 2) * (k % 2)]
    ]
    points = np.concatenate([*grid, np.stack([0 * rows, rows], axis=-1)])
    return points[np.linalg.norm(points, axis=1) < radius]


def mirrored(points: np.ndarray) -> np.ndarray:
    """Returns points (N, 2), followed by the mirror images of those off the axis."""
    return np.concatenate([points, points[points[:, 0] > 1e-6] * (-1, 1)])
