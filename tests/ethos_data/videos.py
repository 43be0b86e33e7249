"""Small npz videos for tests, with the axes in the order of the published corpus."""

from __future__ import annotations

import pathlib

import cv2
import numpy as np

from ethos_data import topology


def face_points() -> np.ndarray:
    """Returns the landmarks of a schematic face.

    Returns:
      float64 (68, 3), x and y from about -1 to 1, z larger = nearer.
    """
    points = np.zeros((68, 3))
    jaw = np.linspace(-1, 1, 17)
    points[:17, 0], points[:17, 1] = jaw, 1.0 - jaw**2 * 1.2
    for group, x, y in [
        ("right_eyebrow", (-0.8, -0.2), -0.6),
        ("left_eyebrow", (0.2, 0.8), -0.6),
        ("nose_base", (-0.2, 0.2), 0.2),
    ]:
        index = list(topology.GROUPS[group])
        points[index, 0] = np.linspace(*x, len(index))
        points[index, 1] = y
    points[27:31, 1] = np.linspace(-0.3, 0.1, 4)
    for start, count, x, y, rx, ry in [
        (36, 6, -0.5, -0.3, 0.2, 0.08),
        (42, 6, 0.5, -0.3, 0.2, 0.08),
        (48, 12, 0.0, 0.55, 0.35, 0.15),
        (60, 8, 0.0, 0.55, 0.22, 0.06),
    ]:
        angle = np.pi + np.arange(count) * 2 * np.pi / count
        points[start : start + count, 0] = x + rx * np.cos(angle)
        points[start : start + count, 1] = y + ry * np.sin(angle)
    points[:, 2] = 0.9 - 0.6 * points[:, 0] ** 2 - 0.2 * points[:, 1] ** 2
    return points


def make_arrays(
    seed: int = 0, *, frames: int = 4, height: int = 60, width: int = 72
) -> dict[str, np.ndarray]:
    """Returns colorImages uint8 (H, W, 3, T) and landmarks3D float64 (68, 3, T)."""
    rng = np.random.default_rng(seed)
    images, landmarks = [], []
    for _ in range(frames):
        coarse = rng.uniform(0, 255, (5, 6, 3)).astype(np.float32)
        images.append(cv2.resize(coarse, (width, height)).astype(np.uint8))
        half = rng.uniform(0.2, 0.25) * min(height, width)
        centre = np.array([width, height]) / 2 + rng.uniform(-4, 4, 2)
        points = face_points() * half
        points[:, :2] += centre
        landmarks.append(points + rng.normal(0, 0.3, points.shape))
    return {
        "colorImages": np.stack(images, axis=-1),
        "landmarks3D": np.stack(landmarks, axis=-1),
        "boundingBox": np.zeros((4, 2, frames)),
    }


def write_video(path: pathlib.Path, seed: int = 0, **sizes: int) -> pathlib.Path:
    """Writes one video and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **make_arrays(seed, **sizes))
    return path


def write_corpus(
    directory: pathlib.Path, *, people: int = 6, videos: int = 2, frames: int = 3
) -> pathlib.Path:
    """Writes a corpus in nested directories and returns its directory."""
    for person in range(people):
        for number in range(videos):
            part = f"faces_{person % 2 + 1}"
            path = directory / part / part / f"Person_{person:02d}_{number}.npz"
            write_video(path, seed=100 * person + number, frames=frames)
    return directory
