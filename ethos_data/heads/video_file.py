"""Renders a video and writes it as an npz file of a corpus.

The layout is that of YouTube Faces with Facial Keypoints, with an array `depth`:

| array | content |
| --- | --- |
| `colorImages` uint8 (H, W, 3, T) | RGB frames |
| `landmarks2D` float32 (68, 2, T) | x and y of the landmarks, in source pixels |
| `landmarks3D` float32 (68, 3, T) | landmarks, in source pixels |
| `boundingBox` float32 (4, 2, T) | corners of the face box, in source pixels |
| `depth` float32 (H, W, T) | depth, in source pixels; NaN outside of the head |
| `visible` bool (68, T) | whether nothing hides the landmark |
"""

from __future__ import annotations

import dataclasses
import functools
import zipfile
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_data.heads.figure import Figure, sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.scene import TALKING, render_frames, sample_scene
from ethos_data.storage import files

DEPTH_STEP: Final = 1 / 64
"""Depth is rounded to multiples of this, in pixels.

This is exact enough for surfaces that consist of pixels, and reduces the compressed
size of the depth to a third.
"""

COMPRESSION: Final = 2
"""Level of zlib. numpy's level 6 needs a fifth of the whole time and saves a tenth."""


@dataclasses.dataclass(frozen=True)
class Person:
    """Identifies a person. Equal values give the same person.

    Attributes:
      seed: Random seed of the corpus.
      number: Number of the person in the corpus.
      head_model: Path of a morphable head. None means the built-in head.
    """

    seed: int
    number: int
    head_model: str | None = None

    def figure(self) -> Figure:
        """Returns the person, ready to be rendered. The last person is cached."""
        return _figure(self)


def write(
    path: str,
    person: Person,
    video: int,
    *,
    num_frames: int,
    size: int,
    poses: str = TALKING,
) -> None:
    """Renders a video and writes its file.

    Args:
      path: Path of the npz file. A file of this name is replaced.
      person: The person in the video.
      video: Number of the video among the person's videos. It is part of the seed.
      num_frames: Number of frames.
      size: Nominal height of a frame, in pixels (see `scene.sample_scene`).
      poses: One of `scene.POSES`.
    """
    figure = person.figure()
    rng = np.random.default_rng((person.seed, person.number, video))
    scene = sample_scene(figure, rng, num_frames=num_frames, size=size, poses=poses)
    images = np.empty((scene.height, scene.width, 3, num_frames), np.uint8)
    depth = np.empty((scene.height, scene.width, num_frames), np.float32)
    landmarks = np.empty((68, 3, num_frames), np.float32)
    visible = np.empty((68, num_frames), bool)
    for t, frame in enumerate(render_frames(figure, scene)):
        images[..., t] = frame.image
        depth[..., t] = np.round(frame.depth / DEPTH_STEP) * DEPTH_STEP
        landmarks[..., t] = frame.landmarks
        visible[..., t] = frame.visible
    arrays: dict[str, np.ndarray] = {
        "colorImages": images,
        "landmarks2D": landmarks[:, :2],
        "landmarks3D": landmarks,
        "boundingBox": _corners(landmarks),
        "depth": depth,
        "visible": visible,
    }
    with files.replacing(path) as temporary:
        _write_npz(temporary, arrays)


@functools.lru_cache(maxsize=1)
def _figure(person: Person) -> Figure:
    rng = np.random.default_rng((person.seed, person.number))
    return sample_figure(_model(person.head_model), rng)


@functools.lru_cache(maxsize=1)
def _model(path: str | None) -> HeadModel:
    return HeadModel.builtin() if path is None else HeadModel.load(path)


def _corners(landmarks: np.ndarray) -> np.ndarray:
    """Corners (4, 2, T) of the face boxes of landmarks (68, 3, T).

    Their order is upper left, lower left, upper right, lower right.
    """
    x0, y0, x1, y1 = topology.face_box(np.moveaxis(landmarks, -1, 0)).T
    return np.stack(
        [np.stack(corner) for corner in ((x0, y0), (x0, y1), (x1, y0), (x1, y1))]
    )


def _write_npz(path: str, arrays: dict[str, np.ndarray]) -> None:
    """Writes as `np.savez_compressed`, at another level and without times of day."""
    with zipfile.ZipFile(
        path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION
    ) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(
                    entry, np.ascontiguousarray(array), allow_pickle=False
                )
