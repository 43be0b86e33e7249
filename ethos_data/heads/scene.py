"""What happens in one rendered video: how head, camera and light move.

Every number is drawn from one generator in one order, so that a video depends on its
key alone, never on the process that renders it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from ethos_data.heads import background, lighting, render
from ethos_data.heads.figure import Figure
from ethos_data.heads.lighting import Lighting
from ethos_data.heads.render import Pose, Rendering

MAX_YAW: Final = 62.0
"""Degrees; beyond, half of the 68 points are guesses."""

KEY_INTERVAL: Final = 9
"""Frames between two keyframes of motion: about a third of a second."""

FACE_SHARE: Final = 0.44
"""Median face size over the nominal frame size: 88 px of 203 px in YouTube Faces."""

BLINK: Final = (0.5, 1.0, 0.9, 0.4)
"""How far the lids close in the frames of a blink (0.16 s at 25 frames a second)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """One video before it is rendered; T frames.

    Attributes:
      height: of the frames, pixels.
      width: of the frames, pixels.
      face_size: float (T,), sqrt(width * height) of a mean frontal face, pixels.
      centers: float (T, 2), x, y of the middle of the face, pixels.
      poses: T poses.
      expressions: float32 (T, E).
      distance: of the camera, cm.
      light: what shines, exposed for this person.
      flicker: float (T,), factor of its strength.
      backdrop: float32, larger than the frame, linear.
      drift: float (T, 2), upper left corner of the frame on the backdrop, pixels.
      noise: standard deviation of the sensor's noise, 8-bit steps.
      blur: standard deviation of the lens' blur, pixels.
      contrast: exponent of a curve about mid grey, 1 = none.
      noise_seed: seed of the noise; the frame's number is added.
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
    backdrop: np.ndarray
    drift: np.ndarray
    noise: float
    blur: float
    contrast: float
    noise_seed: tuple[int, ...]

    @property
    def num_frames(self) -> int:
        return len(self.poses)


def sample_scene(
    person: Figure, rng: np.random.Generator, *, num_frames: int, size: int
) -> Scene:
    """Draws a video of a person.

    Args:
      person: who is seen.
      rng: what to draw from.
      num_frames: T.
      size: nominal height of a frame, pixels; each video has its own, so that face
        sizes spread as in YouTube Faces (a median of 0.44 `size`, 0.2 to 1.0 of it).
    """
    median = FACE_SHARE * size
    face = float(np.clip(median * rng.lognormal(0, 0.36), 0.2 * size, 1.0 * size))
    height = round(face * rng.uniform(1.9, 2.6))
    width = round(height * rng.choice([1.0, rng.uniform(1.0, 1.3)]))
    yaw = np.clip(rng.normal(0, 24), -48, 48) + rng.uniform(4, 22) * _wander(
        rng, num_frames
    )
    pitch = rng.normal(6, 8) + rng.uniform(1, 8) * _wander(rng, num_frames)
    roll = rng.normal(0, 6) + rng.uniform(1, 8) * _wander(rng, num_frames)
    yaw = MAX_YAW * np.tanh(yaw / MAX_YAW * 1.1) / np.tanh(1.1)
    shoulders = yaw.mean() * rng.uniform(0, 0.7) + 0.25 * (yaw - yaw.mean())
    place = (0.5 + rng.normal(0, 0.03), 0.5 + rng.normal(0, 0.03))
    sway = np.stack([_wander(rng, num_frames) for _ in range(2)], axis=1)
    zoom = np.exp(rng.uniform(0, 0.06) * _wander(rng, num_frames))
    light = render.expose(
        lighting.sample_lighting(rng),
        person,
        np.clip(rng.lognormal(np.log(0.22), 0.42), 0.06, 0.5),
    )
    margin = int(0.12 * height) + 2
    backdrop = background.sample_background(rng, height + margin, width + margin)
    pan = np.stack([_wander(rng, num_frames) for _ in range(2)], axis=1)
    return Scene(
        height=height,
        width=width,
        face_size=face * zoom,
        centers=np.array(place) * (width, height) + 0.03 * face * sway,
        poses=tuple(
            Pose(*(float(angle) for angle in angles))
            for angles in zip(yaw, pitch, roll, shoulders, strict=True)
        ),
        expressions=_expressions(person, rng, num_frames),
        distance=float(rng.choice([45.0, 70.0, 120.0, 250.0])),
        light=light,
        flicker=np.exp(0.03 * _wander(rng, num_frames)),
        backdrop=backdrop,
        drift=margin * (0.5 + 0.45 * np.tanh(0.6 * pan * rng.uniform(0, 1))),
        noise=float(rng.choice([0.0, 1.0, rng.uniform(1.0, 4.0)])),
        blur=float(rng.choice([0.0, 0.0, rng.uniform(0.3, 0.8)])),
        contrast=float(rng.normal(1.0, 0.1)),
        noise_seed=tuple(int(k) for k in rng.integers(0, 2**31, 2)),
    )


def frames(person: Figure, scene: Scene) -> Iterator[Rendering]:
    """Renders a video, frame by frame."""
    curve = _contrast_curve(scene.contrast)
    for t in range(scene.num_frames):
        camera = render.aim(
            person,
            scene.poses[t],
            height=scene.height,
            width=scene.width,
            face_size=float(scene.face_size[t]),
            center=(float(scene.centers[t, 0]), float(scene.centers[t, 1])),
            distance=scene.distance,
        )
        view = np.eye(2, 3)
        view[:, 2] = -scene.drift[t]
        backdrop = cv2.warpAffine(
            scene.backdrop,
            view,
            (scene.width, scene.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        frame = render.render(
            person,
            scene.expressions[t],
            scene.poses[t],
            camera,
            scene.light.scaled(float(scene.flicker[t])),
            backdrop,
        )
        image = cv2.LUT(frame.image, curve)
        if scene.blur:
            image = cv2.GaussianBlur(image, (0, 0), scene.blur)
        if scene.noise:
            rng = np.random.default_rng((*scene.noise_seed, t))
            grain = rng.standard_normal(image.shape, np.float32) * scene.noise
            image = np.clip(image + grain + 0.5, 0, 255).astype(np.uint8)
        yield dataclasses.replace(frame, image=image)


def _wander(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """A smooth random path (num_frames,), about within -2..2, with no jump anywhere.

    Its first keys do not depend on the number of frames, so a longer video begins
    like a shorter one.
    """
    count = num_frames // KEY_INTERVAL + 4
    keys = np.random.default_rng(rng.integers(2**63)).standard_normal(count)
    # A uniform cubic B-spline of the keys has two continuous derivatives.
    at = np.arange(num_frames) / KEY_INTERVAL
    k, u = at.astype(int), at % 1
    weights = (
        (1 - u) ** 3,
        3 * u**3 - 6 * u**2 + 4,
        -3 * u**3 + 3 * u**2 + 3 * u + 1,
        u**3,
    )
    return sum(w * keys[k + j] for j, w in enumerate(weights)) / 6 * 1.5


def _expressions(
    person: Figure, rng: np.random.Generator, num_frames: int
) -> np.ndarray:
    """Expressions (T, E) that flow into one another, and blinks."""
    count = num_frames // KEY_INTERVAL + 2
    own = np.random.default_rng(rng.integers(2**63))
    keys = np.stack([person.model.sample_expression(own) for _ in range(count)])
    at = np.arange(num_frames) / KEY_INTERVAL
    k, u = at.astype(int), (at % 1)[:, None]
    u = u * u * (3 - 2 * u)
    values = keys[k] * (1 - u) + keys[k + 1] * u
    lids = [
        i
        for i, name in enumerate(person.model.expression_names)
        if name.startswith("eyeBlink")
    ]
    start = int(own.integers(0, 60))
    while start < num_frames:
        for j, closed in enumerate(BLINK[: num_frames - start]):
            values[start + j, lids] = np.maximum(values[start + j, lids], closed)
        start += int(own.integers(40, 110))
    return values.astype(np.float32)


def _contrast_curve(exponent: float) -> np.ndarray:
    """uint8 (256,): an S curve about mid grey; exponent 1 changes nothing."""
    x = np.linspace(-1, 1, 256)
    bent = np.sign(x) * np.abs(x) ** (1 / max(exponent, 0.5))
    return np.round((bent + 1) * 127.5).astype(np.uint8)
