"""Grids of surface points on a head, on which the depth prior is defined.

The face is unrolled around a vertical axis inside the head. A grid point is a point on
the surface of the neutral head, given by three vertices and barycentric weights. It
follows the head through all identities and expressions.

The grid covers the face from ear to ear and from the jaw line to the forehead. It ends
above the brows at `FOREHEAD` times the height between chin and brows, because hair
begins there. A second, small grid covers the teeth. The grid of the face is cut between
the lips, so that an open mouth shows teeth and not skin between the lips.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_data.depth.cylinder import Cylinder, SurfacePoints
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import EYE, FACE, HEAD, MOUTH, TEETH

COLUMNS: Final = 65
"""Number of columns, odd, so that the grid has a middle column and is symmetric."""
BANDS: Final = (20, 18, 22, 7, 9, 14)
"""Number of rows on forehead, eyes, nose, upper lip, lower lip and chin.

They are dense where the surface has edges. The last row of the upper lip and the first
row of the lower lip are the edges of the lips."""
ROWS: Final = sum(BANDS)
_UPPER_LIP: Final = 3

FOREHEAD: Final = 0.3
"""Height of the grid above the brows, divided by the height between chin and brows."""

TEETH_ROWS: Final = 6
TEETH_COLUMNS: Final = 9

_SKIN: Final = (FACE, HEAD, EYE)
_SEAM_STEP: Final = 0.01  # cm


@dataclasses.dataclass(frozen=True, eq=False)
class Template:
    """The positions of the 68 landmarks and P surface points on a head model.

    Attributes:
      points: The 68 landmarks, then the P surface points.
      triangles: int32 (T, 3), indices of surface points, counted from 0.
      mirror: int (68 + P,), the permutation of all points under a reflection of x.
    """

    points: SurfacePoints
    triangles: np.ndarray
    mirror: np.ndarray


def build(model: HeadModel) -> Template:
    """Computes the grids on the neutral head of a model."""
    neutral = np.asarray(model.neutral, np.float64)
    landmarks = neutral[model.landmarks68]
    # The axis is between the ends of the jaw, near the ears. From there, rays hit the
    # sides of the face as perpendicularly as its front.
    cylinder = Cylinder(neutral, float(landmarks[[0, 16], 2].mean()))
    skin_mesh, teeth_mesh = _skin(model), _of_parts(model, (TEETH,))
    angles, heights = _face_rays(model, cylinder, skin_mesh)
    skin = cylinder.cast(skin_mesh, angles, heights)
    triangles = grid_triangles(ROWS, COLUMNS)
    surfaces = [_on_landmarks(model), skin]
    mirrors = [topology.MIRROR, _grid_mirror(ROWS, COLUMNS) + topology.NUM_LANDMARKS]
    if len(teeth_mesh):
        count = len(skin.vertices)
        surfaces.append(cylinder.cast(teeth_mesh, *_teeth_rays(landmarks, cylinder)))
        teeth_mirror = _grid_mirror(TEETH_ROWS, TEETH_COLUMNS)
        mirrors.append(teeth_mirror + topology.NUM_LANDMARKS + count)
        slit = _stretched(model, triangles, skin)
        teeth = grid_triangles(TEETH_ROWS, TEETH_COLUMNS) + count
        triangles = np.concatenate([triangles[~slit], teeth])
    return Template(
        points=SurfacePoints(
            vertices=np.concatenate([surface.vertices for surface in surfaces]),
            weights=np.concatenate([surface.weights for surface in surfaces]),
        ),
        triangles=triangles.astype(np.int32),
        mirror=np.concatenate(mirrors),
    )


def grid_triangles(rows: int, columns: int) -> np.ndarray:
    """Returns the triangles of a grid that is stored row by row.

    The diagonals are symmetric to the middle column.

    Returns:
      int (T, 3), indices of grid points.
    """
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    c, d = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    left = np.tile(np.arange(columns - 1) < (columns - 1) / 2, rows - 1)[:, None]
    first = np.where(left, np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    second = np.where(left, np.stack([b, d, c], 1), np.stack([a, d, c], 1))
    return np.concatenate([first, second])


def _grid_mirror(rows: int, columns: int) -> np.ndarray:
    """The permutation of grid points under a reflection of x."""
    return np.arange(rows * columns).reshape(rows, columns)[:, ::-1].ravel()


def _of_parts(model: HeadModel, parts: tuple[int, ...]) -> np.ndarray:
    """Triangles (F, 3) whose vertices all belong to some parts of the head."""
    return model.triangles[np.isin(model.parts, parts)[model.triangles].all(axis=1)]


def _skin(model: HeadModel) -> np.ndarray:
    """Triangles of the skin, including the rim of the mouth inside the lips."""
    parts = model.parts[model.triangles]
    skin = np.isin(parts, _SKIN)
    rim = skin.any(axis=1) & (skin | (parts == MOUTH)).all(axis=1)
    return model.triangles[skin.all(axis=1) | rim]


def _on_landmarks(model: HeadModel) -> SurfacePoints:
    return SurfacePoints(
        np.repeat(model.landmarks68.astype(np.int32)[:, None], 3, axis=1),
        np.tile(np.eye(1, 3), (topology.NUM_LANDMARKS, 1)),
    )


def _face_rays(
    model: HeadModel, cylinder: Cylinder, mesh: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rays of the face's grid: angles (P,) in radians and heights (P,) in cm."""
    landmarks = cylinder.vertices[model.landmarks68]
    jaw, lips = landmarks[:17], landmarks[48:60]
    jaw_angle = cylinder.angle(jaw)
    half = (jaw_angle[16] - jaw_angle[0]) / 2
    # Columns are denser in the middle, where nose, eyes and mouth are.
    u = np.linspace(-1, 1, COLUMNS)
    angle = half * (0.75 * u + 0.25 * u**3)
    bottom = np.interp(angle, jaw_angle, jaw[:, 1])
    bottom = (bottom + bottom[::-1]) / 2
    brow = landmarks[17:27, 1].max()
    forehead = brow + FOREHEAD * (brow - jaw[8, 1])
    side = jaw[[0, 16], 1].mean()
    top = side + (forehead - side) * (1 - (angle / half) ** 4)

    middle = COLUMNS // 2
    eyes = landmarks[topology.EYES, 1]
    eye = eyes.max() - eyes.min()
    levels = np.array(
        [
            forehead,
            eyes.max() + eye / 2,
            eyes.min() - eye / 2,
            lips[:, 1].max(),
            lips[:, 1].mean(),
            lips[:, 1].min(),
            bottom[middle],
        ]
    )
    # Relative position of each level: 0 at the top of its column, 1 at the bottom.
    down = np.tile((forehead - levels) / (forehead - bottom[middle]), (COLUMNS, 1))
    edges = _lip_edges(model, cylinder, mesh, angle, lips)
    gap = _follow_lips(down, angle / half, top, bottom, edges)
    rows = []
    for band, count in enumerate(BANDS):
        start, stop = down[:, band], down[:, band + 1]
        if band == _UPPER_LIP:
            stop = stop - gap
        elif band == _UPPER_LIP + 1:
            start = start + gap
        # The edge of the upper lip and the jaw are rows of the grid.
        ends = count - 1 if band in (_UPPER_LIP, len(BANDS) - 1) else count
        rows.append(start + (stop - start) * np.arange(count)[:, None] / ends)
    height = top + (bottom - top) * np.concatenate(rows)
    return np.broadcast_to(angle, height.shape).ravel(), height.ravel()


def _follow_lips(
    down: np.ndarray,
    across: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    edges: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Moves the grid lines of the lips to the edges of the lips, in place.

    Args:
      down: Relative position of each level in each column, (COLUMNS, levels).
      across: Angle of each column, from -1 to 1.
      top: Height of the upper end of each column, in cm.
      bottom: Height of its lower end, in cm.
      edges: Heights of the edges of the lips, as `_lip_edges` returns them.

    Returns:
      Half of the gap between the lips in each column, (COLUMNS,), relative to the
      column. A grid line at this distance follows each lip's edge.
    """
    upper, lower = edges
    is_lip = np.isfinite(upper)
    extent = np.maximum(top - bottom, 1e-9)
    gap = np.full(COLUMNS, 0.01)
    if is_lip.any():
        gap[is_lip] = ((upper - lower) / 2 + _SEAM_STEP)[is_lip] / extent[is_lip]
        seam = ((top - (upper + lower) / 2) / extent)[is_lip]
        level = down[0, _UPPER_LIP : _UPPER_LIP + 3]
        # Beside the mouth, the lines of the lips return to their undisturbed height.
        beside = np.interp(np.abs(across), [across[is_lip].max(), 1], [1, 0])
        moved = np.where(is_lip, 0.0, (seam[-1] - level[1]) * beside)
        moved[is_lip] = seam - level[1]
        down[:, _UPPER_LIP : _UPPER_LIP + 3] += moved[:, None]
    return gap


def _lip_edges(
    model: HeadModel,
    cylinder: Cylinder,
    mesh: np.ndarray,
    angle: np.ndarray,
    lips: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the edges of the lips.

    The motion of the skin jumps between the two edges, because an opening mouth moves
    only the lower lip.

    Returns:
      Heights (COLUMNS,) in cm of the edge of the upper lip and of the lower lip. NaN
      in columns beside the mouth.
    """
    heights = np.arange(lips[:, 1].max(), lips[:, 1].min(), -_SEAM_STEP)
    edges = np.full((2, len(angle)), np.nan)
    for k in np.flatnonzero(np.abs(angle) < np.abs(cylinder.angle(lips)).max()):
        points = cylinder.cast(mesh, np.full(len(heights), angle[k]), heights)
        moved = points.of(model.expression)
        jump = np.linalg.norm(np.diff(moved, axis=1), axis=2).max(axis=0)
        last = int(jump.argmax())
        if jump[last] > 0.5:  # cm; skin stretches by 0.1 cm over one step
            # A ray between the lips returns the point of the nearest lip.
            edges[:, k] = points.of(cylinder.vertices)[last : last + 2, 1]
    edges = (edges + edges[:, ::-1]) / 2
    return edges[0], edges[1]


def _stretched(
    model: HeadModel, triangles: np.ndarray, skin: SurfacePoints
) -> np.ndarray:
    """Selects (T,) the triangles between the lips, which an open mouth stretches."""
    points, moved = skin.of(model.neutral), skin.of(model.expression)
    lips = model.neutral[model.landmarks68[48:60]]
    near = (points >= lips.min(axis=0)) & (points <= lips.max(axis=0))
    stretched = np.zeros(len(triangles), bool)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        a, b = triangles[:, i], triangles[:, j]
        length = np.linalg.norm(points[a] - points[b], axis=1)
        change = np.linalg.norm(moved[:, a] - moved[:, b], axis=2).max(axis=0)
        # Skin does not become twice as long. The gap between the lips grows tenfold.
        stretched |= change > 2 * length
    return stretched & near[:, :2].all(axis=1)[triangles].all(axis=1)


def _teeth_rays(
    landmarks: np.ndarray, cylinder: Cylinder
) -> tuple[np.ndarray, np.ndarray]:
    """Rays of the grid on the teeth: angles (P,) in radians and heights (P,) in cm."""
    lips = landmarks[48:60]
    reach = np.abs(cylinder.angle(lips)).max()
    angle = np.linspace(-reach, reach, TEETH_COLUMNS)
    height = np.linspace(lips[:, 1].max(), lips[:, 1].min(), TEETH_ROWS)
    angle, height = np.meshgrid(angle, height)
    return angle.ravel(), height.ravel()
