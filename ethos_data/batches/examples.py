"""Decoded examples in flat memory, and the network's windows sampled out of them.

Plain numpy: the input pipeline calls it once for each batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ethos_data import crop, records
from ethos_data.batches import augment, sampling

_GROWTH: Final = 1.25
"""Memory is enlarged by so much at a time. Large blocks are remapped, not copied."""


@dataclasses.dataclass(frozen=True)
class Examples:
    """Decoded examples, all of a split or those of a batch.

    Attributes:
      pixels: uint8 (P,), square RGB images one after the other.
      sides: int64 (N,), of the images, pixels.
      depth: uint16 (N, 96, 96), see `records.depth_to_values`.
      landmarks: float32 (N, 68, 3), normalised in the stored crop.
      windows: float32 (N, 3), left, top, size of the stored crop, source pixels.
      face_size: float32 (N,), source pixels.
      starts: int64 (N,), where in `pixels` each image begins.
    """

    pixels: np.ndarray
    sides: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray
    windows: np.ndarray
    face_size: np.ndarray
    starts: np.ndarray = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        ends = np.cumsum(3 * self.sides**2)
        object.__setattr__(self, "starts", ends - 3 * self.sides**2)

    def __len__(self) -> int:
        return len(self.sides)

    def image(self, row: int) -> np.ndarray:
        """uint8 (S, S, 3), a view."""
        start, side = self.starts[row], self.sides[row]
        return self.pixels[start : start + 3 * side**2].reshape(side, side, 3)


def decode(
    jpegs: Sequence[bytes], pngs: Sequence[bytes]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first three arrays of `Examples` from the records' `image` and `depth`.

    Raises:
      ValueError: one does not decode.
    """
    images = [records.decode_image(jpeg) for jpeg in jpegs]
    sides = np.array([len(image) for image in images], np.int64)
    pixels = sampling.empty((int(3 * (sides**2).sum()),), np.uint8)
    np.concatenate([image.reshape(-1) for image in images], out=pixels)
    shape = (len(images), records.DEPTH_SIZE, records.DEPTH_SIZE)
    depth = sampling.empty(shape, np.uint16)
    for one, png in zip(depth, pngs, strict=True):
        one[:] = records.decode_depth(png)
    return pixels, sides, depth


def collect(parts: Iterable[Examples]) -> Examples:
    """Many examples out of several, without ever holding the pixels twice."""
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
            (part.sides, part.depth, part.landmarks, part.windows, part.face_size)
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
    """Places the network's windows and samples image and depth there.

    Args:
      examples: what is sampled.
      rows: int64 (B,), which of them.
      index: int64 (B,), the examples' numbers in the run, for `augment.place`.
      image_size: side S of the network's input, pixels.
      depth_size: side D of the depth target, pixels.
      augmentation: how far to move faces.
      seed: of the augmentation.

    Returns:
      `image` uint8 (B, S, S, 3), `landmarks` float32 (B, 68, 3), `depth` float32
      (B, D, D, 1), 0 where there is none, `depth_mask` of the same shape and
      `face_size` float32 (B,), all in the unit of the network's window.
    """
    landmarks, windows = examples.landmarks[rows], examples.windows[rows]
    placement = augment.place(
        landmarks, windows, augmentation=augmentation, seed=seed, index=index
    )
    matrix = placement.matrix()
    starts, sides = examples.starts[rows], examples.sides[rows]
    whole: list[crop.Window | None] = [None] * len(rows)
    if augmentation == augment.NONE:
        whole = list(map(_whole, matrix, placement.side, sides.tolist()))
    if None in whole:
        at = augment.to_pixels(matrix, image_size, sides)
        images = sampling.sample_images(examples.pixels, starts, sides, at, image_size)
    else:
        images = sampling.empty((len(rows), image_size, image_size, 3), np.uint8)
    for i, window in enumerate(whole):
        if window is not None:  # as the predictor does it, to the last bit
            cut = crop.cut(examples.image(rows[i]), window)
            images[i] = crop.resize(cut, image_size)
    at = augment.to_pixels(placement.label_matrix(), depth_size, records.DEPTH_SIZE)
    depth, mask = sampling.sample_depths(
        examples.depth, rows, at, depth_size, placement.side
    )
    seen_size = examples.face_size[rows] / (windows[:, 2] * placement.side)
    return {
        "image": images,
        "landmarks": placement.move(landmarks),
        "depth": depth,
        "depth_mask": mask,
        "face_size": seen_size.astype(np.float32),
    }


def _whole(matrix: np.ndarray, window_side: float, side: int) -> crop.Window | None:
    """The predictor's window, if it lies on whole pixels of the stored crop.

    Then `crop.cut` and `crop.resize` make what the predictor would. It does not where
    the conversion had to shrink the crop to its largest size.
    """
    edges = np.array([*(matrix[:, 2] * side), window_side * side])
    left, top, size = np.rint(edges)
    if np.abs(edges - (left, top, size)).max() > 0.01:
        return None
    return crop.Window(left - 0.5, top - 0.5, size)
