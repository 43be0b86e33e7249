"""The renderer: a person, a pose, a camera and light give an image and its truth.

Example:
  sample = render_sample(seed=7, size=256)
  sample.image, sample.depth, sample.landmarks, sample.visible
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_data.heads import raster, shading
from ethos_data.heads.background import plain_background
from ethos_data.heads.figure import NUM_DIRECTIONS, Figure, sample_figure
from ethos_data.heads.lighting import Lighting, sphere_directions, studio_lighting
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import HAIR, NO_PART
from ethos_data.heads.pose import Pose, aim, posed_vertices
from ethos_data.heads.raster import Camera

SAMPLES: Final = 2
"""Number of colour samples along each side of a pixel.

Depth has a single sample, at the pixel's centre.
"""

SHADOW_PIXELS: Final = 224
"""Side of the key light's shadow map, in pixels."""

_HEAD_RADIUS: Final = 7.0
"""Radius of a head, in cm."""

_LID_THICKNESS: Final = 0.3
"""Thickness of a lid or a lip, in cm.

A surface that is at most this far in front of a landmark does not hide it.
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Rendering:
    """An image and its true depth and landmarks.

    Attributes:
      image: uint8 (H, W, 3), RGB.
      depth: float32 (H, W), in source pixels. Larger is nearer. 0 is the mean z of the
        eye landmarks, as for `landmarks`. NaN where the image does not show the head
        itself but hair, glasses, clothes or background.
      landmarks: float32 (68, 3), in source pixels. The mean z of the eye landmarks
        is 0.
      visible: bool (68,). True where nothing hides the landmark.
      parts: Part at the centre of each pixel, uint8 (H, W), a number of
        `ethos_data.heads.parts`. NO_PART in the background.
    """

    image: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray
    parts: np.ndarray


def render(
    figure: Figure,
    expression: np.ndarray,
    pose: Pose,
    camera: Camera,
    light: Lighting,
    background: np.ndarray,
) -> Rendering:
    """Renders one frame.

    Args:
      figure: The person.
      expression: Expression coefficients in [0, 1], (E,).
      pose: Pose of head and shoulders.
      camera: Camera, usually from `aim`.
      light: Light of the scene. Its strength determines the exposure.
      background: Linear radiance, float32 (H, W, 3), with the camera's image size.
    """
    vertices = posed_vertices(figure, expression, pose)
    normals = raster.vertex_normals(vertices, figure.triangles[: figure.num_outer])
    color, coverage = _colors(figure, vertices, normals, pose, camera, light)
    image = tone_map(background * (1 - coverage) + color)

    hits = raster.trace(vertices, figure.triangles, camera)
    parts = np.where(hits.triangle >= 0, figure.parts[hits.triangle], np.uint8(NO_PART))
    landmark_vertices = figure.model.landmarks68
    landmarks = camera.project(vertices[landmark_vertices])
    visible = _visible(landmarks, normals[landmark_vertices], hits.depth, camera.scale)
    origin = landmarks[topology.EYES, 2].mean()
    landmarks[:, 2] -= origin
    is_head = parts < HAIR
    depth = np.where(is_head, hits.depth - np.float32(origin), np.float32(np.nan))
    return Rendering(image, depth, landmarks.astype(np.float32), visible, parts)


def render_sample(
    seed: int,
    size: int,
    *,
    model: HeadModel | None = None,
    yaw: float | None = None,
) -> Rendering:
    """Renders an image of a random person in studio light.

    Args:
      seed: Random seed of the person and the pose.
      size: Side of the square image, in pixels.
      model: Head model. None uses the built-in head.
      yaw: Yaw of the head, in degrees. None draws it.
    """
    rng = np.random.default_rng((seed, 0x5A3))
    figure = sample_figure(model or HeadModel.builtin(), rng)
    yaw = rng.uniform(-35, 35) if yaw is None else yaw
    pose = Pose(yaw, rng.uniform(-6, 6), rng.uniform(-5, 5), 0.4 * yaw)
    camera = aim(
        figure,
        pose,
        height=size,
        width=size,
        face_size=0.45 * size,
        center=(0.5 * size, 0.52 * size),
    )
    expression = figure.model.sample_expression(rng)
    light = expose(studio_lighting(), figure, 0.32)
    background = plain_background(size, size)
    return render(figure, expression, pose, camera, light, background)


def expose(light: Lighting, figure: Figure, level: float) -> Lighting:
    """Scales light so that a face has a given brightness.

    Dark skin stays darker than fair skin, but by less than in the same light, because
    cameras set their exposure for the face.

    Args:
      light: Light to scale.
      figure: The person.
      level: Mean luminance of a face with medium skin, in [0, 1].
    """
    weights = np.array((0.2126, 0.7152, 0.0722))  # luminance (ITU-R BT.709)
    directions = sphere_directions(NUM_DIRECTIONS)
    soft = figure.transfer[figure.model.landmarks68] @ light.radiance(directions)
    key = light.key_color * max(0.15, light.key[2]) * 0.7
    skin = float(figure.look.skin @ weights)
    received = float((figure.look.skin * (soft.mean(axis=0) + key)) @ weights)
    return light.scaled(level * np.sqrt(skin / 0.35) / max(received, 1e-4))


def tone_map(linear: np.ndarray) -> np.ndarray:
    """Converts linear light to sRGB bytes.

    Values above 0.8 are compressed, as film does, so that highlights do not clip.

    Args:
      linear: Linear light, float32 (...). 1 is white.

    Returns:
      uint8 (...).
    """
    knee = np.float32(0.8)
    over = np.maximum(linear - knee, 0)
    value = np.minimum(linear, knee) + 0.2 * (1 - np.exp(-over / 0.2))
    table = _srgb_table()
    return table[(np.clip(value, 0, 1) * (len(table) - 1)).astype(np.int32)]


@functools.cache
def _srgb_table() -> np.ndarray:
    """The sRGB curve (IEC 61966-2-1) as a table over [0, 1], uint8 (4096,)."""
    x = np.linspace(0, 1, 4096)
    curve = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.round(curve * 255).astype(np.uint8)


def _colors(
    figure: Figure,
    vertices: np.ndarray,
    normals: np.ndarray,
    pose: Pose,
    camera: Camera,
    light: Lighting,
) -> tuple[np.ndarray, np.ndarray]:
    """Linear colour times coverage (H, W, 3), and coverage (H, W, 1), of a person."""
    look = figure.look
    directions = sphere_directions(NUM_DIRECTIONS) @ pose.rotation.T
    radiance = light.radiance(directions)
    bounce = 0.45 * radiance.mean(axis=0) * np.minimum(look.skin * 1.3, 1)
    irradiance = shading.soft_irradiance(
        figure.transfer,
        figure.hidden,
        radiance.astype(np.float32),
        bounce.astype(np.float32),
    )
    depth, points, scale = raster.shadow_map(
        vertices, figure.casters, light.key, SHADOW_PIXELS
    )
    # The step along the normal keeps a surface from shadowing itself.
    offset = normals @ raster.view_rotation(light.key).T.astype(np.float32)
    points = points + offset * np.array((1.2, -1.2, 1.2), np.float32)
    hits = raster.trace(vertices, figure.triangles, camera.supersampled(SAMPLES))
    color = shading.shade(
        hits.triangle,
        hits.weights,
        figure.triangles,
        figure.parts,
        normals,
        irradiance,
        figure.paint,
        figure.eyes,
        np.array([look.brow, look.hair, look.iris], np.float32),
        np.float32(look.skin_variation),
        points.astype(np.float32),
        depth,
        np.float32(0.2 * scale),
        light.key.astype(np.float32),
        light.key_color.astype(np.float32),
    )
    size = (camera.width, camera.height)
    coverage = (hits.triangle >= 0).astype(np.float32)
    return (
        cv2.resize(color, size, interpolation=cv2.INTER_AREA),
        cv2.resize(coverage, size, interpolation=cv2.INTER_AREA)[..., None],
    )


def _visible(
    landmarks: np.ndarray, normals: np.ndarray, depth: np.ndarray, scale: float
) -> np.ndarray:
    """Which landmarks are inside the image and on its nearest surface, bool (68,).

    Args:
      landmarks: (68, 3), in source pixels, with z in the frame of reference of `depth`.
      normals: Unit normals at the landmarks in the world frame, (68, 3).
      depth: float32 (H, W), in source pixels. NaN where there is no triangle.
      scale: Scale of the camera, in pixels per cm.
    """
    height, width = depth.shape
    x0, y0 = np.floor(landmarks[:, :2]).astype(int).T
    is_inside = (x0 >= 0) & (y0 >= 0) & (x0 + 1 < width) & (y0 + 1 < height)
    x, y = np.clip(x0, 0, width - 2), np.clip(y0, 0, height - 2)
    around = np.stack([depth[y + j, x + i] for i in (0, 1) for j in (0, 1)])
    is_empty = np.isnan(around)
    farthest = np.where(is_empty, np.inf, around).min(axis=0)
    nearest = np.where(is_empty, -np.inf, around).max(axis=0)
    # How much the surface itself rises within a pixel. The four pixels around a
    # landmark show it, except at an outline. There it is the surface's slope times
    # 1.5 pixels, a pixel's diagonal, but at most the rise of a sphere within 1.5 pixels
    # of its outline, sqrt(2 * 1.5 * radius).
    cosine = np.clip(normals[:, 2], 0.01, 1)
    rise = np.minimum(
        1.5 * np.sqrt(1 - cosine**2) / cosine, np.sqrt(3 * _HEAD_RADIUS * scale)
    )
    rise = np.where(is_empty.any(axis=0), rise, nearest - farthest)
    is_behind = farthest > landmarks[:, 2] + _LID_THICKNESS * scale + rise
    is_front = normals[:, 2] > -0.2
    return is_inside & is_front & (is_empty.all(axis=0) | ~is_behind)


def compile_kernels() -> None:
    """Compiles the renderer's functions into their cache.

    This takes about 20 s the first time, so that parallel processes need not do it.
    """
    corners = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)], np.float32)
    triangles = np.array([[0, 1, 2]], np.int32)
    camera = Camera(4, 4, 1.0, (1.0, 2.0))
    normals = raster.vertex_normals(corners, triangles)
    raster.lit_shares(corners, normals, triangles, np.array((0.0, 0.0, 1.0)), 8)
    hits = raster.trace(corners, triangles, camera)
    shading.soft_irradiance(corners, np.zeros(3, np.float32), corners, corners[0])
    shading.shade(
        hits.triangle,
        hits.weights,
        triangles,
        np.zeros(1, np.uint8),
        normals,
        corners,
        np.zeros((3, 9), np.float32),
        np.ones((2, 4), np.float32),
        np.zeros((3, 3), np.float32),
        np.float32(0),
        corners,
        hits.depth,
        np.float32(0),
        corners[1],
        corners[1],
    )
