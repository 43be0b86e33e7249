"""Corpora for the conversion benchmarks: many frames that take little disk space."""

from __future__ import annotations

import os
import pathlib
from typing import Final

import cv2
import numpy as np

from tests.ethos_data import videos as test_videos

HEIGHT: Final = 240
WIDTH: Final = 240
"""Size of a frame in pixels. The median frame of YouTube Faces is 203 pixels high, and
its faces have a size of 88 pixels."""

NOISE: Final = 0.5
"""Standard deviation of the camera noise, in grey levels. With it, the frames compress
as well as those of YouTube Faces."""


def make_video(seed: int, frames: int) -> dict[str, np.ndarray]:
    """A video with slow movement and camera noise.

    Deflate compresses it to about 80 % of its size, and YouTube Faces to 79 %.

    Args:
      seed: Random seed.
      frames: Number of frames.

    Returns:
      `colorImages`, uint8 (H, W, 3, T), RGB, and `landmarks3D`, float64 (68, 3, T),
      source pixels.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 235, (12, 12, 3)).astype(np.float32)
    scene = cv2.resize(coarse, (WIDTH + 64, HEIGHT + 64), interpolation=cv2.INTER_CUBIC)
    images = np.empty((HEIGHT, WIDTH, 3, frames), np.uint8)
    landmarks = np.empty((68, 3, frames))
    for t in range(frames):
        x, y = (32 + 20 * np.sin([t / 9, t / 13])).astype(int)
        noisy = scene[y : y + HEIGHT, x : x + WIDTH]
        noisy = noisy + rng.normal(0, NOISE, noisy.shape).astype(np.float32)
        images[..., t] = np.clip(noisy, 0, 255)
        face = test_videos.face_points() * 44
        face[:, :2] += (WIDTH / 2 + np.sin(t / 9) * 12, HEIGHT / 2)
        landmarks[..., t] = face + rng.normal(0, 0.5, face.shape)
    return {"colorImages": images, "landmarks3D": landmarks}


def make_corpus(
    directory: pathlib.Path, *, videos: int, copies: int, frames: int
) -> pathlib.Path:
    """Writes a corpus of npz videos in which each video appears several times.

    The copies are hard links with the names of different people. A corpus of gigabytes
    then takes megabytes of disk space. Reading it costs the same, except for the disk.

    Args:
      directory: Directory to write to.
      videos: Number of different videos.
      copies: Number of names of each video.
      frames: Number of frames per video.

    Returns:
      `directory`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.glob("*_*_0.npz"):  # Removes surplus copies of earlier runs.
        number, copy = map(int, path.stem.split("_")[1:3])
        if number >= videos or copy >= copies:
            path.unlink()
    for number in range(videos):
        first = directory / f"Person_{number:03d}_000_0.npz"
        if not first.exists():
            np.savez_compressed(first, **make_video(number, frames))  # type: ignore[arg-type]
        for copy in range(1, copies):
            link = directory / f"Person_{number:03d}_{copy:03d}_0.npz"
            if not link.exists():
                os.link(first, link)
    return directory
