"""Regular grids of surface points on a head: the parametrisation of the depth prior.

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
from ethos_data.depth.cylinder import Cylinder, Places

COLUMNS: Final = 65
"""Odd, so that the grid has a middle column and is its own mirror image."""
BANDS: Final = {"forehead": 20, "eyes": 18, "nose": 22, "mouth": 10, "chin": 14}
"""Rows of the grid, from the top; dense where the surface has edges. The last row of
"nose" is the lower edge of the upper lip, the first of "mouth" the upper edge of the
lower one."""
ROWS: Final = sum(BANDS.values())

FOREHEAD: Final = 0.3
"""What is covered above the brows, of the height between chin and brows."""

TEETH_ROWS: Final = 6
TEETH_COLUMNS: Final = 9

_SKIN: Final = (heads.FACE, heads.HEAD, heads.EYE)
_SEAM_STEP: Final = 0.01  # cm


@dataclasses.dataclass(frozen=True, eq=False)
class Template:
    """Where on a head model the 68 landmarks and the P surface points lie.

    Attributes:
      places: of the landmarks, then of the surface points: 68 + P.
      triangles: int32 (T, 3), numbers of surface points, from 0.
      mirror: int (68 + P,), the permutation of all points under a reflection of x.
    """

    places: Places
    triangles: np.ndarray
    mirror: np.ndarray


def build(model: heads.HeadModel) -> Template:
    """Lays the grids over the neutral head of a model."""
    neutral = np.asarray(model.neutral, np.float64)
    landmarks = neutral[model.landmarks68]
    # The axis runs between the jaw's ends, where the ears are: the sides of the face
    # are then seen from it as squarely as the front.
    cylinder = Cylinder(neutral, float(landmarks[[0, 16], 2].mean()))
    skin_mesh, teeth_mesh = _of_parts(model, _SKIN), _of_parts(model, (heads.TEETH,))
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
        places=Places(
            vertices=np.concatenate([surface.vertices for surface in surfaces]),
            weights=np.concatenate([surface.weights for surface in surfaces]),
        ),
        triangles=triangles.astype(np.int32),
        mirror=np.concatenate(mirrors),
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


def _on_landmarks(model: heads.HeadModel) -> Places:
    return Places(
        np.repeat(model.landmarks68.astype(np.int32)[:, None], 3, axis=1),
        np.tile(np.eye(1, 3), (topology.NUM_LANDMARKS, 1)),
    )


def _face_rays(
    model: heads.HeadModel, cylinder: Cylinder, mesh: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Angle (radians, 0 = forwards) and height (cm) of the face's grid, each (P,)."""
    landmarks = cylinder.vertices[model.landmarks68]
    jaw, lips = landmarks[:17], landmarks[48:60]
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

    middle = COLUMNS // 2
    eyes = landmarks[topology.EYES, 1]
    eye = eyes.max() - eyes.min()
    levels = np.array(
        [
            forehead,
            eyes.max() + eye / 2,
            eyes.min() - eye / 2,
            lips[:, 1].mean(),
            lips[:, 1].min(),
            bottom[middle],
        ]
    )
    # How far down a level is, from 0 at the top of its column to 1 at the bottom.
    down = np.tile((forehead - levels) / (forehead - bottom[middle]), (COLUMNS, 1))
    seam, is_lip = _seam(model, cylinder, mesh, angle, lips)
    down[is_lip, 3] = ((top - seam) / (top - bottom))[is_lip]
    # Beside the mouth the seam runs on to where it would be without one.
    outer = np.flatnonzero(is_lip)[[0, -1]] if is_lip.any() else [middle, middle]
    down[:, 3] = np.where(
        (angle < angle[outer[0]]) | (angle > angle[outer[1]]),
        np.interp(
            np.abs(angle), [angle[outer[1]], half], [down[outer[1], 3], down[0, 3]]
        ),
        down[:, 3],
    )
    down[:, 4] = np.maximum(down[:, 4], down[:, 3] + 0.05)
    gap = np.where(is_lip, _SEAM_STEP, 0.2) / (top - bottom).max()
    rows = []
    for band, count in enumerate(BANDS.values()):
        start, stop = down[:, band], down[:, band + 1]
        if band == 2:
            stop = stop - gap
        elif band == 3:
            start = start + gap
        # The lip's edges and the last row are rows themselves.
        ends = count - 1 if band in (2, len(BANDS) - 1) else count
        rows.append(start + (stop - start) * np.arange(count)[:, None] / ends)
    height = top + (bottom - top) * np.concatenate(rows)
    return np.broadcast_to(angle, height.shape).ravel(), height.ravel()


def _seam(
    model: heads.HeadModel,
    cylinder: Cylinder,
    mesh: np.ndarray,
    angle: np.ndarray,
    lips: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Where upper and lower lip meet: height (COLUMNS,) in cm, and whether they do.

    There the skin's motion jumps: an opening mouth takes only the lower lip along.
    """
    heights = np.arange(lips[:, 1].max(), lips[:, 1].min(), -_SEAM_STEP)
    seam = np.full(len(angle), np.nan)
    for k in np.flatnonzero(np.abs(angle) < np.abs(cylinder.angle(lips)).max()):
        places = cylinder.cast(mesh, np.full(len(heights), angle[k]), heights)
        moved = places.of(model.expression)
        jump = np.linalg.norm(np.diff(moved, axis=1), axis=2).max(axis=0)
        if jump.max() > 0.5:  # cm; skin stretches by 0.1 over one step
            seam[k] = heights[jump.argmax() : jump.argmax() + 2].mean()
    seam = (seam + seam[::-1]) / 2
    return seam, np.isfinite(seam)


def _stretched(
    model: heads.HeadModel, triangles: np.ndarray, skin: Places
) -> np.ndarray:
    """bool (T,): triangles from lip to lip, which opening the mouth would stretch."""
    points, moved = skin.of(model.neutral), skin.of(model.expression)
    lips = model.neutral[model.landmarks68[48:60]]
    near = (points >= lips.min(axis=0)) & (points <= lips.max(axis=0))
    stretched = np.zeros(len(triangles), bool)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        a, b = triangles[:, i], triangles[:, j]
        length = np.linalg.norm(points[a] - points[b], axis=1)
        change = np.linalg.norm(moved[:, a] - moved[:, b], axis=2).max(axis=0)
        # Skin does not get twice as long; the gap between the lips gets tenfold.
        stretched |= change > 2 * length
    return stretched & near[:, :2].all(axis=1)[triangles].all(axis=1)


def _teeth_rays(
    landmarks: np.ndarray, cylinder: Cylinder
) -> tuple[np.ndarray, np.ndarray]:
    """Angle and height of the grid on the teeth, which hides behind closed lips."""
    lips = landmarks[48:60]
    reach = np.abs(cylinder.angle(lips)).max()
    angle = np.linspace(-reach, reach, TEETH_COLUMNS)
    height = np.linspace(lips[:, 1].max(), lips[:, 1].min(), TEETH_ROWS)
    angle, height = np.meshgrid(angle, height)
    return angle.ravel(), height.ravel()
