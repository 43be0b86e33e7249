"""Draws tracked faces into a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from ethos_data.topology import EDGES, face_box, face_size
from ethos_model.footage.tracker import TrackedFace
from ethos_model.predict import Face

SHIFT: Final = 4
"""Fractional bits of the coordinates given to OpenCV: points move by 1/16 pixel."""

SURE_SIGMA: Final = 0.02
"""One sigma over face size that is drawn in the colour of certainty. About what a
trained network says of a clean face."""
UNSURE_SIGMA: Final = 0.08
"""The same, that is drawn in the colour of doubt: the points are then off by more than
the threshold of a failure, 8 % of the face size."""

EDGE_COLOR: Final = (235, 240, 245)
CHOSEN_COLOR: Final = (90, 200, 250)
UNSURE_COLOR: Final = (255, 170, 60)
REFERENCE_COLOR: Final = (90, 160, 255)


DRAWN: Final = ("points", "edges", "boxes")
"""What can be drawn or left out, by the names of OverlayOptions."""


@dataclasses.dataclass(frozen=True)
class OverlayOptions:
    """What is drawn.

    Attributes:
      points: the 68 points.
      edges: lines that join them.
      uncertainty: "color" (green sure, red not), "size" (circles of one sigma), "none".
      boxes: the face box with its number and state.
    """

    points: bool = True
    edges: bool = True
    uncertainty: str = "color"
    boxes: bool = True


def uncertainty_colors(relative: np.ndarray) -> np.ndarray:
    """Green for sure through yellow to red for unsure.

    Args:
      relative: (N,) one sigma over face size.

    Returns:
      uint8 (N, 3) RGB.
    """
    span = np.log(UNSURE_SIGMA / SURE_SIGMA)
    relative = np.maximum(np.nan_to_num(relative, nan=1.0), 1e-9)
    doubt = np.clip(np.log(relative / SURE_SIGMA) / span, 0, 1)
    hue = np.round(75 * (1 - doubt))  # OpenCV's hue: 0 red, 30 yellow, 60 green
    hsv = np.stack([hue, np.full_like(hue, 200), np.full_like(hue, 250)], axis=-1)
    return cv2.cvtColor(hsv[None].astype(np.uint8), cv2.COLOR_HSV2RGB)[0]


def enlarged(image: np.ndarray, scale: float) -> np.ndarray:
    """The picture at another size, for drawing on; always a copy."""
    if scale == 1:
        return image.copy()
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method)


def draw_faces(
    canvas: np.ndarray,
    faces: Sequence[TrackedFace],
    options: OverlayOptions,
    *,
    scale: float = 1.0,
    chosen: int | None = None,
    reference: Sequence[TrackedFace] = (),
) -> np.ndarray:
    """Draws faces in place.

    Args:
      canvas: uint8 (H, W, 3) RGB, the frame `scale` times as large.
      faces: in source pixels of the frame.
      options: what to draw.
      scale: canvas pixels per source pixel.
      chosen: id of the face that the panels show; its box is marked.
      reference: faces to compare with, drawn as thin blue lines beneath.

    Returns:
      The canvas.
    """
    line = max(1, round(min(canvas.shape[:2]) / 420))
    for tracked in reference:
        _draw_edges(canvas, tracked.face, scale, REFERENCE_COLOR, line)
    for tracked in faces:
        face = tracked.face
        if options.edges:
            _draw_edges(canvas, face, scale, EDGE_COLOR, line)
        if options.uncertainty == "size":
            _draw_sigma(canvas, face, scale)
        if options.points:
            _draw_points(canvas, face, scale, options)
        if options.boxes:
            marked = chosen == tracked.id and len(faces) > 1
            _draw_box(canvas, tracked, scale, line, marked)
    return canvas


def _fixed(points: np.ndarray, scale: float) -> np.ndarray:
    """Source pixels to the canvas' fixed-point coordinates, int32 (N, 2)."""
    xy = (np.asarray(points, np.float64)[:, :2] + 0.5) * scale - 0.5
    # A face that ran away must not overflow OpenCV's integers.
    limit = 2.0**26
    return np.round(np.clip(xy * 2**SHIFT, -limit, limit)).astype(np.int32)


def _draw_edges(
    canvas: np.ndarray,
    face: Face,
    scale: float,
    color: tuple[int, int, int],
    line: int,
) -> None:
    points = _fixed(face.landmarks, scale)
    segments = [points[list(edge)].reshape(-1, 1, 2) for edge in EDGES]
    cv2.polylines(canvas, segments, False, color, line, cv2.LINE_AA, SHIFT)


def _radius(face: Face, scale: float) -> float:
    """Of a point, canvas pixels: 1 % of the face, between 1 and 4."""
    return float(np.clip(0.012 * face_size(face_box(face.landmarks)) * scale, 1.0, 4.0))


def _draw_points(
    canvas: np.ndarray, face: Face, scale: float, options: OverlayOptions
) -> None:
    radius = round(_radius(face, scale) * 2**SHIFT)
    if options.uncertainty == "color":
        size = max(float(face_size(face_box(face.landmarks))), 1e-6)
        colors = uncertainty_colors(face.uncertainty / size)
    else:
        colors = np.full((len(face.landmarks), 3), CHOSEN_COLOR, np.uint8)
    for point, color in zip(_fixed(face.landmarks, scale), colors, strict=True):
        cv2.circle(canvas, point, radius, color.tolist(), -1, cv2.LINE_AA, SHIFT)


def _draw_sigma(canvas: np.ndarray, face: Face, scale: float) -> None:
    """Circles of one sigma, translucent so that the face stays visible."""
    veil = canvas.copy()
    size = max(float(face_size(face_box(face.landmarks))), 1e-6)
    colors = uncertainty_colors(face.uncertainty / size)
    # Beyond a third of the face a circle says no more than "anywhere".
    sigma = np.clip(np.nan_to_num(face.uncertainty, nan=size), 0, size / 3)
    radii = np.maximum(sigma * scale, 1) * 2**SHIFT
    for point, color, radius in zip(
        _fixed(face.landmarks, scale), colors, radii, strict=True
    ):
        cv2.circle(canvas, point, round(radius), color.tolist(), -1, cv2.LINE_AA, SHIFT)
    cv2.addWeighted(veil, 0.45, canvas, 0.55, 0, dst=canvas)


def _draw_box(
    canvas: np.ndarray, tracked: TrackedFace, scale: float, line: int, marked: bool
) -> None:
    """Corners of the box, and the face's number with "unsure" where it is."""
    x0, y0, x1, y1 = face_box(_fixed(tracked.face.landmarks, scale) / 2**SHIFT)
    margin = 0.06 * (x1 - x0)
    x0, y0, x1, y1 = (
        round(float(v)) for v in (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
    )
    color = UNSURE_COLOR if tracked.unsure else CHOSEN_COLOR if marked else EDGE_COLOR
    arm_x, arm_y = max(3, (x1 - x0) // 7), max(3, (y1 - y0) // 7)
    width = 2 * line if marked or tracked.unsure else line
    for x, dx in ((x0, arm_x), (x1, -arm_x)):
        for y, dy in ((y0, arm_y), (y1, -arm_y)):
            cv2.line(canvas, (x, y), (x + dx, y), color, width, cv2.LINE_AA)
            cv2.line(canvas, (x, y), (x, y + dy), color, width, cv2.LINE_AA)
    text = f"{tracked.id}  unsure" if tracked.unsure else str(tracked.id)
    put_text(canvas, text, (x0, y0 - 5), color)


def put_text(
    canvas: np.ndarray,
    text: str,
    origin: tuple[int, int],
    color: tuple[int, int, int] = EDGE_COLOR,
    *,
    height: int | None = None,
) -> None:
    """Text with a dark rim, legible on any picture; kept inside of the canvas.

    Args:
      canvas: uint8 (H, W, 3) RGB, drawn on in place.
      text: ASCII.
      origin: x, y of the lower left corner, canvas pixels.
      color: RGB.
      height: of a capital, pixels; None = a fortieth of the canvas.
    """
    height = height or max(9, round(min(canvas.shape[:2]) / 40))
    font, size = cv2.FONT_HERSHEY_SIMPLEX, height / 22
    line = max(1, round(height / 11))
    (width, _), below = cv2.getTextSize(text, font, size, line)
    x = int(np.clip(origin[0], 2, max(2, canvas.shape[1] - width - 2)))
    y = int(np.clip(origin[1], height + 2, max(height + 2, canvas.shape[0] - below)))
    cv2.putText(canvas, text, (x, y), font, size, (20, 22, 26), line + 2, cv2.LINE_AA)
    cv2.putText(canvas, text, (x, y), font, size, color, line, cv2.LINE_AA)
