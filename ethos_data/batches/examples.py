"""Decoded examples in memory, and sampling of the network's windows from them.

Everything here is numpy. The input pipeline calls `sample` once for each batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ethos_data import crop, records
from ethos_data.batches import augment, sampling

_GROWTH: Final = 1.25
"""Factor by which the memory of the pixels grows. The system remaps blocks of this size
instead of copying them."""


@dataclasses.dataclass(frozen=True)
class Examples:
    """Decoded examples: a batch or a whole split.

    Attributes:
      pixels: uint8 (P,), square RGB images one after the other.
      sides: int64 (N,), width and height of each image, in pixels.
      depth: uint16 (N, 96, 96), levels of `depth_codec`.
      landmarks: float32 (N, 68, 3), in the normalised frame of the stored crop.
      windows: float32 (N, 3), left, top, size of the stored crop, in source pixels.
      face_size: float32 (N,), sqrt(w * h) of the face box, in source pixels.
      visible: uint8 (N, 68), what is known of each landmark; see `visibility`.
      has_z: bool (N,), whether z of the landmarks is a label.
      starts: int64 (N,), index in `pixels` of the first byte of each image.
    """

    pixels: np.ndarray
    sides: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray
    windows: np.ndarray
    face_size: np.ndarray
    visible: np.ndarray
    has_z: np.ndarray
    starts: np.ndarray = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        ends = np.cumsum(3 * self.sides**2)
        object.__setattr__(self, "starts", ends - 3 * self.sides**2)

    def __len__(self) -> int:
        return len(self.sides)

    def image(self, row: int) -> np.ndarray:
        """Returns a view of one image, uint8 (S, S, 3), RGB."""
        start, side = self.starts[row], self.sides[row]
        return self.pixels[start : start + 3 * side**2].reshape(side, side, 3)


def decode(
    jpegs: Sequence[bytes], pngs: Sequence[bytes]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decodes the features `image` and `depth` of N records.

    Returns:
      The first three arrays of `Examples`: `pixels`, `sides` and `depth`.

    Raises:
      ValueError: An image or a depth map cannot be decoded.
    """
    images = [records.decode_image(jpeg) for jpeg in jpegs]
    sides = np.array([len(image) for image in images], np.int64)
    pixels = sampling.aligned_empty((int(3 * (sides**2).sum()),), np.uint8)
    np.concatenate([image.reshape(-1) for image in images], out=pixels)
    shape = (len(images), records.DEPTH_SIZE, records.DEPTH_SIZE)
    depth = sampling.aligned_empty(shape, np.uint16)
    for levels, png in zip(depth, pngs, strict=True):
        levels[:] = records.decode_depth(png)
    return pixels, sides, depth


def concatenate(parts: Iterable[Examples]) -> Examples:
    """Joins examples without holding a second copy of all pixels in memory.

    Args:
      parts: At least one part.
    """
    pixels = np.empty(0, np.uint8)
    filled = 0
    others: list[tuple[np.ndarray, ...]] = []
    for part in parts:
        end = filled + len(part.pixels)
        if end > len(pixels):
            pixels.resize(int(end * _GROWTH), refcheck=False)
        pixels[filled:end] = part.pixels
        filled = end
        others.append(
            (
                part.sides,
                part.depth,
                part.landmarks,
                part.windows,
                part.face_size,
                part.visible,
                part.has_z,
            )
        )
    pixels.resize(filled, refcheck=False)
    return Examples(pixels, *map(np.concatenate, zip(*others, strict=True)))


def sample(
    examples: Examples,
    rows: np.ndarray,
    *,
    index: np.ndarray,
    image_size: int,
    depth_size: int,
    augmentation: augment.Augmentation,
    seed: int,
) -> dict[str, np.ndarray]:
    """Chooses the network's window of each face and samples image and depth in it.

    Args:
      examples: The examples to sample from.
      rows: int64 (B,), row of each example in `examples`.
      index: int64 (B,), number of each example in the run. With `seed` it determines
        the augmentation.
      image_size: Width and height S of the network's input, in pixels.
      depth_size: Width and height D of the depth target, in pixels.
      augmentation: Limits of the random movement of the window.
      seed: Random seed of the augmentation.

    Returns:
      A dictionary of `image` uint8 (B, S, S, 3), RGB; `landmarks` float32 (B, 68, 3);
      `depth` float32 (B, D, D, 1), 0 where it is unknown; `depth_mask` float32
      (B, D, D, 1), 1 where the depth is known; `face_size` float32 (B,); `visible`
      uint8 (B, 68), see `visibility`; and `has_z` bool (B,). Landmarks, depth and face
      size are in the normalised frame of the network's window.
    """
    landmarks, windows = examples.landmarks[rows], examples.windows[rows]
    placement = augment.place(
        landmarks, windows, augmentation=augmentation, seed=seed, index=index
    )
    matrix = placement.matrix()
    starts, sides = examples.starts[rows], examples.sides[rows]
    aligned: list[crop.Window | None] = [None] * len(rows)
    if augmentation == augment.NONE:
        aligned = list(
            map(_pixel_aligned_window, matrix, placement.side, sides.tolist())
        )
    if None in aligned:
        to_image = augment.to_pixels(matrix, image_size, sides)
        images = sampling.sample_images(
            examples.pixels, starts, sides, to_image, image_size
        )
    else:
        shape = (len(rows), image_size, image_size, 3)
        images = sampling.aligned_empty(shape, np.uint8)
    for i, window in enumerate(aligned):
        if window is not None:  # bit-identical to the image that the predictor cuts
            cut = crop.cut(examples.image(rows[i]), window)
            images[i] = crop.resize(cut, image_size)
    to_depth = augment.to_pixels(
        placement.label_matrix(), depth_size, records.DEPTH_SIZE
    )
    depth, mask = sampling.sample_depths(
        examples.depth, rows, to_depth, depth_size, placement.side
    )
    face_size = examples.face_size[rows] / (windows[:, 2] * placement.side)
    return {
        "image": images,
        "landmarks": placement.move(landmarks),
        "depth": depth,
        "depth_mask": mask,
        "face_size": face_size.astype(np.float32),
        "visible": placement.permute(examples.visible[rows]),
        "has_z": examples.has_z[rows],
    }


def _pixel_aligned_window(
    matrix: np.ndarray, window_side: float, side: int
) -> crop.Window | None:
    """Returns the network's window if it consists of whole pixels of the stored crop.

    For such a window `crop.cut` and `crop.resize` give the image that the predictor
    would see. The window is not aligned if the conversion had to shrink the crop.

    Args:
      matrix: float64 (2, 3), map from the window to the crop, both normalised, without
        rotation.
      window_side: Side of the window, in sides of the crop.
      side: Width and height of the crop, in pixels.
    """
    edges = np.array([*(matrix[:, 2] * side), window_side * side])
    left, top, size = np.rint(edges)
    if np.abs(edges - (left, top, size)).max() > 0.01:
        return None
    return crop.Window(left - 0.5, top - 0.5, size)
