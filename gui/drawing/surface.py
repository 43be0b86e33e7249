"""Depth of a face: as colours, as a shaded surface, as one that turns, as a mesh.

Only the part inside the outline of the landmarks is shown: what the network says of
depth outside of the face was never trained.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

from ethos_model.predict import Face

DEPTH_SPAN: Final = (-0.55, 0.25)
"""Depths over the window's side that the colour map spans: from the ears of a frontal
face to the tip of its nose. Fixed, so that a colour means the same in every frame."""

LIGHT: Final = np.array([-0.35, -0.45, 0.82]) / np.linalg.norm([-0.35, -0.45, 0.82])
"""Towards the light: x right, y down, z to the viewer."""


def face_mask(face: Face, side: int | None = None) -> np.ndarray:
    """Inside of the convex outline of the landmarks, over the face's window.

    Args:
      face: Prediction for one face.
      side: of the mask, pixels; None = of the face's depth.

    Returns:
      bool (side, side).
    """
    side = side or face.depth.shape[0]
    points = face.window.to_normalized(face.landmarks[:, :2]) * side - 0.5
    limit = 8.0 * side
    hull = cv2.convexHull(np.clip(points, -limit, limit).astype(np.float32))
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 1, shift=4)
    return mask.astype(bool)


def heights(face: Face, side: int | None = None) -> np.ndarray:
    """Depth over the window's side, larger = nearer, NaN outside of the face.

    Args:
      face: Prediction for one face.
      side: of the map, pixels; None = of the face's depth. A larger map has the
        outline of the landmarks at its own resolution.

    Returns:
      float32 (side, side).
    """
    relative = np.asarray(face.depth, np.float32) / face.window.size
    if side is not None and side != relative.shape[0]:
        method = cv2.INTER_CUBIC if side > relative.shape[0] else cv2.INTER_AREA
        relative = np.asarray(
            cv2.resize(relative, (side, side), interpolation=method), np.float32
        )
    return np.where(face_mask(face, side), relative, np.nan).astype(np.float32)


def _filled(height: np.ndarray) -> np.ndarray:
    """NaN replaced by the lowest value, so that filters may run over it."""
    inside = np.isfinite(height)
    lowest = height[inside].min() if inside.any() else 0.0
    return np.where(inside, height, lowest).astype(np.float32)


def _calm(height: np.ndarray) -> np.ndarray:
    """Without the grain of the network's output pixels, which light would show."""
    sigma = 1.2 * height.shape[0] / 112
    return cv2.GaussianBlur(_filled(height), (0, 0), sigma)


def color_map(height: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    """Heights as colours, blue far to red near.

    Args:
      height: float32 (D, D), over the window's side, NaN = nothing.
      background: RGB where there is nothing.

    Returns:
      uint8 (D, D, 3) RGB.
    """
    low, high = DEPTH_SPAN
    level = np.clip((_filled(height) - low) / (high - low), 0, 1)
    colors = cv2.applyColorMap((255 * level).astype(np.uint8), cv2.COLORMAP_TURBO)
    colors = cv2.cvtColor(colors, cv2.COLOR_BGR2RGB)
    colors[~np.isfinite(height)] = background
    return colors


def lit(height: np.ndarray, light: np.ndarray = LIGHT) -> np.ndarray:
    """Brightness of a matt surface under one light and some from all sides.

    Lambert's law with the normal (-dz/dx, -dz/dy, 1) of a height map.

    Args:
      height: float32 (D, D), over the side of the map; NaN = nothing.
      light: (3,) unit vector towards the light; x right, y down, z to the viewer.

    Returns:
      float32 (D, D), 0.25 to 1. Beside missing neighbours the surface counts as flat.
    """
    side = height.shape[0]
    difference = np.array([[-0.5, 0.0, 0.5]], np.float32) * side
    dx = np.nan_to_num(cv2.filter2D(height, -1, difference))
    dy = np.nan_to_num(cv2.filter2D(height, -1, difference.T))
    x, y, z = (float(v) for v in light)
    facing = (z - x * dx - y * dy) / np.sqrt(dx * dx + dy * dy + 1)
    return 0.25 + 0.75 * np.clip(facing, 0, 1)


def _eroded(mask: np.ndarray) -> np.ndarray:
    """Without its rim, where a slope has no neighbour to be measured from."""
    return cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


CLAY: Final = np.array([222, 196, 176], np.float32)
"""RGB of the shaded surface."""


def shaded(height: np.ndarray, background: tuple[int, int, int]) -> np.ndarray:
    """Heights as a lit surface of clay, uint8 (D, D, 3) RGB, seen from the camera."""
    inside = np.isfinite(height)
    smooth = np.where(inside, _calm(height), np.float32(np.nan))
    picture = (CLAY * lit(smooth)[..., None]).astype(np.uint8)
    picture[~_eroded(inside)] = background
    return picture


@dataclasses.dataclass(frozen=True)
class Turn:
    """How the surface is turned: degrees, right-handed about the screen's axes."""

    yaw: float = 25.0
    pitch: float = -8.0

    def matrix(self) -> np.ndarray:
        """float32 (3, 3), x right, y down, z to the viewer."""
        yaw, pitch = np.radians([self.yaw, self.pitch])
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        return (about_x @ about_y).astype(np.float32)


def turned(
    height: np.ndarray,
    turn: Turn,
    size: int,
    background: tuple[int, int, int],
    texture: np.ndarray | None = None,
) -> np.ndarray:
    """The surface seen from another side.

    Points of a finer grid are thrown at the picture from far to near. At 112 px of
    depth and 200 px of picture this takes about 4 ms, with nothing but numpy.

    Args:
      height: float32 (D, D), over the window's side, NaN = nothing.
      turn: the view.
      size: side of the picture, pixels.
      background: RGB.
      texture: uint8 (D, D, 3) RGB or None for clay.

    Returns:
      uint8 (size, size, 3) RGB.
    """
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = background
    inside = np.isfinite(height)
    if inside.sum() < 16:
        return picture
    fine = max(height.shape[0], min(round(1.15 * size), 320))
    grid = (fine, fine)
    smooth = _calm(height)
    z = cv2.resize(smooth, grid, interpolation=cv2.INTER_CUBIC)
    mask = cv2.resize(inside.astype(np.float32), grid) > 0.6
    rotation = turn.matrix()
    # The light stands still while the surface turns.
    bright = lit(np.where(mask, z, np.float32(np.nan)), rotation.T @ LIGHT)
    mask = _eroded(mask)
    bright = bright[mask]
    albedo = CLAY if texture is None else cv2.resize(texture, grid)[mask]
    if texture is not None:
        bright = 0.5 + 0.5 * bright  # a photograph has its own light and shade
    color = (albedo * bright[:, None]).astype(np.uint8)
    rows, columns = np.nonzero(mask)
    points = np.stack([columns + 0.5, rows + 0.5, z[mask] * fine], axis=-1)
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2).astype(np.float32) @ rotation.T
    # The largest extent that any turn can show stays inside of the picture.
    reach = float(np.linalg.norm((high - low) / 2))
    x, y = np.round((points[:, :2] / (1.85 * reach) + 0.5) * size).astype(np.int32).T
    # From far to near; 65,536 levels sort five times as fast as floats.
    level = (points[:, 2] / reach * 32000).astype(np.int16)
    order = np.argsort(level, kind="stable")
    order = order[(x[order] >= 0) & (x[order] < size)]
    order = order[(y[order] >= 0) & (y[order] < size)]
    hit = np.zeros((size, size), np.uint8)
    picture[y[order], x[order]] = color[order]
    hit[y[order], x[order]] = 1
    # Cracks of a pixel or two, where the surface is stretched, take the colour around.
    crack = (cv2.morphologyEx(hit, cv2.MORPH_CLOSE, np.ones((5, 5))) - hit).astype(bool)
    weight = cv2.blur(hit.astype(np.float32), (5, 5))[..., None]
    spread = cv2.blur(picture.astype(np.float32) * hit[..., None], (5, 5))
    picture[crack] = (spread / np.maximum(weight, 1e-6))[crack]
    return picture


@dataclasses.dataclass(frozen=True)
class Mesh:
    """A triangle mesh of a face.

    Attributes:
      vertices: float32 (V, 3): x right, y up (minus the frame's y), z to the viewer, in
        source pixels.
      colors: uint8 (V, 3) RGB.
      triangles: int32 (F, 3), counter-clockwise seen from the camera.
    """

    vertices: np.ndarray
    colors: np.ndarray
    triangles: np.ndarray


def mesh(face: Face, frame_rgb: np.ndarray) -> Mesh:
    """The visible face as a mesh, coloured from the frame."""
    side = face.depth.shape[0]
    mask = face_mask(face) & np.isfinite(face.depth)
    rows, columns = np.nonzero(mask)
    normalized = np.stack([(columns + 0.5) / side, (rows + 0.5) / side], axis=-1)
    xy = face.window.to_source(normalized)
    number = np.full((side, side), -1, np.int32)
    number[rows, columns] = np.arange(len(rows))
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    # Seen from the front with y up: a b over c d.
    triangles = np.concatenate(
        [
            np.stack([a, c, b], axis=-1).reshape(-1, 3),
            np.stack([b, c, d], axis=-1).reshape(-1, 3),
        ]
    )
    triangles = triangles[(triangles >= 0).all(axis=-1)]
    x = np.clip(np.round(xy[:, 0]), 0, frame_rgb.shape[1] - 1).astype(int)
    y = np.clip(np.round(xy[:, 1]), 0, frame_rgb.shape[0] - 1).astype(int)
    vertices = np.stack([xy[:, 0], -xy[:, 1], face.depth[rows, columns]], axis=-1)
    return Mesh(vertices.astype(np.float32), frame_rgb[y, x], triangles)
