"""The scene of one rendered video: how head, camera and light move.

A scene depends only on its random generator, not on the process that renders it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from ethos_data.heads.background import sample_background
from ethos_data.heads.figure import Figure
from ethos_data.heads.lighting import Lighting, sample_lighting
from ethos_data.heads.pose import Pose, aim
from ethos_data.heads.render import Rendering, expose, render

MAX_YAW: Final = 62.0
"""Yaw that heads in the poses of conversation do not exceed, in degrees. Beyond it,
half of the face is hidden."""

TALKING: Final = "talking"
"""Poses of people who speak to someone near the camera, as in YouTube Faces."""

ANY: Final = "any"
"""Every yaw from -95 to 95 and pitch from -60 to 60 degrees in most videos, the poses
of `TALKING` in the others, and some faces at the edge of the frame."""

TALKING_SHARE: Final = 0.3
"""Share of the videos with the poses of `TALKING` where any pose is wanted."""

EDGE_SHARE: Final = 0.12
"""Share of the videos with faces at the edge of the frame where any pose is wanted."""

POSES: Final = (TALKING, ANY)

KEY_INTERVAL: Final = 9
"""Number of frames between two key frames of motion, about a third of a second."""

FACE_SHARE: Final = 0.44
"""Median face size divided by the nominal frame height.

In YouTube Faces the median face has 88 pixels in frames of 203 pixels.
"""

BLINK: Final = (0.5, 1.0, 0.9, 0.4)
"""How far the lids are closed in the frames of a blink: 0.16 s at 25 frames/s."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """Everything that determines a video of T frames of a person.

    Attributes:
      height: Height of the frames, in pixels.
      width: Width of the frames, in pixels.
      face_size: sqrt(width * height) of a mean face seen from the front, float (T,), in
        pixels.
      centers: x and y of the centre of the face box, float (T, 2), in source pixels.
      poses: T poses.
      expressions: Expression coefficients in [0, 1], float32 (T, E).
      distance: Distance of the camera, in cm.
      light: Light with the exposure for this person.
      flicker: Factors of the light's strength, float (T,).
      background: Linear radiance, float32 (H, W, 3), larger than the frames.
      pan: x and y of the upper left corner of the frame in the background, float
        (T, 2), in pixels.
      noise: Standard deviation of the sensor noise, in grey levels.
      blur: Standard deviation of the blur of the lens, in pixels.
      contrast: Exponent of the contrast curve. 1 changes nothing.
      noise_seed: Random seed of the sensor noise. The frame number is appended.
    """

    height: int
    width: int
    face_size: np.ndarray
    centers: np.ndarray
    poses: tuple[Pose, ...]
    expressions: np.ndarray
    distance: float
    light: Lighting
    flicker: np.ndarray
    background: np.ndarray
    pan: np.ndarray
    noise: float
    blur: float
    contrast: float
    noise_seed: tuple[int, ...]

    @property
    def num_frames(self) -> int:
        return len(self.poses)

    def every(self, step: int) -> Scene:
        """Returns the scene with every `step`-th frame, beginning with the first."""
        return dataclasses.replace(
            self,
            face_size=self.face_size[::step],
            centers=self.centers[::step],
            poses=self.poses[::step],
            expressions=self.expressions[::step],
            flicker=self.flicker[::step],
            pan=self.pan[::step],
        )


def sample_scene(
    figure: Figure,
    rng: np.random.Generator,
    *,
    num_frames: int,
    size: int,
    poses: str = TALKING,
) -> Scene:
    """Draws the scene of a video.

    Args:
      figure: The person in the video.
      rng: Source of randomness.
      num_frames: Number of frames.
      size: Nominal height of a frame, in pixels. Frames of different videos differ in
        size, so that face sizes vary as in YouTube Faces: they are 0.2 to 1.0 times
        `size`, with a median of 0.44.
      poses: One of `POSES`.
    """
    median = FACE_SHARE * size
    face_size = float(np.clip(median * rng.lognormal(0, 0.36), 0.2 * size, 1.0 * size))
    height = round(face_size * rng.uniform(1.9, 2.6))
    width = round(height * rng.choice([1.0, rng.uniform(1.0, 1.3)]))
    sampled = _sample_poses(rng, num_frames, poses)
    center = (0.5 + rng.normal(0, 0.03), 0.5 + rng.normal(0, 0.03))
    if poses == ANY and rng.random() < EDGE_SHARE:
        center = (float(rng.choice([0.2, 0.8]) + rng.normal(0, 0.08)), center[1])
    sway = _random_path_2d(rng, num_frames)
    zoom = np.exp(rng.uniform(0, 0.06) * _random_path(rng, num_frames))
    light = expose(
        sample_lighting(rng),
        figure,
        np.clip(rng.lognormal(np.log(0.22), 0.42), 0.06, 0.5),
    )
    margin = int(0.12 * height) + 2
    background = sample_background(rng, height + margin, width + margin)
    pan = _random_path_2d(rng, num_frames)
    # The order of the arguments is the order of the random draws.
    return Scene(
        height=height,
        width=width,
        face_size=face_size * zoom,
        centers=np.array(center) * (width, height) + 0.03 * face_size * sway,
        poses=sampled,
        expressions=_sample_expressions(figure, rng, num_frames),
        distance=float(rng.choice([45.0, 70.0, 120.0, 250.0])),
        light=light,
        flicker=np.exp(0.03 * _random_path(rng, num_frames)),
        background=background,
        pan=margin * (0.5 + 0.45 * np.tanh(0.6 * pan * rng.uniform(0, 1))),
        noise=float(rng.choice([0.0, 1.0, rng.uniform(1.0, 4.0)])),
        blur=float(rng.choice([0.0, 0.0, rng.uniform(0.3, 0.8)])),
        contrast=float(rng.normal(1.0, 0.1)),
        noise_seed=tuple(int(k) for k in rng.integers(0, 2**31, 2)),
    )


def render_frames(figure: Figure, scene: Scene) -> Iterator[Rendering]:
    """Renders the frames of a video.

    Example:
      scene = sample_scene(figure, rng, num_frames=25, size=200)
      images = [frame.image for frame in render_frames(figure, scene)]
    """
    curve = _contrast_curve(scene.contrast)
    for t in range(scene.num_frames):
        camera = aim(
            figure,
            scene.poses[t],
            height=scene.height,
            width=scene.width,
            face_size=float(scene.face_size[t]),
            center=(float(scene.centers[t, 0]), float(scene.centers[t, 1])),
            distance=scene.distance,
        )
        frame = render(
            figure,
            scene.expressions[t],
            scene.poses[t],
            camera,
            scene.light.scaled(float(scene.flicker[t])),
            _background(scene, t),
        )
        image = cv2.LUT(frame.image, curve)
        if scene.blur:
            image = cv2.GaussianBlur(image, (0, 0), scene.blur)
        if scene.noise:
            rng = np.random.default_rng((*scene.noise_seed, t))
            noise = rng.standard_normal(image.shape, np.float32) * scene.noise
            image = np.clip(image + noise + 0.5, 0, 255).astype(np.uint8)
        yield dataclasses.replace(frame, image=image)


def _background(scene: Scene, t: int) -> np.ndarray:
    """The part of the background that frame t shows, float32 (height, width, 3)."""
    shift = np.eye(2, 3)
    shift[:, 2] = -scene.pan[t]
    return cv2.warpAffine(
        scene.background,
        shift,
        (scene.width, scene.height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _sample_poses(
    rng: np.random.Generator, num_frames: int, kind: str
) -> tuple[Pose, ...]:
    """Draws the poses of a video. They change smoothly."""

    def path() -> np.ndarray:
        return _random_path(rng, num_frames)

    if kind == ANY and rng.random() > TALKING_SHARE:
        yaw = np.clip(rng.uniform(-95, 95) + rng.uniform(4, 22) * path(), -95, 95)
        pitch = np.clip(rng.normal(3, 22) + rng.uniform(1, 8) * path(), -60, 60)
    else:
        yaw = np.clip(rng.normal(0, 24), -48, 48) + rng.uniform(4, 22) * path()
        yaw = MAX_YAW * np.tanh(yaw / MAX_YAW * 1.1) / np.tanh(1.1)
        pitch = rng.normal(6, 8) + rng.uniform(1, 8) * path()
    roll = rng.normal(0, 6) + rng.uniform(1, 8) * path()
    torso = yaw.mean() * rng.uniform(0, 0.7) + 0.25 * (yaw - yaw.mean())
    return tuple(
        Pose(*(float(angle) for angle in angles))
        for angles in zip(yaw, pitch, roll, torso, strict=True)
    )


def _random_path(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Draws a smooth path (num_frames,), mostly within [-2, 2].

    A longer path begins with the same numbers as a shorter one from the same generator.
    """
    count = num_frames // KEY_INTERVAL + 4
    keys = np.random.default_rng(rng.integers(2**63)).standard_normal(count)
    position = np.arange(num_frames) / KEY_INTERVAL
    k, u = position.astype(int), position % 1
    # A uniform cubic B-spline, which has two continuous derivatives.
    weights = (
        (1 - u) ** 3,
        3 * u**3 - 6 * u**2 + 4,
        -3 * u**3 + 3 * u**2 + 3 * u + 1,
        u**3,
    )
    return sum(weight * keys[k + j] for j, weight in enumerate(weights)) / 6 * 1.5


def _random_path_2d(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Draws two smooth paths, (num_frames, 2)."""
    return np.stack([_random_path(rng, num_frames) for _ in range(2)], axis=1)


def _sample_expressions(
    figure: Figure, rng: np.random.Generator, num_frames: int
) -> np.ndarray:
    """Draws expressions (T, E) that change smoothly, with blinks."""
    count = num_frames // KEY_INTERVAL + 2
    own_rng = np.random.default_rng(rng.integers(2**63))
    keys = np.stack([figure.model.sample_expression(own_rng) for _ in range(count)])
    position = np.arange(num_frames) / KEY_INTERVAL
    k, u = position.astype(int), (position % 1)[:, None]
    u = u * u * (3 - 2 * u)
    values = keys[k] * (1 - u) + keys[k + 1] * u
    lids = [
        i
        for i, name in enumerate(figure.model.expression_names)
        if name.startswith("eyeBlink")
    ]
    start = int(own_rng.integers(0, 60))
    while start < num_frames:
        for j, closed in enumerate(BLINK[: num_frames - start]):
            values[start + j, lids] = np.maximum(values[start + j, lids], closed)
        start += int(own_rng.integers(40, 110))
    return values.astype(np.float32)


def _contrast_curve(exponent: float) -> np.ndarray:
    """Returns an S curve around mid grey, uint8 (256,). Exponent 1 changes nothing."""
    x = np.linspace(-1, 1, 256)
    bent = np.sign(x) * np.abs(x) ** (1 / max(exponent, 0.5))
    return np.round((bent + 1) * 127.5).astype(np.uint8)
