"""Corpora for the conversion benchmarks: as large as wanted, small on the disk."""

from __future__ import annotations

import os
import pathlib

import cv2
import numpy as np

from tests.ethos_data import videos

HEIGHT, WIDTH = 240, 240
"""About the median frame of YouTube Faces (203 pixels high), and its faces of 88."""


NOISE = 0.5
"""Of the camera, grey levels: such frames deflate like the real ones."""


def make_video(seed: int, frames: int) -> dict[str, np.ndarray]:
    """Pictures with slow motion and camera noise, which deflate to about 80 %.

    The real frames of YouTube Faces deflate to 79 %.
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
        points = videos.face_points() * 44
        points[:, :2] += (WIDTH / 2 + np.sin(t / 9) * 12, HEIGHT / 2)
        landmarks[..., t] = points + rng.normal(0, 0.5, points.shape)
    return {"colorImages": images, "landmarks3D": landmarks}


def make_corpus(
    folder: pathlib.Path, *, different: int, copies: int, frames: int
) -> pathlib.Path:
    """Writes `different` videos, each under `copies` names of as many people.

    The names are hard links: a corpus of gigabytes takes megabytes of disk, and reading
    it costs all the same, but for the disk itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*_*_0.npz"):  # more copies, of an earlier call
        number, copy = map(int, old.stem.split("_")[1:3])
        if number >= different or copy >= copies:
            old.unlink()
    for number in range(different):
        first = folder / f"Person_{number:03d}_000_0.npz"
        if not first.exists():
            np.savez_compressed(first, **make_video(number, frames))
        for copy in range(1, copies):
            link = folder / f"Person_{number:03d}_{copy:03d}_0.npz"
            if not link.exists():
                os.link(first, link)
    return folder
