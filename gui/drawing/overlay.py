"""Draws tracked faces over a frame: landmarks, uncertainty, boxes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.drawing import Color, draw_disks, draw_landmarks
from ethos_data.topology import face_box, face_size
from ethos_model.footage.tracks import TrackedFace
from ethos_model.predict import Face
from gui.drawing import palette
from gui.drawing.measures import draw_axes, draw_openness
from gui.drawing.text import put_text

SURE_SIGMA: Final = 0.02
"""Uncertainty (one sigma over the face size) that is drawn blue. A trained network
reports about this value on clean faces."""
UNSURE_SIGMA: Final = 0.08
"""Uncertainty that is drawn vermillion: the error is then larger than the failure
threshold of the evaluation, 8 % of the face size."""

DRAWN: Final = ("points", "edges", "boxes", "pose", "eyes")
"""The parts of the overlay that can be switched on and off: boolean fields of
`OverlayOptions`."""

MEASURED: Final = ("pose", "eyes")
"""The parts that need the measures of the faces."""

MARKS: Final = {
    "corrected": palette.CORRECTED,
    "interpolated": palette.INTERPOLATED,
}
"""Colours of landmarks that the user has corrected, by `View.marks`."""

UNCERTAINTY: Final = ("color", "size", "none")
"""Ways to draw the uncertainty."""


@dataclasses.dataclass(frozen=True)
class OverlayOptions:
    """What to draw over a frame.

    Attributes:
      points: Whether to draw the 68 landmarks. Those that the frame does not show are
        drawn as circles.
      edges: Whether to draw lines between neighbouring landmarks.
      uncertainty: How to draw the uncertainty, one of `UNCERTAINTY`: "color" colours
        the landmarks from blue (sure) through yellow to vermillion (unsure), "size"
        draws a circle of one sigma around each landmark.
      boxes: Whether to draw the face box with the number of the face.
      pose: Whether to draw the axes of the head, if the face was measured.
      eyes: Whether to draw the openness of the eyes, if the face was measured.
    """

    points: bool = True
    edges: bool = True
    uncertainty: str = "color"
    boxes: bool = True
    pose: bool = False
    eyes: bool = False

    @property
    def drawn(self) -> tuple[str, ...]:
        """The parts of `DRAWN` that are switched on."""
        return tuple(name for name in DRAWN if getattr(self, name))


DEFAULT: Final = OverlayOptions().drawn
"""The parts that are drawn unless the user chooses others."""


def uncertainty_colors(relative: np.ndarray) -> np.ndarray:
    """Colours from blue (sure) through yellow to vermillion (unsure).

    Args:
      relative: (N,) one sigma over the face size. NaN counts as unsure.

    Returns:
      uint8 (N, 3) RGB.
    """
    span = np.log(UNSURE_SIGMA / SURE_SIGMA)
    relative = np.maximum(np.nan_to_num(relative, nan=1.0), 1e-9)
    level = np.clip(np.log(relative / SURE_SIGMA) / span, 0, 1)
    stops = np.array(palette.SURE, np.float64)
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(level, places, channel) for channel in stops.T]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def resized(image: np.ndarray, scale: float) -> np.ndarray:
    """A copy of a frame, `scale` times as large, to draw on.

    Args:
      image: uint8 (H, W, 3) RGB.
      scale: Pixels of the result per pixel of the frame.

    Returns:
      uint8 (round(H * scale), round(W * scale), 3) RGB, at least one pixel in size.
    """
    if scale == 1:
        return image.copy()
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Means of 2 x 2 pixels and then an interpolation take a sixth of the time of
    # INTER_AREA, and look the same.
    while width >= 2 * size[0] and height % 2 == width % 2 == 0:
        height, width = height // 2, width // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    method = cv2.INTER_AREA if width >= 2 * size[0] else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method)


def draw_faces(
    canvas: np.ndarray,
    faces: Sequence[TrackedFace],
    options: OverlayOptions,
    *,
    scale: float = 1.0,
    chosen: int | None = None,
    reference: Sequence[TrackedFace] = (),
    marks: Mapping[int, str] | None = None,
) -> np.ndarray:
    """Draws faces in place.

    Args:
      canvas: uint8 (H, W, 3) RGB, the frame resized by `scale`.
      faces: The faces of the frame, in source pixels.
      options: What to draw.
      scale: Canvas pixels per source pixel.
      chosen: Id of the face whose reconstruction is shown. Its box is highlighted when
        there are several faces.
      reference: Faces of the clean frame. Their edges are drawn in purple below
        `faces`.
      marks: "corrected" or "interpolated" for the ids of faces whose landmarks the user
        has corrected. Their landmarks have a colour of their own.

    Returns:
      `canvas`.
    """
    width = max(1, round(min(canvas.shape[:2]) / 420))
    for tracked in reference:
        landmarks = _on_canvas(tracked.face, scale)
        draw_landmarks(canvas, landmarks, edges=palette.REFERENCE, line_width=width)
    for tracked in faces:
        landmarks = _on_canvas(tracked.face, scale)
        if options.edges:
            draw_landmarks(canvas, landmarks, edges=palette.WHITE, line_width=width)
        if options.uncertainty == "size":
            _draw_sigma(canvas, tracked.face, landmarks, scale)
        if options.points:
            mark = (marks or {}).get(tracked.id, "")
            _draw_points(canvas, tracked.face, landmarks, scale, options, mark)
        if options.boxes:
            highlighted = chosen == tracked.id and len(faces) > 1
            _draw_box(canvas, tracked, landmarks, width, highlighted)
        if tracked.measures is not None and options.pose:
            draw_axes(canvas, landmarks, tracked.measures.pose, 1 + width)
        if tracked.measures is not None and options.eyes:
            draw_openness(canvas, landmarks, tracked.measures.openness)
    return canvas


def _on_canvas(face: Face, scale: float) -> np.ndarray:
    """The landmarks in canvas pixels, float64 (68, 2)."""
    return (np.asarray(face.landmarks, np.float64)[:, :2] + 0.5) * scale - 0.5


def _size(face: Face) -> float:
    """The face size in source pixels, never 0."""
    return max(float(face_size(face_box(face.landmarks))), 1e-6)


def _draw_points(
    canvas: np.ndarray,
    face: Face,
    landmarks: np.ndarray,
    scale: float,
    options: OverlayOptions,
    mark: str,
) -> None:
    size = _size(face)
    # Points of 1.2 % of the face: visible on small faces, out of the way on large ones.
    radius = float(np.clip(0.012 * size * scale, 1.0, 4.0))
    colors: Color | np.ndarray = palette.SURE[0]
    if options.uncertainty == "color":
        colors = uncertainty_colors(face.uncertainty / size)
    if mark:
        colors = MARKS[mark]
    hidden = None if face.visible is None else face.visible < 0.5
    draw_landmarks(canvas, landmarks, points=colors, radius=radius, hollow=hidden)


def _draw_sigma(
    canvas: np.ndarray, face: Face, landmarks: np.ndarray, scale: float
) -> None:
    """Draws translucent circles of one sigma; the face stays visible below them."""
    layer = canvas.copy()
    size = _size(face)
    colors = uncertainty_colors(face.uncertainty / size)
    # A circle of more than a third of the face carries no further information.
    sigma = np.clip(np.nan_to_num(face.uncertainty, nan=size), 0, size / 3)
    draw_disks(canvas, landmarks, np.maximum(sigma * scale, 1), colors)
    cv2.addWeighted(layer, 0.45, canvas, 0.55, 0, dst=canvas)


def _draw_box(
    canvas: np.ndarray,
    tracked: TrackedFace,
    landmarks: np.ndarray,
    line_width: int,
    highlighted: bool,
) -> None:
    """Draws the corners of the box in the person's colour, and the person's number."""
    x0, y0, x1, y1 = face_box(np.clip(np.nan_to_num(landmarks), -1e6, 1e6))
    margin = 0.06 * (x1 - x0)
    x0, y0, x1, y1 = (
        round(float(v)) for v in (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
    )
    color = palette.UNSURE if tracked.unsure else palette.person(tracked.id)
    if highlighted or tracked.unsure:
        line_width *= 2
    arm_x, arm_y = max(3, (x1 - x0) // 7), max(3, (y1 - y0) // 7)
    for x, dx in ((x0, arm_x), (x1, -arm_x)):
        for y, dy in ((y0, arm_y), (y1, -arm_y)):
            cv2.line(canvas, (x, y), (x + dx, y), color, line_width, cv2.LINE_AA)
            cv2.line(canvas, (x, y), (x, y + dy), color, line_width, cv2.LINE_AA)
    text = f"{tracked.id}  unsure" if tracked.unsure else str(tracked.id)
    put_text(canvas, text, (x0, y0 - 5), color)
