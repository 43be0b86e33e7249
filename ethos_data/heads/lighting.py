"""Light on a head: a soft environment with a strong light in it.

Radiance is linear, unitless; 1 everywhere makes a white, unoccluded surface white.
Directions point towards the light, in the world's axes: x right, y up, z to the camera.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Lighting:
    """What shines on a scene.

    Attributes:
      sky: float (3,) radiance from straight above; blends into `ground` below.
      ground: float (3,) radiance from straight below.
      lobes: float (L, 3), unit directions of soft lights (windows, walls, lamps).
      colors: float (L, 3), radiance at their middle.
      sharpness: float (L,), radiance falls as exp(sharpness * (cos - 1)).
      key: float (3,), unit direction of the light that casts shadows.
      key_color: float (3,), irradiance from it; 0 for none.
    """

    sky: np.ndarray
    ground: np.ndarray
    lobes: np.ndarray
    colors: np.ndarray
    sharpness: np.ndarray
    key: np.ndarray
    key_color: np.ndarray

    def radiance(self, directions: np.ndarray) -> np.ndarray:
        """Radiance (N, 3) of the environment from unit directions (N, 3)."""
        up = 0.5 + 0.5 * directions[:, 1:2]
        cosines = directions @ self.lobes.T
        lobes = np.exp(self.sharpness * (cosines - 1)) @ self.colors
        return self.ground + (self.sky - self.ground) * up + lobes

    def scaled(self, factor: float) -> Lighting:
        """The same light, brighter or darker."""
        return dataclasses.replace(
            self,
            sky=self.sky * factor,
            ground=self.ground * factor,
            colors=self.colors * factor,
            key_color=self.key_color * factor,
        )


def sample_lighting(rng: np.random.Generator) -> Lighting:
    """Random light: window, lamp, flash, overcast sky, sun, coloured stage lights."""
    tint = _tint(rng, 0.12)
    sky = rng.uniform(0.15, 0.6) * tint * _tint(rng, 0.1)
    ground = sky * rng.uniform(0.25, 0.9) * _tint(rng, 0.15)
    count = rng.integers(1, 4)
    # A light more often shines from the front and from above than otherwise.
    lobes = rng.normal((0, 0.35, 0.6), (1.0, 0.5, 0.7), (count, 3))
    strength = rng.lognormal(-0.3, 0.6, count)
    stage = 0.45 if rng.random() < 0.12 else 0.1
    colors = strength[:, None] * np.stack([_tint(rng, stage) for _ in range(count)])
    key = rng.normal((0, 0.5, 0.9), (0.8, 0.35, 0.35))
    key_strength = rng.choice([0.15, 0.6, 1.2, 2.0], p=[0.25, 0.3, 0.3, 0.15])
    return Lighting(
        sky=sky,
        ground=ground,
        lobes=lobes / np.linalg.norm(lobes, axis=1, keepdims=True),
        colors=colors,
        sharpness=rng.uniform(1.5, 8.0, count),
        key=key / np.linalg.norm(key),
        key_color=key_strength * _tint(rng, 0.12),
    )


def studio() -> Lighting:
    """A fixed, friendly light: a large window on the left and a lamp on the right."""
    lobes = np.array([(-0.6, 0.4, 0.7), (0.9, 0.1, 0.4)])
    return Lighting(
        sky=np.array((0.35, 0.37, 0.4)),
        ground=np.array((0.2, 0.18, 0.16)),
        lobes=lobes / np.linalg.norm(lobes, axis=1, keepdims=True),
        colors=np.array([(0.75, 0.75, 0.78), (0.35, 0.3, 0.25)]),
        sharpness=np.array((3.0, 4.0)),
        key=np.array((-0.48, 0.53, 0.7)),
        key_color=np.array((0.85, 0.82, 0.78)),
    )


def sphere(count: int) -> np.ndarray:
    """Unit directions (count, 3), even over the sphere: a Fibonacci lattice."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    turn = k * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=-1)


def _tint(rng: np.random.Generator, strength: float) -> np.ndarray:
    """A colour (3,) of mean 1, mostly from warm to cool, a little green to magenta."""
    warm, green = rng.normal(0, strength), rng.normal(0, strength / 3)
    color = np.exp((warm, green, -warm))
    return color / color.mean()
