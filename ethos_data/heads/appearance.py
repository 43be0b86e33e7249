"""How a person looks: skin, lips, brows, eyes, hair and clothes, as numbers and masks.

Albedo is linear RGB. Masks are worked out from the 68 landmarks and the parts of any
`HeadModel`, so that one set of rules paints them all.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Final

import numpy as np

from ethos_data import topology
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import EYE, FACE, HEAD, SOCKET

HAIR: Final = 6
CLOTH: Final = 7
GLASSES: Final = 8
"""Parts of a figure beyond those of `ethos_data.heads.model`."""

_SKIN_TONES: Final = np.array(
    # sRGB 0..255, from fair to dark.
    [
        (243, 209, 190),
        (236, 196, 172),
        (223, 182, 156),
        (204, 160, 132),
        (178, 134, 106),
        (146, 104, 82),
        (116, 78, 58),
        (82, 56, 44),
    ]
)
_HAIR_TONES: Final = np.array(
    [
        (22, 18, 17),
        (38, 27, 22),
        (62, 42, 30),
        (96, 64, 42),
        (134, 92, 54),
        (184, 142, 90),
        (150, 146, 142),
        (206, 204, 200),
    ]
)
_IRIS_TONES: Final = np.array(
    [(54, 34, 22), (82, 54, 32), (108, 86, 52), (92, 104, 84), (96, 122, 142)]
)


@dataclasses.dataclass(frozen=True)
class Look:
    """A person's colours and style. Colours are linear RGB albedo, float (3,).

    Attributes:
      skin: the mean skin.
      ruddy: strength of red cheeks, nose and ears, 0..1.
      mottle: strength of the skin's fine variation, 0..1.
      gloss: how much the skin shines, 0..1.
      lips: of the lips.
      iris: of the iris.
      brow: of the brows.
      brow_density: 0..1.
      hair: of the hair.
      hair_style: "bald", "shaved", "short", "medium" or "long".
      hair_volume: thickness of the hair at the crown, cm.
      hairline: how far the hair line lies above its usual place, cm.
      fringe: how far it comes down over the forehead, cm.
      beard: 0 none, 0.3 stubble, 1 full.
      lashes: how dark the lashes make the edge of the upper lid, 0..1.
      cloth: of the clothes.
      collar: depth of the neckline, cm.
      glasses: "none", "clear" or "dark".
      frames: of the glasses.
    """

    skin: np.ndarray
    ruddy: float
    mottle: float
    gloss: float
    lips: np.ndarray
    iris: np.ndarray
    brow: np.ndarray
    brow_density: float
    hair: np.ndarray
    hair_style: str
    hair_volume: float
    hairline: float
    fringe: float
    beard: float
    lashes: float
    cloth: np.ndarray
    collar: float
    glasses: str
    frames: np.ndarray


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB 0..255 to linear 0..1 (IEC 61966-2-1)."""
    value = np.asarray(srgb, np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _between(rng: np.random.Generator, tones: np.ndarray, at: float) -> np.ndarray:
    """A tone at position `at` (0 first, 1 last) of a table, slightly off."""
    place = np.clip(at, 0, 1) * (len(tones) - 1)
    k = min(int(place), len(tones) - 2)
    tone = tones[k] + (tones[k + 1] - tones[k]) * (place - k)
    return to_linear(
        np.clip(tone * rng.normal(1, 0.03) * rng.normal(1, 0.006, 3), 3, 252)
    )


def sample_look(rng: np.random.Generator) -> Look:
    """A random person's look."""
    depth = rng.beta(1.1, 1.4)
    skin = _between(rng, _SKIN_TONES, depth)
    # Dark skin rarely comes with fair hair and light eyes.
    hair_at = rng.uniform(0, 1.0) if depth < 0.45 else rng.uniform(0, 0.3)
    hair = _between(rng, _HAIR_TONES, hair_at)
    iris = _between(rng, _IRIS_TONES, rng.uniform(0, 1) if depth < 0.5 else 0.1)
    made_up = rng.random() < 0.2
    style = str(
        rng.choice(
            ["bald", "shaved", "short", "medium", "long"],
            p=[0.06, 0.12, 0.37, 0.2, 0.25],
        )
    )
    bearded = rng.random() < 0.3 and style != "long" and not made_up
    lips = skin * (0.86, 0.55, 0.56) * rng.uniform(0.8, 1.05)
    if made_up:
        lips = lips * 0.5 + 0.5 * to_linear(np.array((rng.uniform(110, 175), 40, 55)))
    return Look(
        skin=skin,
        ruddy=rng.uniform(0.1, 0.9),
        mottle=rng.uniform(0.2, 1.0),
        gloss=rng.uniform(0.1, 0.8) * (1 - 0.4 * depth),
        lips=lips,
        iris=iris,
        brow=0.45 * np.minimum(hair, 0.2) + 0.4 * _between(rng, _HAIR_TONES, 0.25),
        brow_density=rng.uniform(0.45, 1.0),
        hair=hair,
        hair_style=style,
        hair_volume=rng.uniform(0.6, 1.4)
        if style == "short"
        else rng.uniform(1.0, 2.6),
        hairline=max(0.0, rng.normal(0.3, 0.8)),
        fringe=rng.uniform(0.5, 4.0) if rng.random() < 0.3 else 0.0,
        beard=float(rng.choice([0.25, 0.45, 0.8])) if bearded else 0.0,
        lashes=rng.uniform(0.8, 1.0) if made_up else rng.uniform(0.4, 0.8),
        cloth=to_linear(rng.uniform(15, 235) * rng.dirichlet((14, 14, 14)) * 3 * 0.9),
        collar=rng.uniform(0.0, 3.0),
        glasses=str(rng.choice(["none", "clear", "dark"], p=[0.83, 0.14, 0.03])),
        frames=to_linear(rng.choice([18, 30, 60, 120]) * rng.uniform(0.5, 1, 3)),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Masks:
    """Soft masks of a head model's vertices, float32 (V,) in 0..1, and its eyes.

    Attributes:
      lips: the red of the lips.
      brow: the eyebrows; thin hairs are drawn where it is high.
      beard: where a beard grows.
      scalp: 1 above the hair line.
      ruddy: cheeks, tip of the nose, ears.
      shade: skin that is darker: under the eyes, lids.
      lashes: the edge of the upper lids.
      eye_centers: float32 (2, 3), of the right and the left eyeball, cm.
      eye_radius: of the eyeballs, cm.
    """

    lips: np.ndarray
    brow: np.ndarray
    beard: np.ndarray
    scalp: np.ndarray
    ruddy: np.ndarray
    shade: np.ndarray
    lashes: np.ndarray
    eye_centers: np.ndarray
    eye_radius: float


def masks_of(model: HeadModel) -> Masks:
    """Finds lips, brows and so on of a head model."""
    v, marks = model.neutral.astype(np.float64), model.neutral[model.landmarks68]
    skin = (model.parts == FACE) | (model.parts == HEAD)
    in_front = skin & (v[:, 2] > marks[:17, 2].mean())
    unit = float(np.linalg.norm(marks[45] - marks[36])) / 9.0  # 1 cm of a mean face

    def near(points: np.ndarray, width: float) -> np.ndarray:
        return _soft(1.0 - _to_line(v, points) / (width * unit))

    outline = marks[list(topology.GROUPS["outer_lip"])][:, :2]
    lips = _soft(0.5 - _signed_distance(v[:, :2], outline) / (0.22 * unit)) * in_front
    brow = np.maximum(
        *(
            _brow(v, marks[list(topology.GROUPS[f"{side}_eyebrow"])], unit, sign)
            for side, sign in (("right", -1), ("left", 1))
        )
    )
    eye = model.parts == EYE
    sides = [eye & (v[:, 0] * sign > 0) for sign in (-1, 1)]
    width = [np.ptp(v[side, 0]) for side in sides]
    centers = np.stack([v[s].mean(axis=0) for s in sides])
    radius = float(np.mean(width)) / 2
    centers[:, 2] = [v[s, 2].max() - radius for s in sides]

    mouth = marks[48:].mean(axis=0)
    nose_base, chin = marks[33], marks[8]
    beard = _soft((nose_base[1] - 0.1 * unit - v[:, 1]) / (0.5 * unit))
    side_burn = marks[3, 1] + 0.45 * np.abs(v[:, 0]) - 0.1 * unit
    cheek = np.hypot(np.abs(v[:, 0]) - 4.2 * unit, v[:, 1] - mouth[1] - 1.4 * unit)
    beard *= _soft(cheek / (2.4 * unit) - 0.35) * _soft((side_burn + 3.2 - v[:, 1]) / 2)
    beard *= _soft((v[:, 1] - chin[1] + 3.5 * unit) / (2.0 * unit)) * in_front

    def spot(point: np.ndarray, size: float) -> np.ndarray:
        return np.exp(-0.5 * np.square(v - point).sum(axis=1) / (size * unit) ** 2)

    ruddy = sum(
        spot((marks[a] + marks[b]) / 2, 1.5) for a, b in ((2, 31), (14, 35))
    ) + 0.8 * spot(marks[30], 0.9)
    ears = np.abs(v[:, 0]) > np.abs(marks[[1, 15], 0]).mean() * 1.05
    ruddy = np.maximum(ruddy, 0.8 * (ears & (v[:, 1] > chin[1] + 3)))
    shade = sum(
        spot(marks[e].mean(axis=0) - (0, 0.7 * unit, 0), 0.9)
        for e in ([40, 41], [46, 47])
    )
    shade = np.maximum(shade, (model.parts == SOCKET) * 0.8)
    lashes = np.maximum(near(marks[36:40], 0.2), near(marks[42:46], 0.2))

    def clipped(mask: np.ndarray) -> np.ndarray:
        return np.clip(mask, 0, 1).astype(np.float32)

    return Masks(
        lips=clipped(lips),
        brow=clipped(brow * in_front),
        beard=clipped(beard * (1 - lips)),
        scalp=clipped(_scalp(v, marks, unit) * skin),
        ruddy=clipped(ruddy * skin),
        shade=clipped(shade),
        lashes=clipped(lashes * (skin | (model.parts == SOCKET))),
        eye_centers=centers.astype(np.float32),
        eye_radius=radius,
    )


def hairline(azimuth: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Height of the hair line, cm, over the azimuth around the head.

    Args:
      azimuth: (...,), 0 in front, +-pi behind, rad.
      marks: (68, 3), landmarks of the neutral head, cm.
    """
    brow, chin, ear = marks[[19, 24], 1].mean(), marks[8, 1], marks[[0, 16], 1].mean()
    front = brow + 0.36 * (brow - chin)
    turn = np.abs(azimuth)
    knots = np.radians((0, 25, 48, 58, 66, 80, 100, 130, 180))
    heights = (
        front,
        front - 0.2,
        front - 1.8,
        brow,
        ear + 0.5,
        ear - 2.2,
        ear - 1.0,
        ear - 3.5,
        ear - 5.5,
    )
    return np.interp(turn, knots, heights)


def _scalp(v: np.ndarray, marks: np.ndarray, unit: float) -> np.ndarray:
    middle = marks[[0, 16]].mean(axis=0) - (0, 0, 3 * unit)
    azimuth = np.arctan2(v[:, 0], v[:, 2] - middle[2])
    return _soft(0.5 + (v[:, 1] - hairline(azimuth, marks)) / (1.2 * unit))


def _brow(v: np.ndarray, line: np.ndarray, unit: float, side: int) -> np.ndarray:
    """A brow: thick in its inner two thirds, tapering outwards."""
    outward = (v[:, 0] - line[:, 0].min()) / np.ptp(line[:, 0])
    outward = outward if side > 0 else 1 - outward
    width = unit * (0.72 - 0.38 * np.clip(outward, 0, 1) ** 2)
    # In front view: a straight line between two points of a bent brow passes below it.
    return _soft(1.35 - _to_line(v[:, :2], line[:, :2]) / width * 1.35)


def _soft(value: np.ndarray) -> np.ndarray:
    t = np.clip(value, 0, 1)
    return t * t * (3 - 2 * t)


def _to_line(v: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Distance (V,) from points (V, D) to a polyline (N, D)."""
    nearest = np.full(len(v), np.inf)
    for a, b in itertools.pairwise(line):
        t = np.clip((v - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        distance = np.linalg.norm(v - a - t[:, None] * (b - a), axis=1)
        nearest = np.minimum(nearest, distance)
    return nearest


def _signed_distance(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Distance (N,) to a polygon (M, 2), negative inside."""
    closed = np.concatenate([polygon, polygon[:1]])
    x, y = points[:, None, 0], points[:, None, 1]
    (x0, y0), (x1, y1) = closed[:-1].T, closed[1:].T
    with np.errstate(divide="ignore", invalid="ignore"):
        crosses = ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    inside = crosses.sum(axis=1) % 2 == 1
    return np.where(inside, -1, 1) * _to_line(points, closed)
