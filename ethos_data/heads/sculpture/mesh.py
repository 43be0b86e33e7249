"""The mesh of the built-in head: triangles between vertices on its surface."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay, cKDTree

from ethos_data import topology
from ethos_data.heads.geometry import inside_polygon
from ethos_data.heads.parts import FACE, HEAD
from ethos_data.heads.sculpture import curves, pieces
from ethos_data.heads.sculpture.field import ORIGIN, surface_along, surface_in_front
from ethos_data.heads.sculpture.net import Net, from_plane, hexagonal_grid, mirrored


def build_mesh() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Builds the neutral head.

    Returns:
      Vertices (N, 3) in cm, triangles (F, 3), the part of each vertex (N,), and the
      vertices of the 68 landmarks (68,).
    """
    net = Net()
    eye, slit = _add_curves(net)
    rim = _fill(net, eye, slit)
    plane = mirrored(net.points)
    skin = surface_along(from_plane(plane))
    tree = cKDTree(plane)

    def numbers(points: np.ndarray) -> np.ndarray:
        return tree.query(points)[1]

    landmarks = np.zeros(68, np.int64)
    for landmark, number in net.landmarks.items():
        landmarks[landmark] = number
        reflected = net.points[number] * (-1, 1)
        landmarks[topology.MIRROR[landmark]] = numbers(reflected)
    is_front = np.linalg.norm(plane, axis=1) < 1.45
    is_face = is_front & (skin[:, 1] > -9) & (skin[:, 1] < 9)
    triangles = _triangulate(plane, [eye, eye * (-1, 1), slit])
    parts = [
        pieces.Piece(skin, triangles, np.where(is_face, FACE, HEAD)),
        pieces.back_of_head(numbers(mirrored(rim)), skin),
    ]
    for side in (1, -1):
        parts.append(pieces.lid_lining(numbers(eye * (side, 1)), skin, side))
        parts.append(pieces.eyeball(side))
    parts.append(pieces.mouth_cavity(numbers(slit), skin))
    parts += [pieces.teeth(upper=True), pieces.teeth(upper=False)]
    return (*pieces.joined(parts), landmarks)


def _add_curves(net: Net) -> tuple[np.ndarray, np.ndarray]:
    """Adds the curves that must become edges, with the landmarks on them.

    Returns:
      The outline of the left eye (N, 2) and of the slit of the mouth (M, 2), in the
      plane.
    """
    seam = curves.spline(curves.LIP_SEAM, 13)
    # The corner of the mouth, which is the last point, stays closed.
    gap = np.where(np.arange(13) < 12, 0.012, 0)[:, None] * (0, 1)
    mouth_upper = net.add(surface_in_front(seam + gap), {62: 0, 63: 5, 64: 12})
    mouth_lower = net.add(surface_in_front(seam - gap), {66: 0, 65: 5})
    upper = np.stack([curves.LID_X, curves.upper_lid(curves.LID_X)], axis=-1)
    lower = np.stack([curves.LID_X, curves.lower_lid(curves.LID_X)], axis=-1)
    lid_upper = net.add(surface_in_front(upper), {42: 0, 43: 6, 44: 11, 45: 17})
    lid_lower = net.add(surface_in_front(lower), {47: 6, 46: 11})
    upper_lip = surface_in_front(curves.spline(curves.UPPER_LIP, 13))
    net.add(upper_lip, {51: 0, 52: 3, 53: 8, 54: -1})
    lower_lip = surface_in_front(curves.spline(curves.LOWER_LIP, 13))
    net.add(lower_lip, {57: 0, 56: 4, 55: 8})
    brow = surface_in_front(curves.spline(curves.BROW, 5))
    net.add(brow, {22 + k: k for k in range(5)})
    bridge = surface_in_front(np.array(curves.NOSE_BRIDGE))
    net.add(bridge, {27: 0, 28: 1, 29: 2, 30: 3, 33: 4})
    net.add(surface_in_front(np.array(curves.NOSE_BASE)), {34: 0, 35: 1})
    jaw = np.array(curves.JAW) - ORIGIN
    jaw = surface_along(jaw / np.linalg.norm(jaw, axis=1, keepdims=True))
    net.add(jaw, {8 + k: k for k in range(9)})

    eye = np.concatenate([lid_upper, lid_lower[-2:0:-1]])
    slit = np.concatenate([mouth_upper, mouth_lower[-2::-1]])
    return eye, np.concatenate([slit, slit[-2:0:-1] * (-1, 1)])


def _fill(net: Net, eye: np.ndarray, slit: np.ndarray) -> np.ndarray:
    """Fills the net with vertices, denser towards the face.

    Args:
      net: The net, which already contains the curves.
      eye: Outline of the left eye in the plane, (N, 2).
      slit: Outline of the slit of the mouth in the plane, (M, 2).

    Returns:
      The left half of the rim at the back of the head, in the plane, (K, 2).
    """
    # The nose gets a square grid. Its flanks are so steep that the staggered rows of a
    # hexagonal grid would be visible.
    u, v = np.meshgrid(np.arange(0, 0.17, 0.008), np.arange(-0.26, 0.24, 0.016))
    nose = np.stack([u, v], axis=-1).reshape(-1, 2)
    nose = nose[np.linalg.norm((nose - (0, -0.02)) / (0.16, 0.25), axis=1) < 1]
    net.fill(nose, 0.008, [])
    for spacing, radius in ((0.022, 0.6), (0.042, 1.25), (0.07, 2.2), (0.12, 2.9)):
        net.fill(hexagonal_grid(spacing, radius), spacing, [eye, slit])
    angle = np.linspace(0, np.pi, 15)
    rim = 3.0 * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    rim[[0, -1], 0] = 0
    net.points = np.concatenate([net.points, rim])
    return rim


def _triangulate(plane: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    """Triangles (F, 3) between points in the plane (N, 2), outside of polygons."""
    triangles = Delaunay(plane).simplices
    corners = plane[triangles]
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    twice_area = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
    triangles[twice_area < 0] = triangles[twice_area < 0][:, ::-1]
    centers = corners.mean(axis=1)
    for hole in holes:
        is_outside = ~inside_polygon(centers, hole)
        triangles, centers = triangles[is_outside], centers[is_outside]
    return triangles
