"""A person's colours and style: skin, lips, brows, eyes, hair, beard, clothes, glasses.

Colours are linear RGB albedo.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

_SKIN_TONES: Final = np.array(
    # sRGB in [0, 255], from fair to dark. These tables were chosen by eye.
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
    # From black over brown to blond, then grey and white.
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
    # From dark brown over green to blue.
    [(54, 34, 22), (82, 54, 32), (108, 86, 52), (92, 104, 84), (96, 122, 142)]
)

_HAIR_STYLES: Final = {
    # Style and its probability.
    "bald": 0.06,
    "shaved": 0.12,
    "short": 0.37,
    "medium": 0.2,
    "long": 0.25,
}
_GLASSES: Final = {"none": 0.83, "clear": 0.14, "dark": 0.03}


@dataclasses.dataclass(frozen=True)
class Look:
    """A person's colours and style. Colours are linear RGB albedo, float (3,).

    Attributes:
      skin: Mean colour of the skin.
      redness: Strength of red cheeks, nose and ears, in [0, 1].
      skin_variation: Strength of the fine variation of the skin's colour, in [0, 1].
      gloss: Strength of highlights on the skin, in [0, 1].
      lips: Colour of the lips.
      iris: Colour of the irises.
      brow: Colour of the brows.
      brow_density: Density of the brows, in [0, 1].
      hair: Colour of the hair.
      hair_style: "bald", "shaved", "short", "medium" or "long".
      hair_volume: Thickness of the hair at the crown, in cm.
      hairline: Distance of the hairline above its usual position, in cm.
      fringe: How far the hair hangs over the forehead, in cm.
      beard: Density of the beard: 0 for none, 0.3 for stubble, 1 for a full beard.
      lashes: How much the lashes darken the edge of the upper lid, in [0, 1].
      cloth: Colour of the clothes.
      collar: Depth of the neckline, in cm.
      glasses: "none", "clear" or "dark".
      rims: Colour of the glasses.
    """

    skin: np.ndarray
    redness: float
    skin_variation: float
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
    rims: np.ndarray


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """Converts sRGB values in [0, 255] to linear values in [0, 1] (IEC 61966-2-1)."""
    value = np.asarray(srgb, np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def sample_look(rng: np.random.Generator) -> Look:
    """Draws a random person's look."""
    darkness = rng.beta(1.1, 1.4)
    skin = _sample_tone(rng, _SKIN_TONES, darkness)
    # Dark skin rarely goes with blond hair and light eyes.
    hair_position = rng.uniform(0, 1.0) if darkness < 0.45 else rng.uniform(0, 0.3)
    hair = _sample_tone(rng, _HAIR_TONES, hair_position)
    iris = _sample_tone(rng, _IRIS_TONES, rng.uniform(0, 1) if darkness < 0.5 else 0.1)
    has_makeup = rng.random() < 0.2
    style = _sample_key(rng, _HAIR_STYLES)
    has_beard = rng.random() < 0.3 and style != "long" and not has_makeup
    lips = skin * (0.86, 0.55, 0.56) * rng.uniform(0.8, 1.05)
    if has_makeup:
        lips = lips * 0.5 + 0.5 * to_linear(np.array((rng.uniform(110, 175), 40, 55)))
    # The order of the arguments is the order of the random draws.
    return Look(
        skin=skin,
        redness=rng.uniform(0.1, 0.9),
        skin_variation=rng.uniform(0.2, 1.0),
        gloss=rng.uniform(0.1, 0.8) * (1 - 0.4 * darkness),
        lips=lips,
        iris=iris,
        brow=0.45 * np.minimum(hair, 0.2) + 0.4 * _sample_tone(rng, _HAIR_TONES, 0.25),
        brow_density=rng.uniform(0.45, 1.0),
        hair=hair,
        hair_style=style,
        hair_volume=rng.uniform(0.6, 1.4)
        if style == "short"
        else rng.uniform(1.0, 2.6),
        hairline=max(0.0, rng.normal(0.3, 0.8)),
        fringe=rng.uniform(0.5, 4.0) if rng.random() < 0.3 else 0.0,
        beard=float(rng.choice([0.25, 0.45, 0.8])) if has_beard else 0.0,
        lashes=rng.uniform(0.8, 1.0) if has_makeup else rng.uniform(0.4, 0.8),
        cloth=to_linear(rng.uniform(15, 235) * rng.dirichlet((14, 14, 14)) * 3 * 0.9),
        collar=rng.uniform(0.0, 3.0),
        glasses=_sample_key(rng, _GLASSES),
        rims=to_linear(rng.choice([18, 30, 60, 120]) * rng.uniform(0.5, 1, 3)),
    )


def _sample_tone(
    rng: np.random.Generator, tones: np.ndarray, position: float
) -> np.ndarray:
    """Interpolates in a table of colours and adds a small random deviation.

    Args:
      rng: Source of randomness.
      tones: Colours, (N, 3), sRGB in [0, 255].
      position: Position in the table, from 0 for the first to 1 for the last colour.

    Returns:
      Linear RGB, float64 (3,).
    """
    index = np.clip(position, 0, 1) * (len(tones) - 1)
    k = min(int(index), len(tones) - 2)
    tone = tones[k] + (tones[k + 1] - tones[k]) * (index - k)
    return to_linear(
        np.clip(tone * rng.normal(1, 0.03) * rng.normal(1, 0.006, 3), 3, 252)
    )


def _sample_key(rng: np.random.Generator, probabilities: dict[str, float]) -> str:
    return str(rng.choice(list(probabilities), p=list(probabilities.values())))
