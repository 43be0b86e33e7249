"""Divides the search of a video over its frames.

Searching a whole 1920 x 1080 frame at full size takes 0.2 s. The schedule therefore
spreads the tiles over one second, and skips tiles whose content has not changed since
they were searched, apart from the movements of people whose faces are followed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.topology import face_size
from ethos_model.footage.regions import Region, overview, tiles, turned

FINE_SIDE: Final = 2560
"""Longer side, in pixels, to which a frame is reduced before its tiles are searched. A
face of 30 pixels in a 3840 x 2160 frame has 20 pixels then. While all tiles
change, as with a moving camera, their search takes 0.45 s of one core per second of
such a video, and 0.24 s in 1920 x 1080 (`python -m benchmarks.finding`)."""

BLOCK: Final = 16
"""Side, in pixels, of the blocks whose mean grey levels show whether a tile changed."""

PERSON: Final = (-2.0, -1.2, 2.0, 4.5)
"""Left, top, right and bottom of a head with its upper body, in face sizes from the
centre of the face box. Changes there are the person's own movements."""

SEEN_SIZE: Final = 24.0
"""Face size, in pixels of the overview, from which a person's movements are known. The
overview then finds the neighbours in a group too, which have about the same size."""


@dataclasses.dataclass(frozen=True)
class _Searched:
    """The content of a tile when it was last searched.

    Attributes:
      time: Time of the search, in seconds.
      blocks: int16 (h, w, 3), mean grey levels of the blocks.
      people: bool (h, w), blocks that belonged to followed people.
    """

    time: float
    blocks: np.ndarray
    people: np.ndarray


@dataclasses.dataclass(frozen=True)
class Intervals:
    """How often a video is searched, in seconds.

    Attributes:
      calm: Between overviews while faces are tracked.
      urgent: Between overviews of a large frame after a face was lost. A small frame is
        then searched at once.
      idle: Between overviews of a small frame without faces.
      turn: For one turn through all tiles of a large frame.
      unchanged: Between searches of a tile whose content stays the same.
      turned: Between overviews that also search faces that are not upright, in one of
        three directions.
    """

    calm: float = 1.0
    urgent: float = 0.2
    idle: float = 0.1
    turn: float = 1.0
    unchanged: float = 4.0
    turned: float = 0.5


class SearchSchedule:
    """Decides which parts of each frame of a video are searched.

    An overview is due at once and then at intervals. Large frames have tiles too, one
    of which is due at a time.

    Example:
      schedule = SearchSchedule()
      for frame in video:
          regions = schedule.due(frame.image, frame.timestamp)
          detections = finder.find(frame.image, regions) if regions else []
    """

    def __init__(self, intervals: Intervals | None = None) -> None:
        self._intervals = intervals or Intervals()
        self.reset()

    def reset(self, turns: int = 0) -> None:
        """Forgets the video. An overview of the next frame is due.

        Args:
          turns: Direction of the faces before, which is searched first; see `Region`.
        """
        self._started: float | None = None
        self._overview_at = self._half_at = self._turned_at = -np.inf
        self._turns = max(turns - 1, 0)
        self._tiles_done = 0
        self._searched: dict[Region, _Searched] = {}

    def due(
        self,
        frame_rgb: np.ndarray,
        timestamp: float,
        *,
        urgent: bool = False,
        followed: Sequence[np.ndarray] = (),
    ) -> list[Region]:
        """Returns the regions to search in a frame, an empty list for none.

        Args:
          frame_rgb: uint8 (H, W, 3) RGB.
          timestamp: Time of the frame, in seconds.
          urgent: Whether a face has just been lost.
          followed: Boxes (4,) of the faces that are followed, in source pixels.
        """
        height, width = frame_rgb.shape[:2]
        if not height or not width:
            return []
        upright = self._upright(frame_rgb, timestamp, urgent, followed)
        return upright + self._turned(height, width, timestamp)

    def _turned(self, height: int, width: int, timestamp: float) -> list[Region]:
        """Returns one of three directions, together with an overview; at first all."""
        is_early = timestamp - self._turned_at < self._intervals.turned - 5e-4
        if is_early or self._overview_at != timestamp:
            return []
        count = 3 if self._turned_at == -np.inf else 1
        self._turned_at = timestamp
        regions = []
        for _ in range(count):
            self._turns = self._turns % 3 + 1
            regions.append(turned(height, width, self._turns))
        return regions

    def _upright(
        self,
        frame_rgb: np.ndarray,
        timestamp: float,
        urgent: bool,
        followed: Sequence[np.ndarray],
    ) -> list[Region]:
        height, width = frame_rgb.shape[:2]
        intervals = self._intervals
        views = overview(height, width)
        if views[0].scale == 1:
            wait = intervals.calm if followed else intervals.idle
            wait = 0.0 if urgent else wait
            return views if self._is_overview_due(timestamp, wait) else []
        # The tiles of a large frame take most of the time. The smaller overview, which
        # costs 2 ms, finds new large faces soon.
        regions: list[Region] = []
        wait = intervals.urgent if urgent else intervals.calm
        if self._is_overview_due(timestamp, wait):
            regions = views
        elif timestamp - self._half_at >= intervals.calm / 4:
            regions = views[1:]
        if regions:
            self._half_at = timestamp
        people = [
            person_area(box)
            for box in followed
            if face_size(box) * views[0].scale >= SEEN_SIZE
        ]
        return regions + self._due_tiles(frame_rgb, timestamp, people)

    def _is_overview_due(self, timestamp: float, wait: float) -> bool:
        # Timestamps are rounded: half a millisecond early is in time.
        if timestamp - self._overview_at < wait - 5e-4:
            return False
        self._overview_at = timestamp
        return True

    def _due_tiles(
        self, frame_rgb: np.ndarray, timestamp: float, people: Sequence[np.ndarray]
    ) -> list[Region]:
        """Returns the tiles whose turn it is and that have changed."""
        height, width = frame_rgb.shape[:2]
        grid = tiles(height, width, min(1.0, FINE_SIDE / max(height, width)))
        if self._started is None:
            self._started = timestamp
        elapsed = (timestamp - self._started) / self._intervals.turn
        due = math.floor(elapsed * len(grid) + 1e-6) + 1
        count = min(max(due - self._tiles_done, 0), len(grid))
        self._tiles_done = due
        turn = [grid[k % len(grid)] for k in range(due - count, due)]
        return [
            tile
            for tile in turn
            if self._must_search(frame_rgb, tile, timestamp, people)
        ]

    def _must_search(
        self,
        frame_rgb: np.ndarray,
        tile: Region,
        timestamp: float,
        people: Sequence[np.ndarray],
    ) -> bool:
        """Returns whether a tile has changed or was not searched for a long time."""
        rows = slice(tile.top, tile.top + tile.height)
        part = frame_rgb[rows, tile.left : tile.left + tile.width]
        size = (max(1, tile.width // BLOCK), max(1, tile.height // BLOCK))
        blocks = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.int16)
        inside = blocks_inside(tile, blocks.shape[:2], people)
        last = self._searched.get(tile)
        if last is not None and timestamp - last.time < self._intervals.unchanged:
            own = inside | last.people
            others = np.where(own[..., None], last.blocks, blocks)
            if not has_changed(last.blocks, others):
                return False
        self._searched[tile] = _Searched(timestamp, blocks, inside)
        return True


def person_area(box: np.ndarray) -> np.ndarray:
    """Returns where the head and the upper body of a face are.

    Args:
      box: (4,), face box: x0, y0, x1, y1 in source pixels.

    Returns:
      float64 (4,), x0, y0, x1, y1 in source pixels.
    """
    center = (np.asarray(box[:2], np.float64) + box[2:]) / 2
    return np.tile(center, 2) + float(face_size(box)) * np.array(PERSON)


def blocks_inside(
    tile: Region, shape: tuple[int, int], areas: Sequence[np.ndarray]
) -> np.ndarray:
    """Returns bool (h, w): whether the centre of a block is inside one of the areas.

    Args:
      tile: The part of the frame that the blocks cover.
      shape: Number of rows and columns of blocks.
      areas: Rectangles (4,), x0, y0, x1, y1 in source pixels.
    """
    rows, columns = shape
    # The left edge of pixel 0 is at -0.5.
    x = tile.left + (np.arange(columns) + 0.5) * tile.width / columns - 0.5
    y = tile.top + (np.arange(rows) + 0.5) * tile.height / rows - 0.5
    inside = np.zeros(shape, bool)
    for x0, y0, x1, y1 in areas:
        inside |= ((y >= y0) & (y <= y1))[:, None] & ((x >= x0) & (x <= x1))
    return inside


def has_changed(before: np.ndarray, blocks: np.ndarray) -> bool:
    """Returns whether a block has changed by more than noise.

    The threshold follows the contrast, so that it suits dark frames too.

    Args:
      before: int16 (h, w, 3), mean grey levels of the blocks.
      blocks: The same at a later time.
    """
    contrast = float(np.percentile(before, 95) - np.percentile(before, 5))
    return bool(np.abs(blocks - before).max() > 1.5 + 0.06 * contrast)
