"""Draws the depth of a face: as colours, as a shaded or rotated surface, as a mesh.

Only the area inside the outline of the landmarks is shown. The network was never
trained on depth outside the face.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

from ethos_data.drawing import Color
from ethos_model.predict import Face

DEPTH_SPAN: Final = (-0.55, 0.25)
"""Range of the colour map, in sides of the window: from the ears of a frontal face to
the tip of its nose. It is fixed, so that a colour means the same in every frame."""

LIGHT: Final = np.array([-0.35, -0.45, 0.82]) / np.linalg.norm([-0.35, -0.45, 0.82])
"""Unit vector towards the light: x right, y down, z towards the viewer."""

CLAY: Final = np.array([222, 196, 176], np.float32)
"""RGB of a surface without texture."""


def face_mask(face: Face, side: int | None = None) -> np.ndarray:
    """The inside of the convex hull of the landmarks.

    Args:
      face: Prediction for one face.
      side: Width and height of the mask, in pixels; None for those of the face's depth.

    Returns:
      bool (side, side), over the face's window.
    """
    side = side or face.depth.shape[0]
    landmarks = face.window.to_normalized(face.landmarks[:, :2]) * side - 0.5
    limit = 8.0 * side
    hull = cv2.convexHull(np.clip(landmarks, -limit, limit).astype(np.float32))
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, np.round(hull * 16).astype(np.int32), 1, shift=4)
    return mask.astype(bool)


def height_map(face: Face, side: int | None = None) -> np.ndarray:
    """The depth inside the face, in sides of the face's window.

    Args:
      face: Prediction for one face.
      side: Width and height of the map, in pixels; None for those of the face's depth.
        The outline of the landmarks is drawn at the resolution of the map.

    Returns:
      float32 (side, side); larger is nearer, NaN is outside the face.
    """
    relative = np.asarray(face.depth, np.float32) / face.window.size
    if side is not None and side != relative.shape[0]:
        method = cv2.INTER_CUBIC if side > relative.shape[0] else cv2.INTER_AREA
        relative = np.asarray(
            cv2.resize(relative, (side, side), interpolation=method), np.float32
        )
    return np.where(face_mask(face, side), relative, np.nan).astype(np.float32)


def _filled(height: np.ndarray) -> np.ndarray:
    """Replaces NaN by the lowest height, so that the map can be filtered."""
    inside = np.isfinite(height)
    lowest = height[inside].min() if inside.any() else 0.0
    return np.where(inside, height, lowest).astype(np.float32)


def _smoothed(height: np.ndarray) -> np.ndarray:
    """Blurs away the network's output pixels, which shading would make visible."""
    sigma = 1.2 * height.shape[0] / 112
    return cv2.GaussianBlur(_filled(height), (0, 0), sigma)


def _eroded(mask: np.ndarray) -> np.ndarray:
    """Removes the border of a mask: its pixels have no neighbours to compute slopes."""
    return cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


def color_map(height: np.ndarray, background: Color) -> np.ndarray:
    """Draws heights as colours, from violet (far) to yellow (near).

    Args:
      height: float32 (D, D), in sides of the map; NaN is outside the face.
      background: RGB outside the face.

    Returns:
      uint8 (D, D, 3) RGB.
    """
    low, high = DEPTH_SPAN
    level = np.nan_to_num(height)
    level -= low
    level /= high - low
    np.clip(level, 0, 1, out=level)
    level *= 255
    colors = cv2.applyColorMap(level.astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    colors = cv2.cvtColor(colors, cv2.COLOR_BGR2RGB)
    # Three times as fast as an assignment with an index.
    outside = (~np.isfinite(height)).astype(np.uint8)
    colors = cv2.bitwise_and(colors, colors, mask=1 - outside)
    return cv2.add(colors, np.array([*background, 0.0]), dst=colors, mask=outside)


def brightness(height: np.ndarray, light: np.ndarray = LIGHT) -> np.ndarray:
    """Brightness of a matt surface under a directed and a diffuse light.

    Lambert's law with the normal (-dz/dx, -dz/dy, 1) of a height map. Where a neighbour
    is missing, the surface counts as flat.

    Args:
      height: float32 (D, D), in sides of the map; NaN is outside the face.
      light: (3,) unit vector towards the light: x right, y down, z towards the viewer.

    Returns:
      float32 (D, D), 0.25 to 1.
    """
    side = height.shape[0]
    difference = np.array([[-0.5, 0.0, 0.5]], np.float32) * side
    dx = np.nan_to_num(cv2.filter2D(height, -1, difference))
    dy = np.nan_to_num(cv2.filter2D(height, -1, difference.T))
    x, y, z = (float(v) for v in light)
    facing = (z - x * dx - y * dy) / np.sqrt(dx * dx + dy * dy + 1)
    return 0.25 + 0.75 * np.clip(facing, 0, 1)


def shaded(height: np.ndarray, background: Color) -> np.ndarray:
    """Draws heights as a surface of clay, seen from the front.

    Args:
      height: float32 (D, D), in sides of the map; NaN is outside the face.
      background: RGB outside the face.

    Returns:
      uint8 (D, D, 3) RGB.
    """
    inside = np.isfinite(height)
    smooth = np.where(inside, _smoothed(height), np.float32(np.nan))
    picture = (CLAY * brightness(smooth)[..., None]).astype(np.uint8)
    picture[~_eroded(inside)] = background
    return picture


@dataclasses.dataclass(frozen=True)
class Rotation:
    """Rotation of a surface, right-handed about the axes of the screen.

    Attributes:
      yaw: Rotation about the vertical axis, in degrees.
      pitch: Rotation about the horizontal axis, in degrees.
    """

    yaw: float = 25.0
    pitch: float = -8.0

    def matrix(self) -> np.ndarray:
        """The rotation matrix, float32 (3, 3): x right, y down, z to the viewer."""
        yaw, pitch = np.radians([self.yaw, self.pitch])
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        return (about_x @ about_y).astype(np.float32)


def rotated(
    height: np.ndarray,
    rotation: Rotation,
    size: int,
    background: Color,
    texture: np.ndarray | None = None,
) -> np.ndarray:
    """Draws the rotated surface.

    The points of a fine grid are drawn from far to near. With a depth of 112 px and a
    picture of 200 px this takes about 4 ms in numpy.

    Args:
      height: float32 (D, D), in sides of the map; NaN is outside the face.
      rotation: The rotation.
      size: Width and height of the picture, in pixels.
      background: RGB outside the face.
      texture: uint8 (D, D, 3) RGB to draw on the surface; None for clay.

    Returns:
      uint8 (size, size, 3) RGB.
    """
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = background
    if np.isfinite(height).sum() < 16:
        return picture
    matrix = rotation.matrix()
    points, colors = _colored_points(height, matrix, size, texture)
    if not len(points):
        return picture
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2).astype(np.float32) @ matrix.T
    # With this scale the surface fits into the picture at any rotation.
    reach = float(np.linalg.norm((high - low) / 2))
    x, y = np.round((points[:, :2] / (1.85 * reach) + 0.5) * size).astype(np.int32).T
    # 65,536 integer levels sort five times as fast as floats.
    level = (points[:, 2] / reach * 32000).astype(np.int16)
    order = np.argsort(level, kind="stable")
    order = order[(x[order] >= 0) & (x[order] < size)]
    order = order[(y[order] >= 0) & (y[order] < size)]
    drawn = np.zeros((size, size), np.uint8)
    picture[y[order], x[order]] = colors[order]
    drawn[y[order], x[order]] = 1
    _fill_cracks(picture, drawn)
    return picture


def _colored_points(
    height: np.ndarray, matrix: np.ndarray, size: int, texture: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Points of the surface before the rotation, and their colours after it.

    Args:
      height: As for `rotated`.
      matrix: float32 (3, 3), the rotation matrix.
      size: As for `rotated`.
      texture: As for `rotated`.

    Returns:
      Points, float (N, 3), and colours, uint8 (N, 3) RGB.
    """
    fine = max(height.shape[0], min(round(1.15 * size), 320))
    grid = (fine, fine)
    z = cv2.resize(_smoothed(height), grid, interpolation=cv2.INTER_CUBIC)
    mask = cv2.resize(np.isfinite(height).astype(np.float32), grid) > 0.6
    # The light keeps its direction on the screen while the surface rotates.
    bright = brightness(np.where(mask, z, np.float32(np.nan)), matrix.T @ LIGHT)
    mask = _eroded(mask)
    bright = bright[mask]
    albedo = CLAY if texture is None else cv2.resize(texture, grid)[mask]
    if texture is not None:
        bright = 0.5 + 0.5 * bright  # a photograph contains light and shade already
    colors = (albedo * bright[:, None]).astype(np.uint8)
    rows, columns = np.nonzero(mask)
    points = np.stack([columns + 0.5, rows + 0.5, z[mask] * fine], axis=-1)
    return points, colors


def _fill_cracks(picture: np.ndarray, drawn: np.ndarray) -> None:
    """Fills gaps of a pixel or two, where the surface is stretched, in place."""
    closed = cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, np.ones((5, 5)))
    crack = (closed - drawn).astype(bool)
    weight = cv2.blur(drawn.astype(np.float32), (5, 5))[..., None]
    spread = cv2.blur(picture.astype(np.float32) * drawn[..., None], (5, 5))
    picture[crack] = (spread / np.maximum(weight, 1e-6))[crack]


@dataclasses.dataclass(frozen=True)
class Mesh:
    """A triangle mesh of a face.

    Attributes:
      vertices: float32 (V, 3), in source pixels: x right, y up (the negative y of the
        frame), z towards the viewer.
      colors: uint8 (V, 3) RGB.
      triangles: int32 (F, 3) indices of vertices, counter-clockwise seen from the
        camera.
    """

    vertices: np.ndarray
    colors: np.ndarray
    triangles: np.ndarray


def mesh(face: Face, frame_rgb: np.ndarray) -> Mesh:
    """The visible surface of a face as a mesh.

    Args:
      face: Prediction for one face.
      frame_rgb: uint8 (H, W, 3) RGB, the frame of the face. It gives the colours.

    Returns:
      The mesh, with one vertex for each pixel of the depth inside the face.
    """
    side = face.depth.shape[0]
    mask = face_mask(face) & np.isfinite(face.depth)
    rows, columns = np.nonzero(mask)
    normalized = np.stack([(columns + 0.5) / side, (rows + 0.5) / side], axis=-1)
    xy = face.window.to_source(normalized)
    number = np.full((side, side), -1, np.int32)
    number[rows, columns] = np.arange(len(rows))
    # Corners of each square of pixels, seen from the front: a b above c d.
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
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
