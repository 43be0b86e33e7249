"""The light on a head: a soft environment and a key light that casts shadows.

Radiance is linear and without a unit. Radiance 1 from every direction makes a white,
unoccluded surface white. Directions point towards the light, in the world frame: x
right, y up, z towards the camera.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Lighting:
    """The light of a scene: a vertical gradient, L soft lights, and the key light.

    Attributes:
      sky: Radiance from straight above, float (3,). It blends into `ground`.
      ground: Radiance from straight below, float (3,).
      lobes: Unit directions of the soft lights (windows, walls, lamps), float (L, 3).
      colors: Radiance at the centres of the soft lights, float (L, 3).
      sharpness: How narrow the soft lights are, float (L,). Radiance falls as
        exp(sharpness * (cosine - 1)) with the cosine of the angle to the centre.
      key: Unit direction of the key light, float (3,).
      key_color: Irradiance from the key light, float (3,). 0 means no key light.
    """

    sky: np.ndarray
    ground: np.ndarray
    lobes: np.ndarray
    colors: np.ndarray
    sharpness: np.ndarray
    key: np.ndarray
    key_color: np.ndarray

    def radiance(self, directions: np.ndarray) -> np.ndarray:
        """Returns the environment's radiance without the key light.

        Args:
          directions: Unit directions, (N, 3).

        Returns:
          Linear radiance, float (N, 3).
        """
        up = 0.5 + 0.5 * directions[:, 1:2]
        cosines = directions @ self.lobes.T
        lobes = np.exp(self.sharpness * (cosines - 1)) @ self.colors
        return self.ground + (self.sky - self.ground) * up + lobes

    def scaled(self, factor: float) -> Lighting:
        """Returns this light with its strength multiplied by a factor."""
        return dataclasses.replace(
            self,
            sky=self.sky * factor,
            ground=self.ground * factor,
            colors=self.colors * factor,
            key_color=self.key_color * factor,
        )


def sample_lighting(rng: np.random.Generator) -> Lighting:
    """Draws random light, as of windows, lamps, a flash, the sun or a stage."""
    tint = _tint(rng, 0.12)
    sky = rng.uniform(0.15, 0.6) * tint * _tint(rng, 0.1)
    ground = sky * rng.uniform(0.25, 0.9) * _tint(rng, 0.15)
    count = rng.integers(1, 4)
    # Most lights are in front of the person and above.
    lobes = rng.normal((0, 0.35, 0.6), (1.0, 0.5, 0.7), (count, 3))
    strength = rng.lognormal(-0.3, 0.6, count)
    saturation = 0.45 if rng.random() < 0.12 else 0.1
    tints = np.stack([_tint(rng, saturation) for _ in range(count)])
    colors = strength[:, None] * tints
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


def studio_lighting() -> Lighting:
    """Returns fixed light: a large window on the left and a lamp on the right."""
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


def sphere_directions(count: int) -> np.ndarray:
    """Returns evenly distributed unit directions (count, 3): a Fibonacci lattice."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    angle = k * np.pi * (3 - np.sqrt(5))  # the golden angle between neighbours
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1)


def _tint(rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draws a colour (3,) with mean 1 that is warm or cool and slightly green or pink.

    Args:
      rng: Source of randomness.
      strength: Standard deviation of the logarithm of the red and the blue channel.
    """
    warm, green = rng.normal(0, strength), rng.normal(0, strength / 3)
    color = np.exp((warm, green, -warm))
    return color / color.mean()
