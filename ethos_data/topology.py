"""The 68 facial landmarks of iBUG 300-W (Sagonas et al., 2013): names and symmetry.

"Right" and "left" are the person's own sides: the right eye is on the left of the image
of a person who looks into the camera.
"""

from __future__ import annotations

from typing import Final

import numpy as np

NUM_LANDMARKS: Final = 68

GROUPS: Final[dict[str, range]] = {
    "jaw": range(0, 17),  # from the right ear over the chin (8) to the left ear
    "right_eyebrow": range(17, 22),
    "left_eyebrow": range(22, 27),
    "nose_bridge": range(27, 31),
    "nose_base": range(31, 36),
    "right_eye": range(36, 42),  # 36 is the outer corner, 39 the inner corner
    "left_eye": range(42, 48),  # 42 is the inner corner, 45 the outer corner
    "outer_lip": range(48, 60),
    "inner_lip": range(60, 68),
}
"""Name of each part of the face and the indices of its landmarks."""

CLOSED_GROUPS: Final = frozenset({"right_eye", "left_eye", "outer_lip", "inner_lip"})
"""The groups whose last landmark is connected to the first."""

EYES: Final = np.arange(36, 48)
"""Indices of the twelve eye landmarks. The mean of their z is the origin of z."""

OUTER_EYE_CORNERS: Final = (36, 45)
"""Indices of the two landmarks whose distance is the unit of NME_iod."""


def _edges() -> tuple[tuple[int, int], ...]:
    edges = []
    for name, group in GROUPS.items():
        edges += [(i, i + 1) for i in group[:-1]]
        if name in CLOSED_GROUPS:
            edges.append((group[-1], group[0]))
    return tuple(edges)


EDGES: Final = _edges()
"""Pairs of landmarks that a drawing connects by a line."""


def _mirror() -> np.ndarray:
    # In each pair, the k-th landmark of one range mirrors the k-th of the other.
    symmetric = (
        (range(0, 9), range(16, 7, -1)),
        (range(17, 22), range(26, 21, -1)),
        (range(27, 31), range(27, 31)),
        (range(31, 34), range(35, 32, -1)),
        (range(36, 42), (45, 44, 43, 42, 47, 46)),
        (range(48, 52), range(54, 50, -1)),
        (range(55, 58), (59, 58, 57)),
        (range(60, 63), range(64, 61, -1)),
        (range(65, 67), (67, 66)),
    )
    permutation = np.full(NUM_LANDMARKS, -1)
    for right, left in symmetric:
        permutation[list(right)] = list(left)
        permutation[list(left)] = list(right)
    return permutation


MIRROR: Final = _mirror()
"""int (68,), index of the landmark on the other side of the face. After x has been
reflected, the landmarks of the mirrored face are ``landmarks[MIRROR]``."""


def face_box(landmarks: np.ndarray) -> np.ndarray:
    """Returns the tight box of the 68 landmarks, called the face box in this project.

    Args:
      landmarks: (..., 68, 2) or (..., 68, 3), x and y first, in any frame of reference.

    Returns:
      (..., 4), x0, y0, x1, y1 in the frame of reference of the landmarks.
    """
    xy = landmarks[..., :2]
    return np.concatenate([xy.min(axis=-2), xy.max(axis=-2)], axis=-1)


def face_size(box: np.ndarray) -> np.ndarray:
    """Returns ``sqrt(width * height)`` of boxes, which is the unit of NME_box.

    Args:
      box: (..., 4), x0, y0, x1, y1.

    Returns:
      (...), in the unit of the boxes.
    """
    extent = box[..., 2:] - box[..., :2]
    return np.sqrt(extent[..., 0] * extent[..., 1])


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of pairs of boxes.

    Example:
      overlaps = iou(detections, face)    # (N, 4) and (4,): overlaps has shape (N,)

    Args:
      boxes: (..., 4): x0, y0, x1, y1 in any frame of reference.
      others: (..., 4), same frame of reference. The leading axes are broadcast.

    Returns:
      (...), from 0 for disjoint boxes to 1 for equal boxes. 0 if both boxes are empty.
    """
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., 2:], others[..., 2:])
    intersection = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (boxes, others)]
    union = areas[0] + areas[1] - intersection
    return np.where(union > 0, intersection / np.where(union > 0, union, 1), 0.0)
