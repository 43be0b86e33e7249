"""Parts of a frame that the finder searches, and when each part is searched.

A detector's cost grows with the number of pixels, and it misses faces below about 12
pixels. A large frame is therefore searched in two ways: as a whole at a reduced size,
which shows large faces at once, and in regions at full size, one after the other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from ethos_data.topology import face_size

OVERVIEW_SIDE: Final = 640
"""Longer side, in pixels, of the reduced frame that is searched as a whole."""

TILE_SIDE: Final = 576
"""Longest side, in pixels, of the image of a region. A search of it takes 10 ms, so no
frame of live video has to wait for a whole large frame."""

OVERLAP: Final = 48
"""Pixels that neighbouring images share, so that a face on their border is complete in
one of them. Larger faces are found in the reduced frame."""

MAX_SIDE: Final = 3840
"""Longer side, in pixels, to which larger frames are reduced before any search."""

LOCAL_FACE: Final = 56.0
"""Face size, in pixels, to which the surroundings of a known face are reduced."""

LOCAL_CONTEXT: Final = 3.0
"""Side of the surroundings that are searched, divided by the face size."""

SMALLEST_FOUND: Final = 14.0
"""Face size, in pixels of a searched image, below which the finder may miss a face."""


@dataclasses.dataclass(frozen=True)
class Region:
    """Rectangle of a frame and the scale at which it is searched.

    Attributes:
      left: Index of the first column of pixels.
      top: Index of the first row of pixels.
      width: Number of columns.
      height: Number of rows.
      scale: Pixels of the searched image for each pixel of the frame, at most 1.
      turns: Number of quarter turns to the left that make faces upright which lie on
        their side or are upside down, 0 to 3; see `upright.quarter_turns`.
    """

    left: int
    top: int
    width: int
    height: int
    scale: float
    turns: int = 0

    def contains(self, box: np.ndarray) -> bool:
        """Returns whether a box (4,) in source pixels is inside the rectangle."""
        right, bottom = self.left + self.width, self.top + self.height
        return bool(
            self.left - 0.5 <= box[0]
            and self.top - 0.5 <= box[1]
            and box[2] <= right - 0.5
            and box[3] <= bottom - 0.5
        )


def is_searched(
    regions: Sequence[Region], box: np.ndarray, turns: int, shape: tuple[int, ...]
) -> bool:
    """Returns whether a search of some regions would find a face.

    Args:
      regions: The regions of one frame.
      box: (4,), face box in source pixels. It may extend beyond the frame.
      turns: Quarter turns to the left that make the face upright.
      shape: Shape of the frame, (H, W, 3).
    """
    # A region never contains what is outside the frame.
    seen = np.clip(box, -0.5, np.array([shape[1], shape[0]] * 2) - 0.5)
    return any(
        region.turns == turns
        and region.contains(seen)
        and float(face_size(seen)) * region.scale >= SMALLEST_FOUND
        for region in regions
    )


def overview(height: int, width: int) -> list[Region]:
    """Plans the search of a whole frame at a reduced size and at half of that size.

    Args:
      height: Height of the frame, in pixels.
      width: Width of the frame, in pixels.

    Returns:
      Two regions that cover the frame. The smaller size finds faces that blur, noise or
      compression hides at the larger size, and faces that fill the frame.
    """
    scale = min(1.0, OVERVIEW_SIDE / max(height, width))
    return [Region(0, 0, width, height, scale / part) for part in (1, 2)]


def turned(height: int, width: int, turns: int) -> Region:
    """Plans the search of a whole frame for faces that are not upright.

    Args:
      height: Height of the frame, in pixels.
      width: Width of the frame, in pixels.
      turns: See `Region`.
    """
    return dataclasses.replace(overview(height, width)[0], turns=turns)


def tiles(height: int, width: int, scale: float) -> list[Region]:
    """Covers a frame with overlapping regions of at most TILE_SIDE searched pixels.

    Args:
      height: Height of the frame, in pixels.
      width: Width of the frame, in pixels.
      scale: Pixels of the searched image for each pixel of the frame.

    Returns:
      Regions, row by row.
    """
    rows, columns = (_spans(side, scale) for side in (height, width))
    return [
        Region(left, top, right - left, bottom - top, scale)
        for top, bottom in rows
        for left, right in columns
    ]


def _spans(side: int, scale: float) -> list[tuple[int, int]]:
    """Divides a side into equal parts that overlap; first and last index of each."""
    shared = OVERLAP / scale
    count = max(1, math.ceil((side - shared) / (TILE_SIDE / scale - shared)))
    length = (side + (count - 1) * shared) / count
    step = length - shared
    return [
        (max(0, math.floor(k * step)), min(side, math.ceil(k * step + length)))
        for k in range(count)
    ]


def everything(height: int, width: int) -> list[Region]:
    """Plans a thorough search: overviews and, in a large frame, all tiles.

    Faces that are not upright are searched in overviews only.
    """
    full = min(1.0, MAX_SIDE / max(height, width))
    regions = overview(height, width)
    if regions[0].scale < full:
        regions += tiles(height, width, full)
    return regions + [turned(height, width, turns) for turns in (1, 2, 3)]


def around(
    box: np.ndarray,
    height: int,
    width: int,
    context: float = LOCAL_CONTEXT,
    turns: int = 0,
) -> Region | None:
    """Plans the search near a known face, which costs 2 ms.

    Args:
      box: (4,), face box in source pixels.
      height: Height of the frame, in pixels.
      width: Width of the frame, in pixels.
      context: Side of the region, divided by the face size.
      turns: See `Region`.

    Returns:
      The region, or None if it is outside the frame.
    """
    size = float(face_size(box))
    if not np.isfinite(box).all() or size <= 0:
        return None
    centre = (box[:2] + box[2:]) / 2
    low = np.maximum(np.floor(centre - context / 2 * size), 0)
    high = np.minimum(np.ceil(centre + context / 2 * size), (width, height))
    if not (high - low >= 1).all():
        return None
    (left, top), (right, bottom) = low.astype(int), high.astype(int)
    scale = min(1.0, LOCAL_FACE / size)
    sides = (int(right - left), int(bottom - top))
    return Region(int(left), int(top), *sides, scale, turns)
