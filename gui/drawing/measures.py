"""Draws measures of a face over a frame: the axes of the head, the openness of eyes."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ethos_data.drawing import SHIFT
from ethos_data.topology import face_box, face_size
from ethos_model.footage.measures import HeadPose, Openness
from gui.drawing import palette
from gui.drawing.text import put_text, text_width

AXIS_LENGTH: Final = 0.55
"""Length of an axis that is parallel to the picture, in face sizes."""

_NOSE_TIP: Final = 30
"""Landmark in which the axes begin."""

_BAR_HEIGHT: Final = 0.3
_BAR_WIDTH: Final = 0.055
_BAR_GAP: Final = 0.035
"""Size of the bar of an eye and the space beside it, in face sizes."""


def draw_axes(
    canvas: np.ndarray, landmarks: np.ndarray, pose: HeadPose, line_width: int = 2
) -> None:
    """Draws the axes of a head at the tip of the nose, in place.

    The axes point to the right of the head as seen from the front, upwards, and
    forward. The forward axis ends in an arrow.

    Args:
      canvas: uint8 (H, W, 3) RGB.
      landmarks: (68, 2) or (68, 3), in canvas pixels.
      pose: Pose of the head.
      line_width: Width of the lines, in canvas pixels.
    """
    points = np.clip(np.nan_to_num(landmarks[:, :2]), -1e6, 1e6)
    start = points[_NOSE_TIP]
    length = AXIS_LENGTH * float(face_size(face_box(points)))
    # x to the right, y up, z to the camera; one row for each axis of the head.
    directions = pose.rotation.T
    for axis in np.argsort(directions[:, 2]):  # the nearest last
        end = start + length * directions[axis, :2] * (1, -1)
        tip = 0.18 if axis == 2 else 0.0
        for color, width in (
            (palette.SHADOW, line_width + 2),
            (palette.AXES[axis], line_width),
        ):
            cv2.arrowedLine(
                canvas,
                _fixed(start),
                _fixed(end),
                color,
                width,
                cv2.LINE_AA,
                SHIFT,
                tip,
            )


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """A point in 1/16 pixel, as OpenCV expects it."""
    x, y = np.round(point * 2**SHIFT).astype(int).tolist()
    return x, y


def draw_openness(
    canvas: np.ndarray, landmarks: np.ndarray, openness: Openness
) -> None:
    """Draws one bar for each eye beside the face, in place.

    A full bar is a wide open eye. The bars are in the order of the eyes in the picture:
    the person's right eye is at the left. A thin line shows the openness plus and minus
    one standard deviation.

    Args:
      canvas: uint8 (H, W, 3) RGB.
      landmarks: (68, 2) or (68, 3), in canvas pixels.
      openness: Openness of the eyes.
    """
    points = np.clip(np.nan_to_num(landmarks[:, :2]), -1e6, 1e6)
    box = face_box(points)
    size = float(face_size(box))
    height = max(16, round(_BAR_HEIGHT * size))
    width, gap = max(4, round(_BAR_WIDTH * size)), max(3, round(_BAR_GAP * size))
    letters = max(8, round(0.035 * size))
    total = max(2 * width + gap, text_width("eyes", letters))
    margin = round(0.06 * float(box[2] - box[0])) + 2 * gap  # beside the face box
    left = round(float(box[2])) + margin
    if left + total > canvas.shape[1]:
        left = round(float(box[0])) - margin - total
    top = round(float(box[1])) + letters + gap
    put_text(canvas, "eyes", (left, top - gap // 2 - 2), height=letters)
    for number, (value, sigma) in enumerate(
        (
            (openness.right_eye, openness.right_eye_sigma),
            (openness.left_eye, openness.left_eye_sigma),
        )
    ):
        x = left + number * (width + gap)
        _draw_bar(canvas, (x, top, width, height), value, sigma)


def _draw_bar(
    canvas: np.ndarray, place: tuple[int, int, int, int], value: float, sigma: float
) -> None:
    """Draws a bar whose filled part is `value`, from 0 to 1.

    Args:
      canvas: uint8 (H, W, 3) RGB.
      place: Left, top, width and height, in canvas pixels.
      value: The value.
      sigma: Standard deviation of the value.
    """
    x, top, width, height = place
    bottom = top + height

    def row(share: float) -> int:
        return bottom - round(height * float(np.clip(share, 0, 1)))

    cv2.rectangle(canvas, (x - 1, top - 1), (x + width, bottom), palette.SHADOW, -1)
    cv2.rectangle(
        canvas, (x, row(value)), (x + width - 1, bottom - 1), palette.SKY_BLUE, -1
    )
    cv2.rectangle(canvas, (x - 1, top - 1), (x + width, bottom), palette.WHITE, 1)
    middle = x + width // 2
    ends = (middle, row(value - sigma)), (middle, row(value + sigma))
    cv2.line(canvas, *ends, palette.WHITE, max(1, width // 6), cv2.LINE_AA)
