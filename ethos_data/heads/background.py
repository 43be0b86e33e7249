"""Random backgrounds: walls, shelves, windows and foliage, in focus or not.

They teach a network that edges and blobs beside a face do not belong to the face.
"""

from __future__ import annotations

import cv2
import numpy as np


def sample_background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draws a random background.

    Args:
      rng: Source of randomness.
      height: Height of the image, in pixels.
      width: Width of the image, in pixels.

    Returns:
      Linear radiance, float32 (height, width, 3), mostly in [0, 1.5].
    """
    image = _gradient(rng, height, width)
    painters = (_clouds, _rectangles, _stripes, _ellipses, _lines)
    for _ in range(rng.integers(1, 4)):
        painters[rng.integers(len(painters))](rng, image)
    blur = rng.choice([0.0, 0.006, 0.02, 0.05]) * height
    if blur > 0.4:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    return np.maximum(image * rng.lognormal(-0.6, 0.6), 0).astype(np.float32)


def plain_background(height: int, width: int) -> np.ndarray:
    """Returns a grey-blue gradient: linear radiance, float32 (height, width, 3)."""
    down = np.linspace(1.1, 0.6, height, dtype=np.float32)[:, None, None]
    return np.tile(down * np.array((0.19, 0.22, 0.26), np.float32), (1, width, 1))


def _color(rng: np.random.Generator) -> np.ndarray:
    """Draws a colour, float32 (3,), mostly greyish, with luminance 0.02 to 1."""
    grey = rng.uniform(0.05, 1.0) ** 1.8
    chroma = rng.dirichlet((4, 4, 4)) * 3
    return (grey * (0.5 + 0.5 * chroma)).astype(np.float32)


def _color_tuple(rng: np.random.Generator) -> tuple[float, ...]:
    """Draws a colour in the form that OpenCV's drawing functions need."""
    return tuple(float(channel) for channel in _color(rng))


def _gradient(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    corners = np.stack([_color(rng) for _ in range(4)]).reshape(2, 2, 3)
    mean = corners.mean(axis=(0, 1), keepdims=True)
    corners = mean + (corners - mean) * 0.5
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)


def _clouds(rng: np.random.Generator, image: np.ndarray) -> None:
    """Adds noise with less contrast in finer detail, as in foliage and marble."""
    height, width = image.shape[:2]
    falloff = rng.uniform(0.4, 0.8)
    for octave in range(1, 7):
        cells = 2**octave
        if cells > min(height, width):
            break
        noise = rng.normal(0, 1, (cells, cells, 3)).astype(np.float32)
        noise = noise.mean(axis=2, keepdims=True) * 0.8 + noise * 0.2
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        image *= np.exp(0.6 * falloff**octave * noise)


def _rectangles(rng: np.random.Generator, image: np.ndarray) -> None:
    """Adds filled rectangles, as of shelves and pictures on a wall."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(4, 25)):
        x, y = rng.integers(0, width), rng.integers(0, height)
        size = rng.uniform(0.03, 0.4, 2) * (width, height)
        corner = (int(x + size[0]), int(y + size[1]))
        cv2.rectangle(image, (int(x), int(y)), corner, _color_tuple(rng), -1)


def _stripes(rng: np.random.Generator, image: np.ndarray) -> None:
    """Darkens parallel stripes, as of blinds, planks and fences."""
    height, width = image.shape[:2]
    angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    phase = (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(3, 25)
    is_stripe = (np.modf(phase + 10)[0] < rng.uniform(0.1, 0.7))[..., None]
    image *= np.where(is_stripe, np.float32(rng.uniform(0.3, 1)), np.float32(1))


def _ellipses(rng: np.random.Generator, image: np.ndarray) -> None:
    """Adds filled ellipses, as of blurred lamps, other people's heads and plates."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(3, 20)):
        center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        size = rng.uniform(0.02, 0.16) * height * rng.uniform(0.7, 1.3, 2)
        axes = (int(size[0]) + 1, int(size[1]) + 1)
        cv2.ellipse(image, center, axes, 0, 0, 360, _color_tuple(rng), -1)


def _lines(rng: np.random.Generator, image: np.ndarray) -> None:
    """Adds straight lines, as of branches, cables and window frames."""
    height, width = image.shape[:2]
    for _ in range(rng.integers(5, 40)):
        ends = rng.uniform(0, 1, (2, 2)) * (width, height)
        ends[1] = ends[0] + (ends[1] - ends[0]) * rng.uniform(0.1, 1)
        start, stop = ends.astype(int).tolist()
        color = _color_tuple(rng)
        thickness = max(1, int(rng.uniform(0.003, 0.03) * height))
        cv2.line(image, start, stop, color, thickness, cv2.LINE_AA)
