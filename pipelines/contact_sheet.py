"""Draws random records of a data set on one sheet."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np

from ethos_data import records
from ethos_data.drawing import draw_landmarks
from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files, tfrecord

TILE: Final = 192
"""Side of an image on the sheet, in pixels."""

_CAPTION_HEIGHT: Final = 18
_GAP: Final = 4

_EDGE_COLOR: Final = (0, 230, 120)
_LANDMARK_COLOR: Final = (255, 235, 60)
_CAPTION_COLOR: Final = (255, 255, 255)
_UNKNOWN_DEPTH_COLOR: Final = 24


class ShardFile(NamedTuple):
    """A shard with at least one record.

    Attributes:
      split: Name of the split.
      path: Path of the file.
      frames: Number of records.
    """

    split: str
    path: str
    frames: int


def sample(
    shards: Sequence[ShardFile], count: int, seed: int
) -> list[tuple[str, records.Record]]:
    """Reads random records, from as many shards as possible.

    Args:
      shards: The shards, at least one.
      count: Number of records.
      seed: Random seed.

    Returns:
      The split and the record of each sample, in random order.

    Raises:
      EthosError: A shard cannot be read, is damaged or contains too few records.
    """
    rng = random.Random(seed)
    order = list(shards)
    rng.shuffle(order)
    positions: dict[int, list[int]] = {}
    for number in range(count):
        index = number % len(order)
        positions.setdefault(index, []).append(rng.randrange(order[index].frames))
    samples = []
    for index, chosen in positions.items():
        shard = order[index]
        try:
            samples += [(shard.split, record) for record in _read(shard, set(chosen))]
        except (OSError, ValueError) as error:
            raise EthosError(f"{shard.path}: {reason_of(error)}") from error
    rng.shuffle(samples)
    return samples


def _read(shard: ShardFile, positions: Collection[int]) -> list[records.Record]:
    """Returns the records of a shard at some positions."""
    chosen = []
    count = 0
    with files.opened(shard.path) as file:
        for count, serialized in enumerate(tfrecord.read(file), start=1):
            if count - 1 in positions:
                chosen.append(records.decode(serialized))
            if len(chosen) == len(positions):
                return chosen
    raise ValueError(f"has {count} records, not {shard.frames}")


def draw(samples: Sequence[tuple[str, records.Record]], columns: int = 4) -> np.ndarray:
    """Draws each record: the image with its landmarks, and the depth.

    Landmarks without a label are not drawn.

    Args:
      samples: Split and record of each sample.
      columns: Number of records in a row.

    Returns:
      uint8 (H, W, 3), RGB.
    """
    tiles = [_tile(split, record) for split, record in samples]
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    rows = [
        np.concatenate(tiles[start : start + columns], axis=1)
        for start in range(0, len(tiles), columns)
    ]
    return np.concatenate(rows)


def _tile(split: str, record: records.Record) -> np.ndarray:
    image = cv2.resize(record.image, (TILE, TILE), interpolation=cv2.INTER_AREA)
    landmarks = record.landmarks * TILE - 0.5
    landmarks[~records.known_landmarks(record)] = np.nan
    draw_landmarks(image, landmarks, edges=_EDGE_COLOR, points=_LANDMARK_COLOR)
    tile = np.concatenate([image, _draw_depth(record.depth)], axis=1)
    tile = np.pad(tile, ((_CAPTION_HEIGHT, _GAP), (_GAP // 2, _GAP // 2), (0, 0)))
    size = f"{record.face_size:.0f} px"
    caption = f"{record.video_id[:30]}  frame {record.frame}  {split}  {size}"
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(tile, caption, (4, 13), font, 0.36, _CAPTION_COLOR, 1, cv2.LINE_AA)
    return tile


def _draw_depth(depth: np.ndarray) -> np.ndarray:
    """Draws a depth map in colours. Nearer is lighter.

    Args:
      depth: float32 (S, S). NaN means unknown and is drawn dark grey.

    Returns:
      uint8 (TILE, TILE, 3), RGB.
    """
    known = np.isfinite(depth)
    scaled = np.zeros(depth.shape, np.uint8)
    if known.any():
        low, high = np.percentile(depth[known], [1, 99])
        span = max(float(high - low), 1e-6)
        scaled[known] = np.clip((depth[known] - low) / span * 255, 0, 255)
    colors = cv2.cvtColor(
        cv2.applyColorMap(scaled, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB
    )
    colors[~known] = _UNKNOWN_DEPTH_COLOR
    return cv2.resize(colors, (TILE, TILE), interpolation=cv2.INTER_NEAREST)
