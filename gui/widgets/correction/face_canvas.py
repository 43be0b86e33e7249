"""The enlarged face with its landmarks as handles. It draws and reports; no state."""

from __future__ import annotations

import dataclasses
import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from ethos_data.drawing import Color
from ethos_data.topology import EDGES, face_box, face_size
from gui.correction.zoom import Zoom
from gui.drawing import palette
from gui.drawing.overlay import MARKS
from gui.widgets.panels import PicturePanel

REACH: Final = 9.0
"""Distance at which the mouse takes a handle, in reference pixels."""

RADIUS: Final = (2.0, 4.5)
"""Smallest and largest radius of a handle, in reference pixels. A selected handle is
larger."""

SHARE: Final = 0.011
"""Radius of a handle over the face size on the screen, between these limits."""

SHIFT: Final = 0x0001
CONTROL: Final = 0x0004
"""Bits of the state of an event."""

COLORS: Final = {"predicted": palette.SKY_BLUE, **MARKS}
"""Colours of the handles, by the origin of the landmarks."""


def hex_color(color: Color) -> str:
    """The colour in Tk's form."""
    return "#{:02x}{:02x}{:02x}".format(*color)


@dataclasses.dataclass(frozen=True)
class Gestures:
    """Functions that the canvas calls.

    Places are in pixels of the canvas.

    Attributes:
      press: Called with the landmark under the mouse or None, and whether Shift is
        pressed.
      drag: Called with the distance since the press, x and y in source pixels.
      release: Called with whether the mouse was moved.
      wheel: Called with +1 or -1 and "zoom", "rotate" or "scale".
      box: Called with a box in source pixels after the user has dragged it.
      zoomed: Called when the view has changed.
    """

    press: Callable[[int | None, bool], None]
    drag: Callable[[np.ndarray], None]
    release: Callable[[bool], None]
    wheel: Callable[[int, str], None]
    box: Callable[[np.ndarray], None]
    zoomed: Callable[[], None]


class FaceCanvas(PicturePanel):
    """Shows part of a frame, and handles over it.

    Attributes:
      zoom: The part of the frame that is shown.
      adding: Whether dragging draws a box.
    """

    def __init__(self, master: tk.Misc, ratio: float, gestures: Gestures) -> None:
        """Creates an empty canvas.

        Args:
          master: Parent widget.
          ratio: Screen pixels per reference pixel.
          gestures: Functions that are called.
        """
        super().__init__(master, cursor="crosshair")
        self.zoom = Zoom()
        self.adding = False
        self._ratio, self._gestures = ratio, gestures
        self._image: np.ndarray | None = None
        self._background: Color = (0, 0, 0)
        self._points = np.zeros((0, 2))
        self._pressed: tuple[int, int] | None = None
        self._last = (0, 0)
        self._handle: int | None = None
        self._moved = self._panning = False
        self._pending = ""
        width = max(1, round(ratio))
        self._edges = [
            self.create_line(0, 0, 0, 0, fill=hex_color(palette.WHITE), width=width)
            for _ in EDGES
        ]
        self._handles = [self.create_oval(0, 0, 0, 0) for _ in range(68)]
        self._label = self.create_text(0, 0, text="", anchor="sw")
        self._box = self.create_rectangle(
            0, 0, 0, 0, outline=hex_color(palette.YELLOW), width=2 * width
        )
        self.show_points(None)
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._drag)
        self.bind("<ButtonRelease-1>", self._release)
        for button in (2, 3):
            self.bind(f"<ButtonPress-{button}>", self._press_view)
            self.bind(f"<B{button}-Motion>", self._drag)
            self.bind(f"<ButtonRelease-{button}>", self._release)
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.bind(event, self._wheel)
        self.bind("<Configure>", self._resize, add="+")

    @property
    def busy(self) -> bool:
        """Whether a mouse button is pressed."""
        return self._pressed is not None

    def set_frame(self, image: np.ndarray | None, background: Color) -> None:
        """Shows another frame, uint8 (H, W, 3) RGB; None for nothing."""
        self._image, self._background = image, background
        self.redraw()

    def set_zoom(self, zoom: Zoom) -> None:
        """Shows another part of the frame."""
        self.zoom = zoom
        self.redraw()

    def redraw(self) -> None:
        """Draws the frame soon: several changes in a row are drawn once."""
        if not self._pending:
            self._pending = self.after_idle(self._draw)

    def _draw(self) -> None:
        self._pending = ""
        if self._image is None or min(self.extent) <= 1:
            self.clear()
        else:
            self.show(self.zoom.picture(self._image, self._background))
        self._gestures.zoomed()

    def destroy(self) -> None:
        """Releases the picture."""
        if self._pending:
            self.after_cancel(self._pending)
            self._pending = ""
        self.clear()
        super().destroy()

    def show_points(
        self,
        points: np.ndarray | None,
        *,
        visible: Sequence[bool] = (),
        selected: Sequence[int] = (),
        color: Color = palette.SKY_BLUE,
        label: str = "",
    ) -> None:
        """Moves the handles.

        Args:
          points: (68, 2), in source pixels; None for no face. Landmarks that are not
            finite are not shown.
          visible: Whether each landmark is visible. A hidden one is hollow.
          selected: The selected landmarks. They are larger.
          color: RGB of the handles.
          label: Text next to the first selected landmark.
        """
        if points is None:
            self._points = np.zeros((0, 2))
            for item in (*self._edges, *self._handles, self._label):
                self.itemconfigure(item, state="hidden")
            return
        self._points = np.asarray(points, np.float64)
        places = self.zoom.to_screen(self._points)
        finite = np.isfinite(places).all(axis=1)
        for item, (start, end) in zip(self._edges, EDGES, strict=True):
            shown = finite[start] and finite[end]
            self.itemconfigure(item, state="normal" if shown else "hidden")
            if shown:
                self.coords(item, *places[start], *places[end])
        chosen, tint = set(selected), hex_color(color)
        size = float(face_size(face_box(places[finite]))) if finite.any() else 0.0
        usual = float(np.clip(SHARE * size / self._ratio, *RADIUS)) * self._ratio
        for number, item in enumerate(self._handles):
            if not finite[number]:
                self.itemconfigure(item, state="hidden")
                continue
            radius = usual * (1.5 if number in chosen else 1.0)
            x, y = places[number]
            self.coords(item, x - radius, y - radius, x + radius, y + radius)
            line = hex_color(palette.WHITE) if number in chosen else tint
            self.itemconfigure(
                item,
                state="normal",
                fill=tint if visible[number] else "",
                outline=line,
                width=round(1.5 * self._ratio),
            )
        first = selected[0] if len(selected) and finite[selected[0]] else None
        self.itemconfigure(
            self._label,
            text=label,
            fill=hex_color(palette.WHITE),
            state="normal" if label and first is not None else "hidden",
        )
        if first is not None:
            offset = 1.8 * usual
            x, y = places[first]
            self.coords(self._label, x + offset, y - offset)

    def landmark_at(self, x: float, y: float) -> int | None:
        """The handle at a place of the canvas; None without one in reach."""
        if not len(self._points):
            return None
        away = np.linalg.norm(self.zoom.to_screen(self._points) - (x, y), axis=1)
        nearest = int(np.nanargmin(np.where(np.isfinite(away), away, np.inf)))
        return nearest if away[nearest] <= REACH * self._ratio else None

    # Events.

    def _press(self, event: tk.Event) -> str:
        self.winfo_toplevel().focus_set()
        self._start(event)
        if self.adding:
            self._show_box(event)
            return "break"
        shift = bool(int(event.state) & SHIFT)
        self._handle = self.landmark_at(event.x, event.y)
        self._panning = self._handle is None
        self._gestures.press(self._handle, shift)
        return "break"

    def _press_view(self, event: tk.Event) -> str:
        self._start(event)
        self._panning = True
        return "break"

    def _start(self, event: tk.Event) -> None:
        self._pressed = self._last = (event.x, event.y)
        self._moved = self._panning = False

    def _drag(self, event: tk.Event) -> str:
        if self._pressed is None:
            return "break"
        dx, dy = event.x - self._last[0], event.y - self._last[1]
        self._last = (event.x, event.y)
        self._moved |= bool(dx or dy)
        if self._panning:
            self.set_zoom(self.zoom.moved(dx, dy))
        elif self.adding:
            self._show_box(event)
        else:
            way = np.subtract(self._last, self._pressed) / self.zoom.scale
            self._gestures.drag(way)
        return "break"

    def _release(self, event: tk.Event) -> str:
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return "break"
        if self._panning:
            self._panning = False
        elif self.adding:
            self.itemconfigure(self._box, state="hidden")
            corners = self.zoom.to_source(np.array([pressed, (event.x, event.y)]))
            self._gestures.box(np.concatenate([corners.min(0), corners.max(0)]))
        else:
            self._gestures.release(self._moved)
        return "break"

    def _show_box(self, event: tk.Event) -> None:
        assert self._pressed is not None
        self.coords(self._box, *self._pressed, event.x, event.y)
        self.itemconfigure(self._box, state="normal")

    def hide_box(self) -> None:
        """Removes the box that was being dragged."""
        self.itemconfigure(self._box, state="hidden")

    def _wheel(self, event: tk.Event) -> str:
        step = 1 if event.num == 4 or event.delta > 0 else -1
        state = int(event.state)
        if state & CONTROL:
            self._gestures.wheel(step, "scale")
        elif state & SHIFT:
            self._gestures.wheel(step, "rotate")
        else:
            self.set_zoom(self.zoom.at((event.x, event.y), 1.2**step))
        return "break"

    def _resize(self, event: tk.Event) -> None:
        self.zoom = self.zoom.resized(event.width, event.height)
        self.redraw()
