"""Draws processed frames as pictures for the window's panels, in a thread."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.drawing import Color
from ethos_model.footage.fusion.face_fusion import FusedFace
from ethos_model.footage.tracks import TrackedFace
from gui.drawing import compose, surface
from gui.drawing.fused_tile import fused_tile
from gui.drawing.overlay import OverlayOptions, draw_faces, resized
from gui.drawing.text import put_text
from gui.viewer.live_fusion import choose
from gui.viewer.slot import Latest
from gui.viewer.view import View
from gui.viewer.worker import Worker

MIN_PANEL: Final = 16
"""Smallest width and height that is drawn, in pixels. Panels are smaller for a moment
while the window is laid out."""

FUSED: Final = "fused"
"""Kind of the tile with the face reconstructed from many frames."""

_GAP: Final = 4
"""Pixels between the clean and the degraded frame."""


@dataclasses.dataclass(frozen=True)
class PaintOptions:
    """What to draw, and its size in screen pixels.

    Attributes:
      source_size: Width and height of the panel with the frame.
      tile_size: Width and height of a reconstruction; 0 for none.
      kinds: Kinds of reconstruction, of `compose.RECONSTRUCTIONS` and FUSED.
      overlay: What to draw over the frame.
      chosen: Id of the face to reconstruct; None for the largest face.
      rotation: Rotation of the surface.
      texture: Whether the surface shows the restored face.
      divider: Share of the FUSED tile that shows the frame, 0 to 1.
      sigma: Whether the FUSED tile shows the uncertainty.
      background: RGB of the panels.
    """

    source_size: tuple[int, int] = (640, 360)
    tile_size: int = 200
    kinds: tuple[str, ...] = ("restored", "depth", "surface")
    overlay: OverlayOptions = dataclasses.field(default_factory=OverlayOptions)
    chosen: int | None = None
    rotation: surface.Rotation = dataclasses.field(default_factory=surface.Rotation)
    texture: bool = False
    divider: float = 0.5
    sigma: bool = False
    background: Color = compose.BACKGROUND


@dataclasses.dataclass(frozen=True)
class Painting:
    """The pictures of one frame.

    Attributes:
      view: The processed frame.
      source: uint8 (H, W, 3) RGB, the frame with its overlay, in the panel's size.
      tiles: uint8 (S, S, 3) RGB for each kind of reconstruction; empty without a face.
      scale: Screen pixels per source pixel.
      offset: x and y of the upper left corner of the (degraded) frame in the panel, in
        screen pixels.
      chosen: The face that the tiles show; None without a face.
      milliseconds: Duration of the drawing.
      fused: `chosen`, reconstructed from many frames; None if it was not computed.
    """

    view: View
    source: np.ndarray
    tiles: dict[str, np.ndarray]
    scale: float
    offset: tuple[int, int]
    chosen: TrackedFace | None
    milliseconds: float
    fused: FusedFace | None = None


def paint(view: View, options: PaintOptions) -> Painting:
    """Draws a processed frame. The result depends on nothing but the arguments."""
    started = time.perf_counter()
    chosen = choose(view.faces, options.chosen)
    fused = _fused(view, chosen)
    width, height = (max(MIN_PANEL, side) for side in options.source_size)
    source = np.empty((height, width, 3), np.uint8)
    # Five times as fast as the assignment of a colour in numpy.
    cv2.rectangle(source, (0, 0), (width, height), options.background, -1)
    if view.compared:
        clean, degraded = _halves(width, height, view.image.shape)
        _paint_frame(
            source, clean, view.frame.image, view.reference, options, None, (), {}
        )
    else:
        degraded = Place(0, 0, width, height)
    scale, left, top = _paint_frame(
        source,
        degraded,
        view.image,
        view.faces,
        options,
        chosen,
        view.reference,
        view.marks,
    )
    if view.compared:
        x, y = left + 8, top + round(scale * view.image.shape[0]) - 8
        put_text(source, "degraded", (x, y), height=11)
        x, y = x - (degraded.left - clean.left), y - (degraded.top - clean.top)
        put_text(source, "clean", (x, y), height=11)
    return Painting(
        view=view,
        source=source,
        tiles=_tiles(view, chosen, fused, options),
        scale=scale,
        offset=(left, top),
        chosen=chosen,
        milliseconds=1000 * (time.perf_counter() - started),
        fused=fused,
    )


def _fused(view: View, chosen: TrackedFace | None) -> FusedFace | None:
    """The portrait of a face. After another choice, it is computed a moment later."""
    portrait = view.portrait
    if portrait is None or chosen is None or portrait.person != chosen.id:
        return None
    return portrait.fused


def _tiles(
    view: View,
    chosen: TrackedFace | None,
    fused: FusedFace | None,
    options: PaintOptions,
) -> dict[str, np.ndarray]:
    """The reconstructions of a face, by kind."""
    if chosen is None or options.tile_size < MIN_PANEL or not chosen.face.depth.size:
        return {}
    tiles = {}
    for kind in options.kinds:
        if kind != FUSED:
            tiles[kind] = compose.tile(
                chosen.face,
                kind,
                options.tile_size,
                background=options.background,
                rotation=options.rotation,
                texture=options.texture,
            )
        elif fused is not None:
            tiles[kind] = fused_tile(
                view.image,
                fused,
                options.tile_size,
                divider=options.divider,
                sigma=options.sigma,
            )
    return tiles


@dataclasses.dataclass(frozen=True)
class Place:
    """A rectangle of the panel, in screen pixels."""

    left: int
    top: int
    width: int
    height: int


def _halves(width: int, height: int, shape: tuple[int, ...]) -> tuple[Place, Place]:
    """Places for two frames in a panel.

    The frames are side by side or one above the other, whichever makes them larger.

    Args:
      width: Width of the panel, in pixels.
      height: Height of the panel, in pixels.
      shape: Shape of a frame: rows, columns, ...
    """
    rows, columns = shape[:2]
    w, h = (width - _GAP) // 2, (height - _GAP) // 2
    if min(w / columns, height / rows) >= min(width / columns, h / rows):
        return Place(0, 0, w, height), Place(w + _GAP, 0, width - w - _GAP, height)
    return Place(0, 0, width, h), Place(0, h + _GAP, width, height - h - _GAP)


def _paint_frame(
    source: np.ndarray,
    place: Place,
    image: np.ndarray,
    faces: Sequence[TrackedFace],
    options: PaintOptions,
    chosen: TrackedFace | None,
    reference: Sequence[TrackedFace],
    marks: Mapping[int, str],
) -> tuple[float, int, int]:
    """Draws a frame into a place of the panel, in place.

    Returns:
      Screen pixels per source pixel, and the left and top of the frame in the panel.
    """
    rows, columns = image.shape[:2]
    scale = min(place.width / columns, place.height / rows)
    canvas = resized(image, scale)[: place.height, : place.width]
    draw_faces(
        canvas,
        faces,
        options.overlay,
        scale=scale,
        chosen=chosen.id if chosen else None,
        reference=reference,
        marks=marks,
    )
    height, width = canvas.shape[:2]
    left = place.left + (place.width - width) // 2
    top = place.top + (place.height - height) // 2
    source[top : top + height, left : left + width] = canvas
    return scale, left, top


class Painter:
    """Draws the newest frame with the newest options when one of them changes.

    Attributes:
      worker: The thread.
      paintings: Queue of the results.
    """

    def __init__(self, change: Callable[[View], View] = lambda view: view) -> None:
        """Prepares the thread; `start` starts it.

        Args:
          change: Changes each view before it is drawn, in the painter's thread.
        """
        self.worker = Worker("ethos-painter", self._run)
        self._change = change
        self.paintings: Latest[Painting] = Latest()
        self._changed = threading.Condition()
        self._view: View | None = None
        self._options = PaintOptions()
        self._dirty = False
        self._closed = False

    def start(self) -> None:
        """Starts the thread."""
        self.worker.start()

    def show(self, view: View) -> None:
        """Draws a processed frame. Any thread may call it."""
        with self._changed:
            self._view, self._dirty = view, True
            self._changed.notify()

    def set_options(self, options: PaintOptions) -> None:
        """Changes the options and draws the last frame again."""
        with self._changed:
            if options != self._options:
                self._options, self._dirty = options, True
                self._changed.notify()

    def refresh(self) -> None:
        """Draws the last frame again, because `change` has a new result."""
        with self._changed:
            self._dirty = True
            self._changed.notify()

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self.worker.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._dirty)
                if self._closed:
                    return
                view, options, self._dirty = self._view, self._options, False
            if view is not None:
                self.paintings.put(paint(self._change(view), options))
