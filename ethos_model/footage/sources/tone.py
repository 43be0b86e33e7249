"""Converts HDR video (PQ and HLG) to 8-bit SDR.

The steps, all per pixel:

1. The signal is converted to luminance in cd/m2. PQ: EOTF of ITU-R BT.2100, table 4.
   HLG: inverse OETF and OOTF of table 5 for a display of 1000 cd/m2 (system gamma 1.2).
2. BT.2020 primaries are converted to BT.709 (ITU-R BT.2087, inverse of its matrix M2).
   Colours outside of BT.709 are clipped.
3. The luminance range of 0 to 1000 cd/m2 is mapped to 0 to 203 cd/m2, the level of
   reference white (ITU-R BT.2408), with the curve of ITU-R BT.2390, section 5.4.1. The
   curve changes nothing below 88 cd/m2, so dark scenes keep all their detail.
4. The result is encoded with the inverse EOTF of ITU-R BT.1886 (gamma 2.4) for a black
   level of zero.
"""

from __future__ import annotations

import functools
from typing import Final

import cv2
import numpy as np

PQ: Final = 16
HLG: Final = 18
"""Transfer characteristics (ITU-T H.273, table 3) that mark HDR video."""

PEAK: Final = 1000.0
"""Luminance above which highlights are clipped, in cd/m2."""

WHITE: Final = 203.0
"""Luminance that becomes 255, in cd/m2 (ITU-R BT.2408)."""

_SIGNAL_BITS: Final = 12
"""Precision of the table from signal to luminance. Broadcast HDR has 10 bits."""

_LIGHT_STEPS: Final = 8192
"""Entries of the table from luminance to output. The table is indexed by the fourth
root of the luminance, which makes each entry smaller than half an output level."""

BT2020_TO_BT709: Final = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ]
)
"""Linear RGB with BT.2020 primaries to linear RGB with BT.709 primaries."""


def pq_to_luminance(signal: np.ndarray) -> np.ndarray:
    """PQ signal in [0, 1] to luminance in cd/m2 (ITU-R BT.2100, table 4)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = np.asarray(signal, np.float64) ** (1 / m2)
    ratio = np.maximum(power - c1, 0) / (c2 - c3 * power)
    return 10000 * ratio ** (1 / m1)


def luminance_to_pq(luminance: np.ndarray) -> np.ndarray:
    """Inverse of `pq_to_luminance`."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = (np.asarray(luminance, np.float64) / 10000) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def hlg_to_scene_light(signal: np.ndarray) -> np.ndarray:
    """HLG signal in [0, 1] to relative scene light in [0, 1] (BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.asarray(signal, np.float64)
    low = signal**2 / 3
    high = (np.exp((signal - c) / a) + b) / 12
    return np.where(signal <= 0.5, low, high)


def tone_curve(luminance: np.ndarray) -> np.ndarray:
    """Maps 0 to `PEAK` cd/m2 to 0 to `WHITE` cd/m2 (ITU-R BT.2390, section 5.4.1)."""
    source_peak = luminance_to_pq(np.array(PEAK))
    target_peak = luminance_to_pq(np.array(WHITE)) / source_peak
    signal = np.minimum(luminance_to_pq(luminance) / source_peak, 1.0)
    knee = 1.5 * target_peak - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * target_peak
    )
    return pq_to_luminance(np.where(signal < knee, signal, spline) * source_peak)


def encode(luminance: np.ndarray) -> np.ndarray:
    """Luminance on the SDR display in cd/m2 to an output level in [0, 255]."""
    return 255 * np.clip(luminance / WHITE, 0, 1) ** (1 / 2.4)


@functools.cache
def _light_table(transfer: int) -> np.ndarray:
    """float32 (4096,): relative light of each signal level, where 1 is `PEAK`."""
    signal = np.linspace(0, 1, 2**_SIGNAL_BITS)
    if transfer == PQ:
        light = pq_to_luminance(signal) / PEAK
    else:
        light = hlg_to_scene_light(signal)
    return light.astype(np.float32)


@functools.cache
def _output_table() -> np.ndarray:
    """uint8 (8193,): output level by the fourth root of the relative light."""
    light = np.linspace(0, 1, _LIGHT_STEPS + 1) ** 4
    return np.rint(encode(tone_curve(light * PEAK))).astype(np.uint8)


def to_sdr(signal: np.ndarray, transfer: int) -> np.ndarray:
    """Converts one HDR image.

    Args:
      signal: uint16 (H, W, 3) RGB with BT.2020 primaries, full range (65535 is the
        signal level 1).
      transfer: `PQ` or `HLG`.

    Returns:
      uint8 (H, W, 3) RGB with BT.709 primaries.
    """
    light = _light_table(transfer)[signal >> (16 - _SIGNAL_BITS)]
    if transfer == HLG:
        # The OOTF scales each pixel by its own luminance to the power of 0.2.
        luminance = cv2.transform(light, np.array([[0.2627, 0.6780, 0.0593]]))
        light *= np.power(luminance, np.float32(0.2))[..., None]
    light = cv2.transform(light, BT2020_TO_BT709.astype(np.float32))
    root = np.sqrt(np.sqrt(np.clip(light, 0, 1, out=light), out=light), out=light)
    return _output_table()[np.rint(root * _LIGHT_STEPS).astype(np.uint16)]
