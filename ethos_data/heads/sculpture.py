"""The built-in head: a signed distance field modelled by hand, and a mesh laid over it.

The field is a smooth union of ellipsoids, spheres and cones (skull, jaw, cheeks, nose,
lips, lids, ears, neck), after mean adult measures (head 15 x 22 x 19 cm, pupils 6.3 cm
apart, nose root to chin 11 cm). Curves that matter (lids, lips, brows, jaw) are drawn
in front view, in cm, and become edges of the mesh, so that a landmark is a vertex and
eyes and mouth can open. Everything is built for one side and mirrored.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import Delaunay, cKDTree

from ethos_data import topology
from ethos_data.heads import sculpture_shapes
from ethos_data.heads.parts import FACE, HEAD, MOUTH, SOCKET
from ethos_data.heads.sculpture_shapes import EYE_CENTER, EYE_RADIUS, lip_seam

ORIGIN: Final = np.array((0.0, 1.0, 1.0))
"""Every ray from here leaves the head once: the mesh is a map over directions."""

_MAX_STEPS: Final = 150

LOWER_END: Final = -17.0
"""Height where the neck is cut off, cm."""

# Curves of the head's left side (x > 0) in front view, cm; inner or upper end first.
_LIP_UPPER: Final = ((0.0, -2.68), (0.62, -2.48), (1.45, -2.9), (2.36, -3.5))
_LIP_LOWER: Final = ((0.0, -4.52), (0.85, -4.42), (1.5, -4.12), (2.36, -3.5))
_LIP_INNER: Final = tuple((x, lip_seam(x)) for x in (0.0, 0.6, 1.2, 1.65, 2.1))
_BROW: Final = ((1.75, 5.65), (2.65, 6.05), (3.7, 6.2), (4.8, 5.95), (5.75, 5.25))


_LID_X: Final = 3.14 - 1.27 * np.cos(np.linspace(0, np.pi, 18))
"""Where the lids' edges have vertices: denser towards the corners of the eye."""

_JAW: Final = (
    # Chin to ear; only the direction from ORIGIN counts.
    (0.0, -8.0, 10.2),
    (2.2, -7.6, 9.6),
    (3.7, -6.6, 7.9),
    (4.9, -5.6, 6.2),
    (5.9, -4.1, 5.3),
    (6.5, -2.3, 4.7),
    (6.9, -0.5, 4.2),
    (7.2, 1.4, 3.7),
    (7.3, 3.5, 3.4),
)


def _ellipsoid(p: np.ndarray, center: tuple, radii: tuple) -> np.ndarray:
    q = p - center
    k0 = np.linalg.norm(q / radii, axis=-1)
    k1 = np.linalg.norm(q / np.square(radii), axis=-1)
    return k0 * (k0 - 1) / np.maximum(k1, 1e-9)


def _cone(p: np.ndarray, a: tuple, b: tuple, ra: float, rb: float) -> np.ndarray:
    """A capsule from a to b whose radius runs from ra to rb."""
    axis = np.subtract(b, a)
    t = np.clip((p - a) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(p - a - t[..., None] * axis, axis=-1) - (ra + t * (rb - ra))


def _join(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """Smooth union; k is the width of the blend, cm."""
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return b + (a - b) * h - k * h * (1 - h)


def _carve(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    return -_join(-a, b, k)


def field(points: np.ndarray) -> np.ndarray:
    """Signed distance (roughly, cm, negative inside) of points (..., 3), cm."""
    p = np.array(points, np.float64)
    p[..., 0] = np.abs(p[..., 0])
    d = _ellipsoid(p, (0, 5.2, -0.3), (7.3, 8.0, 9.9))  # skull
    d = _join(d, _ellipsoid(p, (0, 0.6, 2.8), (7.3, 8.3, 7.0)), 1.5)  # face
    d = _join(d, _cone(p, (4.2, -3.0, 2.9), (0.6, -6.65, 8.3), 1.9, 1.4), 2.6)  # jaw
    d = _join(d, _ellipsoid(p, (0, -6.8, 9.2), (1.5, 1.25, 1.4)), 1.8)  # chin
    d = _join(d, _ellipsoid(p, (4.4, 1.0, 6.5), (2.0, 1.7, 2.1)), 2.2)  # cheekbone
    d = _join(d, _ellipsoid(p, (2.7, -0.9, 7.9), (2.2, 2.2, 2.1)), 1.8)  # cheek
    d = _join(d, _ellipsoid(p, (2.9, -3.0, 6.6), (2.1, 2.4, 2.2)), 2.2)  # lower cheek
    d = _join(d, _ellipsoid(p, (0, -3.2, 8.3), (2.8, 2.8, 2.75)), 1.6)  # jaws' mound
    d = _join(d, _cone(p, (0.6, 5.5, 9.1), (4.0, 5.7, 7.3), 1.2, 1.0), 2.4)  # brow
    d = _carve(d, _ellipsoid(p, (2.9, 3.35, 11.1), (1.8, 1.3, 1.9)), 1.4)  # socket
    d = _carve(d, _ellipsoid(p, (8.2, 4.2, 6.6), (1.2, 2.6, 2.4)), 1.6)  # temple
    d = _join(d, np.linalg.norm(p - EYE_CENTER, axis=-1) - EYE_RADIUS - 0.1, 0.45)
    d = _nose(p, d)
    d = _lips(p, d)
    d = _join(d, _cone(p, (0, -5, -0.6), (0, -21, -2.4), 4.6, 5.0), 2.0)  # neck
    d = _join(
        d, _cone(p, (5.4, -3, -1.5), (1.2, -17, 3.2), 0.9, 0.9), 1.6
    )  # its muscle
    d = _join(d, _ear(p), 0.5)
    return np.maximum(d, LOWER_END - p[..., 1])


def _nose(p: np.ndarray, d: np.ndarray) -> np.ndarray:
    d = _join(d, _cone(p, (0, 4.1, 9.6), (0, 0.6, 11.55), 0.75, 0.8), 1.3)
    d = _join(d, _cone(p, (0, 3.5, 8.9), (0, 0.1, 10.1), 0.8, 1.3), 0.9)  # flanks
    d = _join(d, np.linalg.norm(p - (0, 0.05, 12.05), axis=-1) - 0.88, 0.7)
    d = _join(d, _ellipsoid(p, (1.12, -0.35, 10.95), (0.55, 0.6, 0.8)), 0.6)  # wing
    d = _join(d, _cone(p, (0, -0.35, 12.0), (0, -1.0, 11.1), 0.42, 0.35), 0.4)
    return _carve(d, _ellipsoid(p, (0.56, -0.95, 11.35), (0.26, 0.22, 0.4)), 0.25)


def _lips(p: np.ndarray, d: np.ndarray) -> np.ndarray:
    d = _carve(d, _cone(p, (0, -1.5, 12.2), (0, -2.3, 12.6), 0.35, 0.45), 0.7)
    d = _carve(d, _cone(p, (0, -5.35, 12.05), (1.2, -5.25, 11.6), 0.6, 0.4), 0.8)
    d = _join(d, _cone(p, (0.15, -3.0, 11.1), (1.3, -3.16, 10.75), 0.52, 0.42), 0.35)
    d = _join(d, _cone(p, (1.3, -3.16, 10.75), (2.4, -3.5, 9.75), 0.42, 0.25), 0.35)
    d = _join(d, _cone(p, (0, -3.98, 10.85), (1.2, -3.88, 10.55), 0.6, 0.5), 0.35)
    return _join(d, _cone(p, (1.2, -3.88, 10.55), (2.4, -3.5, 9.7), 0.5, 0.25), 0.35)


def _ear(p: np.ndarray) -> np.ndarray:
    turn = np.array(((0.94, 0, -0.34), (0, 1, 0), (0.34, 0, 0.94)))
    q = (p - (7.1, 1.6, -0.9)) @ turn
    ear = _ellipsoid(q, (0, 0, 0), (1.0, 3.1, 1.9))
    return _carve(ear, _ellipsoid(q, (1.1, 0.3, 0.4), (0.75, 1.9, 1.0)), 0.35)


def _march(start: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The surface (N, 3) first met from outside on the way along unit directions."""
    points = np.array(start, np.float64)
    moving = np.arange(len(points))
    for _ in range(_MAX_STEPS):
        distance = field(points[moving])
        points[moving] += 0.8 * distance[:, None] * directions[moving]
        moving = moving[np.abs(distance) > 1e-4]
        if len(moving) == 0:
            break
    return points


def _along(directions: np.ndarray) -> np.ndarray:
    """The head's surface along unit directions (N, 3) from ORIGIN."""
    return _march(ORIGIN + 26.0 * directions, -directions)


def _in_front(xy: np.ndarray) -> np.ndarray:
    """The surface that a viewer in front sees at xy (N, 2)."""
    start = np.concatenate([xy, np.full((len(xy), 1), 16.0)], axis=1)
    return _march(start, np.tile((0.0, 0.0, -1.0), (len(xy), 1)))


def _to_plane(points: np.ndarray) -> np.ndarray:
    """Azimuthal equidistant map of directions about +z: (..., 3) to (..., 2), rad."""
    d = points - ORIGIN
    angle = np.arctan2(np.hypot(d[..., 0], d[..., 1]), d[..., 2])
    radius = np.maximum(np.hypot(d[..., 0], d[..., 1]), 1e-12)
    return d[..., :2] * (angle / radius)[..., None]


def _from_plane(uv: np.ndarray) -> np.ndarray:
    angle = np.linalg.norm(uv, axis=-1, keepdims=True)
    return np.concatenate([uv * np.sinc(angle / np.pi), np.cos(angle)], axis=-1)


def _smooth(knots: tuple, count: int) -> np.ndarray:
    """`count` points along a spline through (x, y) knots, knots' ends included."""
    knots_array = np.array(knots)
    steps = np.linalg.norm(np.diff(knots_array, axis=0), axis=1)
    at = np.concatenate([[0], np.cumsum(steps)])
    return CubicSpline(at, knots_array)(np.linspace(0, at[-1], count))


def _hexagonal(spacing: float, radius: float) -> np.ndarray:
    """Half a hexagonal grid (u >= 0), with a column on the axis of symmetry."""
    rows = np.arange(-radius, radius, spacing * 0.866)
    grid = [
        np.stack([u, np.full_like(u, v)], axis=-1)
        for k, v in enumerate(rows)
        for u in [np.arange(0, radius, spacing) + (spacing / 2) * (k % 2)]
    ]
    points = np.concatenate([*grid, np.stack([0 * rows, rows], axis=-1)])
    return points[np.linalg.norm(points, axis=1) < radius]


def _mirrored(points: np.ndarray) -> np.ndarray:
    """Points of the left side, then the reflections of those off the axis."""
    return np.concatenate([points, points[points[:, 0] > 1e-6] * (-1, 1)])


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """bool (N,): which of the points (N, 2) lie in the polygon (M, 2)."""
    x, y = points[:, None, 0], points[:, None, 1]
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    with np.errstate(divide="ignore", invalid="ignore"):
        crosses = ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return crosses.sum(axis=1) % 2 == 1


class _Net:
    """The points of the left half, in the plane of directions, with their landmarks."""

    def __init__(self) -> None:
        self.points = np.zeros((0, 2))
        self.landmarks: dict[int, int] = {}

    def add(
        self, surface: np.ndarray, marks: dict[int, int] | None = None
    ) -> np.ndarray:
        """Adds surface points (N, 3) in order; marks: landmark to index among them.

        Returns:
          (N, 2) in the plane. A point that is there already is not repeated.
        """
        plane = _to_plane(surface)
        plane[np.abs(surface[:, 0]) < 1e-6, 0] = 0
        for k, point in enumerate(plane):
            twin = np.flatnonzero(np.linalg.norm(self.points - point, axis=1) < 1e-7)
            if len(twin) == 0:
                self.points = np.concatenate([self.points, point[None]])
            number = twin[0] if len(twin) else len(self.points) - 1
            for landmark, index in (marks or {}).items():
                if index % len(plane) == k:
                    self.landmarks[landmark] = int(number)
        return plane

    def fill(self, grid: np.ndarray, spacing: float, holes: list[np.ndarray]) -> None:
        """Adds the grid's points that are in no hole and crowd no other point."""
        for hole in holes:
            grid = grid[~_inside(grid, hole)]
        near, _ = cKDTree(_mirrored(self.points)).query(grid)
        self.points = np.concatenate([self.points, grid[near > 0.62 * spacing]])


def _mesh() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, triangles, parts and landmarks of the neutral head."""
    net = _Net()
    seam = _smooth(_LIP_INNER, 13)
    gap = np.where(np.arange(13) < 12, 0.012, 0)[:, None] * (0, 1)
    mouth_upper = net.add(_in_front(seam + gap), {62: 0, 63: 5, 64: 12})
    mouth_lower = net.add(_in_front(seam - gap), {66: 0, 65: 5})
    upper = np.stack([_LID_X, sculpture_shapes.lid_upper(_LID_X)], axis=-1)
    lower = np.stack([_LID_X, sculpture_shapes.lid_lower(_LID_X)], axis=-1)
    lid_upper = net.add(_in_front(upper), {42: 0, 43: 6, 44: 11, 45: 17})
    lid_lower = net.add(_in_front(lower), {47: 6, 46: 11})
    net.add(_in_front(_smooth(_LIP_UPPER, 13)), {51: 0, 52: 3, 53: 8, 54: -1})
    net.add(_in_front(_smooth(_LIP_LOWER, 13)), {57: 0, 56: 4, 55: 8})
    net.add(_in_front(_smooth(_BROW, 5)), {22 + k: k for k in range(5)})
    bridge = np.array([(0, 3.5), (0, 2.3), (0, 1.1), (0, 0.05), (0, -1.25)])
    net.add(_in_front(bridge), {27: 0, 28: 1, 29: 2, 30: 3, 33: 4})
    net.add(_in_front(np.array([(0.62, -1.28), (1.28, -1.1)])), {34: 0, 35: 1})
    jaw = np.array(_JAW) - ORIGIN
    jaw = _along(jaw / np.linalg.norm(jaw, axis=1, keepdims=True))
    net.add(jaw, {8 + k: k for k in range(9)})

    eye = np.concatenate([lid_upper, lid_lower[-2:0:-1]])
    slit = np.concatenate([mouth_upper, mouth_lower[-2::-1]])
    slit = np.concatenate([slit, slit[-2:0:-1] * (-1, 1)])
    # Rows of the nose line up: the flanks are so steep that staggered rows show.
    nose = np.stack(
        np.meshgrid(np.arange(0, 0.17, 0.008), np.arange(-0.26, 0.24, 0.016)), axis=-1
    ).reshape(-1, 2)
    nose = nose[np.linalg.norm((nose - (0, -0.02)) / (0.16, 0.25), axis=1) < 1]
    net.fill(nose, 0.008, [])
    for spacing, radius in ((0.022, 0.6), (0.042, 1.25), (0.07, 2.2), (0.12, 2.9)):
        net.fill(_hexagonal(spacing, radius), spacing, [eye, slit])
    turn = np.linspace(0, np.pi, 15)
    rim = 3.0 * np.stack([np.sin(turn), np.cos(turn)], axis=-1)
    rim[[0, -1], 0] = 0
    net.points = np.concatenate([net.points, rim])

    plane = _mirrored(net.points)
    triangles = Delaunay(plane).simplices
    corners = plane[triangles]
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    twice_area = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
    triangles[twice_area < 0] = triangles[twice_area < 0][:, ::-1]
    middles = corners.mean(axis=1)
    for hole in (eye, eye * (-1, 1), slit):
        kept = ~_inside(middles, hole)
        triangles, middles = triangles[kept], middles[kept]
    skin = _along(_from_plane(plane))
    tree = cKDTree(plane)

    def numbers(points: np.ndarray) -> np.ndarray:
        return tree.query(points)[1]

    marks = np.zeros(68, np.int64)
    for landmark, number in net.landmarks.items():
        marks[landmark] = number
        marks[topology.MIRROR[landmark]] = numbers(net.points[number] * (-1, 1))
    front = np.linalg.norm(plane, axis=1) < 1.45
    face = front & (skin[:, 1] > -9) & (skin[:, 1] < 9)
    sheets = [(skin, triangles, np.where(face, FACE, HEAD))]
    sheets.append(_back(numbers(_mirrored(rim)), skin))
    for side in (1, -1):
        sheets.append(_lid_lining(numbers(eye * (side, 1)), skin, side))
        sheets.append(sculpture_shapes.eyeball(side))
    sheets.append(_cavity(numbers(slit), skin))
    sheets += [sculpture_shapes.teeth(upper) for upper in (True, False)]
    return (*_stitched(sheets), marks)


_Sheet = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Vertices (N, 3), triangles and parts (N,) of a piece. A triangle's number below 0,
-1 - v, stands for vertex v of the first piece."""


def _stitched(sheets: list[_Sheet]) -> _Sheet:
    offset, triangles = 0, []
    for points, faces, _ in sheets:
        triangles.append(np.where(faces < 0, -1 - faces, faces + offset))
        offset += len(points)
    return (
        np.concatenate([points for points, _, _ in sheets]),
        np.concatenate(triangles),
        np.concatenate([parts for _, _, parts in sheets]),
    )


def _strip(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Triangles between two closed loops of vertex numbers, outer one clockwise."""
    outer_next, inner_next = np.roll(outer, -1), np.roll(inner, -1)
    return np.concatenate(
        [
            np.stack([outer, outer_next, inner_next], axis=1),
            np.stack([outer, inner_next, inner], axis=1),
        ]
    )


def _back(rim: np.ndarray, skin: np.ndarray) -> _Sheet:
    """Closes the hole that the map of directions leaves at the back of the head."""
    around = np.arctan2(*(skin[rim, :2] - skin[rim, :2].mean(axis=0)).T)
    rim = rim[np.argsort(around)]
    pole = skin[rim].mean(axis=0, keepdims=True) - (0, 0, 0.2)
    loop = -1 - rim
    fan = np.stack([loop, np.roll(loop, -1), np.zeros_like(loop)], axis=1)
    return pole, fan, np.array([HEAD])


def _lid_lining(rim: np.ndarray, skin: np.ndarray, side: int) -> _Sheet:
    """The thickness of the eyelids: from their edge onto the eyeball."""
    center = EYE_CENTER * (side, 1, 1)
    outward = skin[rim] - center
    reach = np.linalg.norm(outward, axis=1, keepdims=True)
    inner = center + outward * np.minimum(1, (EYE_RADIUS - 0.08) / reach)
    faces = _strip(-1 - rim[::-side], np.arange(len(rim))[::-side])
    return inner, faces, np.full(len(rim), SOCKET)


def _cavity(rim: np.ndarray, skin: np.ndarray) -> _Sheet:
    """The inside of the mouth, a bag behind the lips."""
    edge = skin[rim]
    rings = [edge * (1.0, 1.0, 1.0) - (0, 0, 0.35)]
    upper = np.arange(len(rim)) <= len(rim) // 4
    upper |= np.arange(len(rim)) > 3 * len(rim) // 4
    away = np.where(upper, 1.0, -1.0)[:, None] * (0, 1, 0)
    tapered = 1 - np.square(edge[:, :1] / 2.4)
    rings.append(edge + away * 0.9 * np.maximum(tapered, 0) - (0, 0, 0.9))
    rings.append(edge * (0.95, 1, 1) + away * np.maximum(tapered, 0) - (0, 0, 3.0))
    pole = edge.mean(axis=0, keepdims=True) - (0, 0, 4.5)
    count = len(rim)
    loops = [-1 - rim] + [np.arange(count) + k * count for k in range(len(rings))]
    faces = [_strip(b, a) for a, b in itertools.pairwise(loops)]
    last = loops[-1]
    end = np.full(count, len(rings) * count)
    faces.append(np.stack([np.roll(last, -1), last, end], axis=1))
    points = np.concatenate([*rings, pole])
    return points, np.concatenate(faces), np.full(len(points), MOUTH)


def sculpt() -> dict[str, Any]:
    """Builds the arrays of `ethos_data.heads.HeadModel`."""
    return sculpture_shapes.with_shapes(*_mesh())
