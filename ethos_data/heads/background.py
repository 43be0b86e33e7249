"""Backgrounds with structure: walls, shelves, windows, foliage, out of focus or not.

They teach a network that edges and blobs beside a face are not a face.
"""

from __future__ import annotations

import cv2
import numpy as np


def sample_background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A random picture, linear radiance, float32 (height, width, 3) in about [0, 1.5].

    Args:
      rng: what to draw from.
      height: of the picture, pixels.
      width: of the picture, pixels.
    """
    picture = _gradient(rng, height, width)
    painters = (_clouds, _rectangles, _stripes, _discs, _strokes)
    for _ in range(rng.integers(1, 4)):
        painters[rng.integers(len(painters))](rng, picture)
    blur = rng.choice([0.0, 0.006, 0.02, 0.05]) * height
    if blur > 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    return np.maximum(picture * rng.lognormal(-0.6, 0.6), 0).astype(np.float32)


def plain(height: int, width: int) -> np.ndarray:
    """A quiet grey-blue gradient, linear radiance, float32 (height, width, 3)."""
    down = np.linspace(1.1, 0.6, height, dtype=np.float32)[:, None, None]
    return np.tile(down * np.array((0.19, 0.22, 0.26), np.float32), (1, width, 1))


def _color(rng: np.random.Generator) -> np.ndarray:
    """A colour (3,) float32, mostly dull, of luminance about 0.02 to 1."""
    grey = rng.uniform(0.05, 1.0) ** 1.8
    chroma = rng.dirichlet((4, 4, 4)) * 3
    return (grey * (0.5 + 0.5 * chroma)).astype(np.float32)


def _gradient(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    corners = np.stack([_color(rng) for _ in range(4)]).reshape(2, 2, 3)
    mean = corners.mean(axis=(0, 1), keepdims=True)
    corners = mean + (corners - mean) * 0.5
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)


def _clouds(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Noise whose amplitude falls with frequency: foliage, marble, a crowd far off."""
    height, width = picture.shape[:2]
    falloff = rng.uniform(0.4, 0.8)
    for octave in range(1, 7):
        cells = 2**octave
        if cells > min(height, width):
            break
        noise = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        noise = noise.mean(axis=2, keepdims=True) * 0.8 + noise * 0.2
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        picture *= np.exp(0.6 * falloff**octave * noise)


def _rectangles(rng: np.random.Generator, picture: np.ndarray) -> None:
    height, width = picture.shape[:2]
    for _ in range(rng.integers(4, 25)):
        x, y = rng.integers(0, width), rng.integers(0, height)
        size = rng.uniform(0.03, 0.4, 2) * (width, height)
        corner = (int(x + size[0]), int(y + size[1]))
        color = tuple(float(c) for c in _color(rng))
        cv2.rectangle(picture, (int(x), int(y)), corner, color, -1)


def _stripes(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Blinds, planks, a fence, brick courses."""
    height, width = picture.shape[:2]
    turn = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    phase = (x * np.cos(turn) + y * np.sin(turn)) * rng.uniform(3, 25)
    line = (np.modf(phase + 10)[0] < rng.uniform(0.1, 0.7))[..., None]
    picture *= np.where(line, np.float32(rng.uniform(0.3, 1)), np.float32(1))


def _discs(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Lamps out of focus, heads of other people, plates, flowers."""
    height, width = picture.shape[:2]
    for _ in range(rng.integers(3, 20)):
        center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = rng.uniform(0.02, 0.16) * height * rng.uniform(0.7, 1.3, 2)
        color = tuple(float(c) for c in _color(rng))
        cv2.ellipse(
            picture, center, (int(axes[0]) + 1, int(axes[1]) + 1), 0, 0, 360, color, -1
        )


def _strokes(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Branches, cables, frames, writing."""
    height, width = picture.shape[:2]
    for _ in range(rng.integers(5, 40)):
        ends = rng.uniform(0, 1, (2, 2)) * (width, height)
        ends[1] = ends[0] + (ends[1] - ends[0]) * rng.uniform(0.1, 1)
        a, b = ends.astype(int).tolist()
        color = tuple(float(c) for c in _color(rng))
        thickness = max(1, int(rng.uniform(0.003, 0.03) * height))
        cv2.line(picture, a, b, color, thickness, cv2.LINE_AA)
