"""The renderer: a person, a pose, a camera and light, to an image with its truth.

figure = sample_figure(HeadModel.builtin(), np.random.default_rng(7))
picture = render_sample(7, 256)
picture.image, picture.depth, picture.landmarks, picture.visible
"""

from __future__ import annotations

import dataclasses
from typing import Final

import cv2
import numpy as np

from ethos_data import topology
from ethos_data.heads import appearance, background, lighting, raster, shading
from ethos_data.heads import figure as figures
from ethos_data.heads.figure import Figure
from ethos_data.heads.lighting import Lighting
from ethos_data.heads.model import HeadModel
from ethos_data.heads.raster import Camera

SAMPLES: Final = 2
"""Colour samples along a pixel's side. Depth is taken at the pixel's center."""

FACE_CM: Final = 14.2
"""sqrt(width * height) of a mean face's box seen from the front, cm."""

HEAD_RADIUS: Final = 7.0
THICKNESS: Final = 0.3
"""Of a head, and of what is too thin to hide a point (a lid, a lip), cm."""

_SHADOW_PIXELS: Final = 224


@dataclasses.dataclass(frozen=True)
class Pose:
    """How a head is held, degrees.

    Attributes:
      yaw: positive turns the face to the right of the picture.
      pitch: positive looks down.
      roll: positive leans the top of the head to the left of the picture.
      torso: yaw of the shoulders.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    torso: float = 0.0

    @property
    def rotation(self) -> np.ndarray:
        """Head axes to world axes, float64 (3, 3): roll after pitch after yaw."""
        return _turn(2, self.roll) @ _turn(0, self.pitch) @ _turn(1, self.yaw)


@dataclasses.dataclass(frozen=True, eq=False)
class Rendering:
    """An image and the truth about it.

    Attributes:
      image: uint8 (H, W, 3), RGB.
      depth: float32 (H, W), source pixels, larger = nearer, in the frame of reference
        of the landmarks' z; the head without hair and clothes; NaN elsewhere.
      landmarks: float32 (68, 3), source pixels; z is zero at the eyes' mean.
      visible: bool (68,), True where nothing hides the point.
      kinds: uint8 (H, W), part seen at each pixel's center: of `head`; HAIR, CLOTH or
        GLASSES of `appearance`; 255 = background.
    """

    image: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray
    kinds: np.ndarray


def _turn(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
    return turn


def world(figure: Figure, expression: np.ndarray, pose: Pose) -> np.ndarray:
    """All vertices of a person in a pose, float32 (N, 3), cm; origin at the neck."""
    own = figure.model.expressed(figure.shape, expression)
    rotation = pose.rotation.T.astype(np.float32)
    cloth = len(figure.worn) - figure.num_attached
    points = np.concatenate([own, figure.worn]) - figure.pivot.astype(np.float32)
    shoulders = points[len(points) - cloth :] @ _turn(1, pose.torso).T.astype(
        np.float32
    )
    return np.concatenate([points[: len(points) - cloth] @ rotation, shoulders])


def aim(
    figure: Figure,
    pose: Pose,
    *,
    height: int,
    width: int,
    face_size: float,
    center: tuple[float, float],
    distance: float = 80.0,
) -> Camera:
    """A camera that shows the face at a place in a size.

    Args:
      figure: the person.
      pose: of the head; the expression does not matter.
      height: of the image, pixels.
      width: of the image, pixels.
      face_size: sqrt(width * height) of a mean face seen from the front, pixels.
      center: x, y of the middle of the face's 68 points, source pixels.
      distance: from the eye point, cm; inf = weak perspective.
    """
    camera = Camera(height, width, face_size / FACE_CM, (0.0, 0.0), distance)
    marks = figure.shape[figure.model.landmarks68] - figure.pivot
    box = topology.face_box(camera.project(marks @ pose.rotation.T))
    x, y = center[0] - (box[0] + box[2]) / 2, center[1] - (box[1] + box[3]) / 2
    return dataclasses.replace(camera, center=(float(x), float(y)))


def render(
    figure: Figure,
    expression: np.ndarray,
    pose: Pose,
    camera: Camera,
    light: Lighting,
    backdrop: np.ndarray,
) -> Rendering:
    """Renders one frame.

    Args:
      figure: the person.
      expression: (E,) coefficients in [0, 1].
      pose: of head and shoulders.
      camera: as `aim` makes it.
      light: what shines; its strength is the exposure.
      backdrop: float32 (H, W, 3), linear, of the camera's size.
    """
    vertices = world(figure, expression, pose)
    triangles = figure.triangles
    normals = raster.vertex_normals(vertices, triangles[: figure.num_outer])
    color, cover = _colors(figure, vertices, normals, pose, camera, light)
    mixed = backdrop * (1 - cover) + color
    image = tone_map(mixed)

    hits = raster.trace(vertices, triangles, camera)
    kinds = np.where(hits.triangle >= 0, figure.kinds[hits.triangle], np.uint8(255))
    marks = figure.model.landmarks68
    points = camera.project(vertices[marks])
    visible = _visible(points, normals[marks], hits.depth, camera.scale)
    origin = points[topology.EYES, 2].mean()
    points[:, 2] -= origin
    own = kinds < appearance.HAIR
    depth = np.where(own, hits.depth - np.float32(origin), np.float32(np.nan))
    return Rendering(image, depth, points.astype(np.float32), visible, kinds)


def tone_map(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB bytes, the brightest tenth compressed as film does."""
    knee = np.float32(0.8)
    over = np.maximum(linear - knee, 0)
    value = np.minimum(linear, knee) + 0.2 * (1 - np.exp(-over / 0.2))
    table = _srgb_table()
    return table[(np.clip(value, 0, 1) * (len(table) - 1)).astype(np.int32)]


def sample_figure(model: HeadModel, rng: np.random.Generator) -> Figure:
    """A random person: identity, colours, hair, clothes."""
    identity = model.sample_identity(rng)
    return figures.build(model, identity, appearance.sample_look(rng), rng)


def render_sample(
    seed: int,
    size: int,
    *,
    model: HeadModel | None = None,
    yaw: float | None = None,
) -> Rendering:
    """One picture of a random person in a friendly light.

    Args:
      seed: who it is.
      size: side of the square picture, pixels.
      model: the head model; the built-in one by default.
      yaw: of the head, degrees; drawn by default.
    """
    rng = np.random.default_rng((seed, 0x5A3))
    figure = sample_figure(model or HeadModel.builtin(), rng)
    turn = rng.uniform(-35, 35) if yaw is None else yaw
    pose = Pose(turn, rng.uniform(-6, 6), rng.uniform(-5, 5), 0.4 * turn)
    camera = aim(
        figure,
        pose,
        height=size,
        width=size,
        face_size=0.45 * size,
        center=(0.5 * size, 0.52 * size),
    )
    expression = figure.model.sample_expression(rng)
    light = expose(lighting.studio(), figure, 0.32)
    return render(figure, expression, pose, camera, light, background.plain(size, size))


def expose(light: Lighting, figure: Figure, level: float) -> Lighting:
    """Scales a light so that a face of medium skin has the mean luminance `level`.

    Dark skin stays darker than fair skin, but by less than in the same light: cameras
    expose for the face.
    """
    weights = np.array((0.2126, 0.7152, 0.0722))  # luminance, ITU-R BT.709
    directions = lighting.sphere(figures.NUM_DIRECTIONS)
    soft = figure.transfer[figure.model.landmarks68] @ light.radiance(directions)
    key = light.key_color * max(0.15, light.key[2]) * 0.7
    skin = float(figure.look.skin @ weights)
    received = float((figure.look.skin * (soft.mean(axis=0) + key)) @ weights)
    return light.scaled(level * np.sqrt(skin / 0.35) / max(received, 1e-4))


def _colors(
    figure: Figure,
    vertices: np.ndarray,
    normals: np.ndarray,
    pose: Pose,
    camera: Camera,
    light: Lighting,
) -> tuple[np.ndarray, np.ndarray]:
    """Linear colour times coverage (H, W, 3), and coverage (H, W, 1), of a person."""
    triangles, look = figure.triangles, figure.look
    directions = lighting.sphere(figures.NUM_DIRECTIONS) @ pose.rotation.T
    radiance = light.radiance(directions)
    bounce = 0.45 * radiance.mean(axis=0) * np.minimum(look.skin * 1.3, 1)
    irradiance = shading.light_softly(
        figure.transfer,
        figure.hidden,
        radiance.astype(np.float32),
        bounce.astype(np.float32),
    )
    depth, points, scale = raster.shadow_map(
        vertices, figure.casters, light.key, _SHADOW_PIXELS
    )
    offset = normals @ raster.facing(light.key).T.astype(np.float32)
    points = points + offset * np.array((1.2, -1.2, 1.2), np.float32)
    hits = raster.trace(vertices, triangles, camera.supersampled(SAMPLES))
    color = shading.shade(
        hits.triangle,
        hits.weights,
        triangles,
        figure.kinds,
        normals,
        irradiance,
        figure.paint,
        figure.eyes,
        np.array([look.brow, look.hair, look.iris], np.float32),
        np.float32(look.mottle),
        points.astype(np.float32),
        depth,
        np.float32(0.2 * scale),
        light.key.astype(np.float32),
        light.key_color.astype(np.float32),
    )
    size = (camera.width, camera.height)
    cover = (hits.triangle >= 0).astype(np.float32)
    return (
        cv2.resize(color, size, interpolation=cv2.INTER_AREA),
        cv2.resize(cover, size, interpolation=cv2.INTER_AREA)[..., None],
    )


def _visible(
    points: np.ndarray, normals: np.ndarray, depth: np.ndarray, scale: float
) -> np.ndarray:
    """bool (68,): which points lie inside the picture and on its nearest surface.

    Args:
      points: (68, 3), source pixels, z in the frame of reference of `depth`.
      normals: (68, 3), world axes.
      depth: float32 (H, W), NaN = nothing.
      scale: of the camera, pixels per cm.
    """
    height, width = depth.shape
    x0, y0 = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    inside = (x0 >= 0) & (y0 >= 0) & (x0 + 1 < width) & (y0 + 1 < height)
    x, y = np.clip(x0, 0, width - 2), np.clip(y0, 0, height - 2)
    around = np.stack([depth[y + j, x + i] for i in (0, 1) for j in (0, 1)])
    empty = np.isnan(around)
    deepest = np.where(empty, np.inf, around).min(axis=0)
    nearest = np.where(empty, -np.inf, around).max(axis=0)
    # How far the surface itself rises within a pixel: as the four pixels say, but at
    # an outline by its slope, at most as a ball of a head's radius: sqrt(2 * 1.5 * r).
    toward = np.clip(normals[:, 2], 0.01, 1)
    rise = np.minimum(
        1.5 * np.sqrt(1 - toward**2) / toward, np.sqrt(3 * HEAD_RADIUS * scale)
    )
    rise = np.where(empty.any(axis=0), rise, nearest - deepest)
    hidden = deepest > points[:, 2] + THICKNESS * scale + rise
    alone = empty.all(axis=0)
    return inside & (normals[:, 2] > -0.2) & (alone | ~hidden)


_TABLE: list[np.ndarray] = []


def _srgb_table() -> np.ndarray:
    """uint8 (4096,): the sRGB curve (IEC 61966-2-1) as a table."""
    if not _TABLE:
        x = np.linspace(0, 1, 4096)
        curve = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
        _TABLE.append(np.round(curve * 255).astype(np.uint8))
    return _TABLE[0]


def compile_kernels() -> None:
    """Compiles the numba kernels into their cache (about 20 s the very first time)."""
    corners = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)], np.float32)
    one = np.array([[0, 1, 2]], np.int32)
    camera = Camera(4, 4, 1.0, (1.0, 2.0))
    normals = raster.vertex_normals(corners, one)
    raster.lit(corners, normals, one, np.array((0.0, 0.0, 1.0)), 8)
    hits = raster.trace(corners, one, camera)
    shading.shade(
        hits.triangle,
        hits.weights,
        one,
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
