"""Where the lips, brows, beard and other regions are on a head model.

The regions are computed from the 68 landmarks and the parts, so that the same rules
paint every `HeadModel`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np

from ethos_data import topology
from ethos_data.heads.geometry import inside_polygon, smoothstep
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import EYE, FACE, HEAD, SOCKET


@dataclasses.dataclass(frozen=True, eq=False)
class Masks:
    """Soft regions of a head model with V vertices, and its eyeballs.

    The masks are float32 (V,) in [0, 1].

    Attributes:
      lips: Red of the lips.
      brow: Eyebrows. Hairs are drawn where the mask is high.
      beard: Skin on which a beard grows.
      scalp: Skin above the hairline.
      redness: Cheeks, tip of the nose, ears.
      shade: Darker skin: below the eyes and inside of the lids.
      lashes: Edge of the upper lids.
      eye_centers: Centres of the right and the left eyeball in the head frame, float32
        (2, 3), in cm.
      eye_radius: Radius of the eyeballs, in cm.
    """

    lips: np.ndarray
    brow: np.ndarray
    beard: np.ndarray
    scalp: np.ndarray
    redness: np.ndarray
    shade: np.ndarray
    lashes: np.ndarray
    eye_centers: np.ndarray
    eye_radius: float


@functools.lru_cache(maxsize=2)
def face_masks(model: HeadModel) -> Masks:
    """Computes the masks of a head model. The result is cached."""
    vertices = model.neutral.astype(np.float64)
    landmarks = model.neutral[model.landmarks68]
    is_skin = (model.parts == FACE) | (model.parts == HEAD)
    is_socket = model.parts == SOCKET
    in_front = is_skin & (vertices[:, 2] > landmarks[:17, 2].mean())
    # One centimetre of a mean face, whose outer eye corners are 9 cm apart.
    unit = float(np.linalg.norm(landmarks[45] - landmarks[36])) / 9.0
    lips = _lips(vertices, landmarks, unit) * in_front
    beard = _beard(vertices, landmarks, unit, in_front) * (1 - lips)
    eye_centers, eye_radius = _eyeballs(vertices, model.parts)

    def clipped(mask: np.ndarray) -> np.ndarray:
        return np.clip(mask, 0, 1).astype(np.float32)

    return Masks(
        lips=clipped(lips),
        brow=clipped(_brows(vertices, landmarks, unit) * in_front),
        beard=clipped(beard),
        scalp=clipped(_scalp(vertices, landmarks, unit) * is_skin),
        redness=clipped(_redness(vertices, landmarks, unit) * is_skin),
        shade=clipped(
            np.maximum(_below_eyes(vertices, landmarks, unit), is_socket * 0.8)
        ),
        lashes=clipped(_lashes(vertices, landmarks, unit) * (is_skin | is_socket)),
        eye_centers=eye_centers.astype(np.float32),
        eye_radius=eye_radius,
    )


def hairline_height(azimuth: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Returns the height of the hairline around the head.

    Args:
      azimuth: Angle around the head, (...,), in radians: 0 in front, +-pi behind.
      landmarks: Landmarks of the neutral head in the head frame, (68, 3), in cm.

    Returns:
      y in the head frame, (...,), in cm.
    """
    brow = landmarks[[19, 24], 1].mean()
    chin = landmarks[8, 1]
    ear = landmarks[[0, 16], 1].mean()
    forehead = brow + 0.36 * (brow - chin)
    angles = np.radians((0, 25, 48, 58, 66, 80, 100, 130, 180))
    heights = (
        forehead,
        forehead - 0.2,
        forehead - 1.8,
        brow,
        ear + 0.5,
        ear - 2.2,
        ear - 1.0,
        ear - 3.5,
        ear - 5.5,
    )
    return np.interp(np.abs(azimuth), angles, heights)


def _lips(vertices: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    outline = landmarks[list(topology.GROUPS["outer_lip"])][:, :2]
    return smoothstep(0.5 - _signed_distance(vertices[:, :2], outline) / (0.22 * unit))


def _brows(vertices: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    right = landmarks[list(topology.GROUPS["right_eyebrow"])]
    left = landmarks[list(topology.GROUPS["left_eyebrow"])]
    return np.maximum(
        _brow(vertices, right, unit, is_left=False),
        _brow(vertices, left, unit, is_left=True),
    )


def _brow(
    vertices: np.ndarray, line: np.ndarray, unit: float, *, is_left: bool
) -> np.ndarray:
    """One brow: thick in its inner two thirds, thinner towards its outer end."""
    outward = (vertices[:, 0] - line[:, 0].min()) / np.ptp(line[:, 0])
    outward = outward if is_left else 1 - outward
    width = unit * (0.72 - 0.38 * np.clip(outward, 0, 1) ** 2)
    # The distance is measured in front view. In space, the straight line between two
    # landmarks of a brow passes below the curved skin.
    return smoothstep(
        1.35 - _line_distance(vertices[:, :2], line[:, :2]) / width * 1.35
    )


def _beard(
    vertices: np.ndarray, landmarks: np.ndarray, unit: float, in_front: np.ndarray
) -> np.ndarray:
    x, y = np.abs(vertices[:, 0]), vertices[:, 1]
    mouth = landmarks[48:].mean(axis=0)
    nose_base, chin = landmarks[33], landmarks[8]
    beard = smoothstep((nose_base[1] - 0.1 * unit - y) / (0.5 * unit))
    sideburn = landmarks[3, 1] + 0.45 * x - 0.1 * unit
    cheek = np.hypot(x - 4.2 * unit, y - mouth[1] - 1.4 * unit)
    beard *= smoothstep(cheek / (2.4 * unit) - 0.35) * smoothstep(
        (sideburn + 3.2 - y) / 2
    )
    beard *= smoothstep((y - chin[1] + 3.5 * unit) / (2.0 * unit)) * in_front
    return beard


def _scalp(vertices: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    middle = landmarks[[0, 16]].mean(axis=0) - (0, 0, 3 * unit)
    azimuth = np.arctan2(vertices[:, 0], vertices[:, 2] - middle[2])
    height = hairline_height(azimuth, landmarks)
    return smoothstep(0.5 + (vertices[:, 1] - height) / (1.2 * unit))


def _redness(vertices: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    cheeks = sum(
        _spot(vertices, (landmarks[jaw] + landmarks[nose]) / 2, 1.5 * unit)
        for jaw, nose in ((2, 31), (14, 35))
    )
    redness = cheeks + 0.8 * _spot(vertices, landmarks[30], 0.9 * unit)
    is_ear = np.abs(vertices[:, 0]) > np.abs(landmarks[[1, 15], 0]).mean() * 1.05
    is_ear &= vertices[:, 1] > landmarks[8, 1] + 3
    return np.maximum(redness, 0.8 * is_ear)


def _below_eyes(vertices: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    right, left = (
        _spot(vertices, landmarks[lid].mean(axis=0) - (0, 0.7 * unit, 0), 0.9 * unit)
        for lid in ([40, 41], [46, 47])
    )
    return right + left


def _lashes(vertices: np.ndarray, landmarks: np.ndarray, unit: float) -> np.ndarray:
    right, left = (
        smoothstep(1.0 - _line_distance(vertices, landmarks[lid]) / (0.2 * unit))
        for lid in (slice(36, 40), slice(42, 46))
    )
    return np.maximum(right, left)


def _eyeballs(vertices: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, float]:
    """Centres (2, 3) of the right and the left eyeball, and their radius, in cm."""
    sides = [vertices[(parts == EYE) & (vertices[:, 0] * sign > 0)] for sign in (-1, 1)]
    centers = np.stack([side.mean(axis=0) for side in sides])
    radius = float(np.mean([np.ptp(side[:, 0]) for side in sides])) / 2
    # The mesh may lack the back of the eyeballs, so the front determines z.
    centers[:, 2] = [side[:, 2].max() - radius for side in sides]
    return centers, radius


def _spot(vertices: np.ndarray, center: np.ndarray, radius: float) -> np.ndarray:
    """A Gaussian (V,) around a point (3,)."""
    return np.exp(-0.5 * np.square(vertices - center).sum(axis=1) / radius**2)


def _line_distance(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Distances (V,) from points (V, D) to a polyline (N, D)."""
    nearest = np.full(len(points), np.inf)
    for start, stop in itertools.pairwise(line):
        along = stop - start
        t = np.clip((points - start) @ along / (along @ along), 0, 1)
        distance = np.linalg.norm(points - start - t[:, None] * along, axis=1)
        nearest = np.minimum(nearest, distance)
    return nearest


def _signed_distance(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Distances (V,) from points (V, 2) to a polygon (N, 2), negative inside."""
    closed = np.concatenate([polygon, polygon[:1]])
    sign = np.where(inside_polygon(points, polygon), -1, 1)
    return sign * _line_distance(points, closed)
