"""Draws views into pictures of the window's size, in its own thread."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_model.footage.tracker import TrackedFace
from gui.drawing import compose, surface
from gui.drawing.overlay import OverlayOptions, draw_faces, put_text, resized
from gui.viewer.engine import View
from gui.viewer.slot import Latest


@dataclasses.dataclass(frozen=True)
class PaintOptions:
    """What to draw and how large.

    Attributes:
      source_size: width, height of the panel with the source, screen pixels.
      tile_size: side of a reconstruction, screen pixels; 0 while there is no room.
      kinds: reconstructions that are shown, of compose.RECONSTRUCTIONS.
      overlay: what is drawn over the source.
      chosen: id of the face whose reconstruction is shown; None = the first.
      turn: of the turning surface.
      texture: whether the surface wears the restored face.
      background: RGB of the panels.
    """

    source_size: tuple[int, int] = (640, 360)
    tile_size: int = 200
    kinds: tuple[str, ...] = ("restored", "depth", "surface")
    overlay: OverlayOptions = dataclasses.field(default_factory=OverlayOptions)
    chosen: int | None = None
    rotation: surface.Rotation = dataclasses.field(default_factory=surface.Rotation)
    texture: bool = False
    background: tuple[int, int, int] = compose.BACKGROUND


@dataclasses.dataclass(frozen=True)
class Painting:
    """Pictures for the panels.

    Attributes:
      view: what is shown.
      source: uint8 (H, W, 3) RGB of the panel's size.
      tiles: uint8 (S, S, 3) RGB by kind; empty without a face.
      scale: screen pixels per source pixel.
      offset: of the (degraded) frame's upper left corner in the panel, screen pixels.
      chosen: the face in the tiles.
      milliseconds: that drawing took.
    """

    view: View
    source: np.ndarray
    tiles: dict[str, np.ndarray]
    scale: float
    offset: tuple[int, int]
    chosen: TrackedFace | None
    milliseconds: float


MIN_PANEL: Final = 16
"""Smaller panels (a window being laid out) are not drawn."""


def choose(view: View, wanted: int | None) -> TrackedFace | None:
    """The face with the wanted id, else the largest."""
    for face in view.faces:
        if face.id == wanted:
            return face
    if not view.faces:
        return None
    return max(view.faces, key=lambda f: float(np.prod(f.box[2:] - f.box[:2])))


def paint(view: View, options: PaintOptions) -> Painting:
    """Draws one view. Pure: the same arguments give the same pictures."""
    started = time.perf_counter()
    chosen = choose(view, options.chosen)
    width, height = (max(MIN_PANEL, side) for side in options.source_size)
    source = np.empty((height, width, 3), np.uint8)
    # Five times as fast as numpy's assignment of a colour.
    cv2.rectangle(source, (0, 0), (width, height), options.background, -1)
    if view.compared:
        clean, degraded = _halves(width, height, view.image.shape)
        _paint_frame(source, clean, view.frame.image, view.reference, options, None, ())
    else:
        degraded = (0, 0, width, height)
    scale, left, top = _paint_frame(
        source, degraded, view.image, view.faces, options, chosen, view.reference
    )
    if view.compared:
        right, below = degraded[0] - clean[0], degraded[1] - clean[1]
        foot = top + round(scale * view.image.shape[0]) - 8
        put_text(source, "degraded", (left + 8, foot), height=11)
        put_text(source, "clean", (left + 8 - right, foot - below), height=11)
    tiles = {}
    if chosen is not None and options.tile_size >= MIN_PANEL:
        for kind in options.kinds:
            tiles[kind] = compose.tile(
                chosen.face,
                kind,
                options.tile_size,
                background=options.background,
                rotation=options.rotation,
                texture=options.texture,
            )
    return Painting(
        view,
        source,
        tiles,
        scale,
        (left, top),
        chosen,
        1000 * (time.perf_counter() - started),
    )


Place = tuple[int, int, int, int]
"""Left, top, width, height of a part of the panel, screen pixels."""


def _halves(width: int, height: int, shape: tuple[int, ...]) -> tuple[Place, Place]:
    """Places for two frames, side by side or one above the other: what is larger."""
    rows, columns = shape[:2]
    gap = 4
    wide, high = (width - gap) // 2, (height - gap) // 2
    if min(wide / columns, height / rows) >= min(width / columns, high / rows):
        return (0, 0, wide, height), (wide + gap, 0, width - wide - gap, height)
    return (0, 0, width, high), (0, high + gap, width, height - high - gap)


def _paint_frame(
    source: np.ndarray,
    place: Place,
    image: np.ndarray,
    faces: Sequence[TrackedFace],
    options: PaintOptions,
    chosen: TrackedFace | None,
    reference: Sequence[TrackedFace],
) -> tuple[float, int, int]:
    """Draws a frame into its place; returns its scale, left and top in the panel."""
    x, y, width, height = place
    rows, columns = image.shape[:2]
    scale = min(width / columns, height / rows)
    canvas = resized(image, scale)[:height, :width]
    draw_faces(
        canvas,
        faces,
        options.overlay,
        scale=scale,
        chosen=chosen.id if chosen else None,
        reference=reference,
    )
    left, top = x + (width - canvas.shape[1]) // 2, y + (height - canvas.shape[0]) // 2
    source[top : top + canvas.shape[0], left : left + canvas.shape[1]] = canvas
    return scale, left, top


class Painter(threading.Thread):
    """Paints the newest view with the newest options whenever one of them changes."""

    def __init__(self) -> None:
        super().__init__(name="ethos-painter", daemon=True)
        self.paintings: Latest[Painting] = Latest()
        self._changed = threading.Condition()
        self._view: View | None = None
        self._options = PaintOptions()
        self._dirty = False
        self._closed = False

    def show(self, view: View) -> None:
        """Takes a new view. Any thread may call it."""
        with self._changed:
            self._view, self._dirty = view, True
            self._changed.notify()

    def set_options(self, options: PaintOptions) -> None:
        """Takes new options and paints the last view again."""
        with self._changed:
            if options != self._options:
                self._options, self._dirty = options, True
                self._changed.notify()

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self.is_alive():
            self.join(timeout=5)

    def run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._dirty)
                if self._closed:
                    return
                view, options, self._dirty = self._view, self._options, False
            if view is not None:
                self.paintings.put(paint(view, options))
