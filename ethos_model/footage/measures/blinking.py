"""Finds blinks in the openness of an eye over time."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

LEVEL_SECONDS: Final = 5.0
"""Length of the time window from which the open level of an eye is computed, in s."""

LEVEL_PERCENTILE: Final = 75.0
"""Percentile of the openness in the window that counts as the open level. Eyes are
closed for a few percent of the time, and an open eye varies by a few percent."""

LEAST_DROP: Final = 0.2
"""Smallest share of the open level by which the eye must close. The landmarks of the
shipped network follow the lids only partly: on rendered heads a complete blink reduces
the measured openness by 0.2 to 0.4 of the open level."""

NOISE_FACTOR: Final = 4.0
"""Smallest drop in standard deviations of the difference between two frames."""

MAX_SECONDS: Final = 0.6
"""Maximum duration of a blink between the times at which the eye is half closed, in s.
Blinks of alert people last 0.1 to 0.4 s in all (Schiffman, "Sensation and Perception",
2001). A longer drop is a look down, a smile or sleep."""


@dataclasses.dataclass(frozen=True)
class Blink:
    """A short closure of an eye.

    Attributes:
      start: Time at which the eye is half closed before the blink, in s. Half is meant
        relative to the depth of this blink.
      end: Time at which the eye is half closed after the blink, in s.
      depth: Drop of the openness as a share of the open level, from 0 to 1. 1 is a
        complete closure with exact landmarks.
    """

    start: float
    end: float
    depth: float


def blinks(
    timestamps: np.ndarray,
    openness: np.ndarray,
    sigma: np.ndarray,
    *,
    least_drop: float = LEAST_DROP,
    max_seconds: float = MAX_SECONDS,
) -> list[Blink]:
    """Finds blinks relative to the open level of the same eye.

    A blink is a peak of the drop. Within `max_seconds` before and after the peak, the
    eye must be more open by `least_drop` of its open level and by four standard
    deviations of the noise. A slow change of the openness is therefore not a blink. The
    noise is measured from frame to frame, and is larger in frames with a larger sigma.

    Example:
      eyes = [(m.openness.right_eye + m.openness.left_eye) / 2 for m in measures]
      sigmas = [m.openness.right_eye_sigma for m in measures]
      for blink in blinks(timestamps, eyes, sigmas):
          print(blink.start, blink.end)

    Args:
      timestamps: (T,), increasing, in s. At least 20 frames per second are needed,
        because a blink is only 0.1 to 0.4 s long.
      openness: (T,), from 0 to 1. NaN where the eye was not measured.
      sigma: (T,), standard deviations of `openness`.
      least_drop: See `LEAST_DROP`.
      max_seconds: See `MAX_SECONDS`.

    Returns:
      The blinks in the order of time. A closure at the beginning or the end of the
      track is not a blink, because its duration is unknown.

    Raises:
      ValueError: The arrays have different lengths, or the times do not increase.
    """
    times, values, sigmas = (
        np.asarray(array, np.float64) for array in (timestamps, openness, sigma)
    )
    if not times.shape == values.shape == sigmas.shape == (times.size,):
        raise ValueError(
            "The arrays must have one value per frame. Received: shapes "
            f"{times.shape}, {values.shape}, {sigmas.shape}"
        )
    measured = np.isfinite(values) & np.isfinite(sigmas)
    times, values, sigmas = times[measured], values[measured], sigmas[measured]
    if (np.diff(times) <= 0).any():
        raise ValueError("The timestamps must increase.")
    if len(times) < 3:
        return []
    level = _open_level(times, values)
    noise = _noise(values) * sigmas / max(float(np.median(sigmas)), 1e-6)
    threshold = np.maximum(least_drop, NOISE_FACTOR * noise / level)
    drop = 1 - values / level
    found: list[Blink] = []
    # From the largest peak to the smallest, so that the ripple of a blink is ignored.
    peaks = np.flatnonzero(drop >= threshold)
    for peak in peaks[np.argsort(-drop[peaks], kind="stable")]:
        if not any(blink.start <= times[peak] <= blink.end for blink in found):
            blink = _blink_at(int(peak), times, drop, max_seconds)
            if blink and blink.depth >= threshold[peak]:
                found.append(blink)
    return sorted(found, key=lambda blink: blink.start)


def _blink_at(
    peak: int, times: np.ndarray, drop: np.ndarray, max_seconds: float
) -> Blink | None:
    """The blink whose largest drop is at a frame.

    Args:
      peak: Index of the frame.
      times: (T,), in s.
      drop: (T,), drops of the openness as shares of the open level.
      max_seconds: Maximum duration, in s.

    Returns:
      The blink; None if the eye is not half open again soon enough.
    """
    first = int(np.searchsorted(times, times[peak] - max_seconds))
    last = int(np.searchsorted(times, times[peak] + max_seconds, side="right"))
    before, after = drop[first : peak + 1], drop[peak:last]
    # Only up to the next higher frames, so that the slope of a blink is not a peak.
    higher_before = np.flatnonzero(before > drop[peak])
    if len(higher_before):
        first += int(higher_before[-1]) + 1
        before = drop[first : peak + 1]
    higher_after = np.flatnonzero(after > drop[peak])
    if len(higher_after):
        after = after[: higher_after[0]]
    depth = float(drop[peak] - max(before.min(), after.min()))
    half = drop[peak] - depth / 2
    opens, closes = np.flatnonzero(after <= half), np.flatnonzero(before <= half)
    if depth <= 0 or not len(opens) or not len(closes):
        return None
    start = _crossing(times, drop, half, first + int(closes[-1]))
    end = _crossing(times, drop, half, peak + int(opens[0]) - 1)
    if end - start > max_seconds:
        return None
    return Blink(start, end, min(depth, 1.0))


def _open_level(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The level (T,) of an open eye around each frame."""
    count = int((times[-1] - times[0]) / (LEVEL_SECONDS / 4)) + 1
    centers = np.linspace(times[0], times[-1], count)
    half = LEVEL_SECONDS / 2
    first = np.searchsorted(times, centers - half)
    last = np.searchsorted(times, centers + half, side="right")
    nearest = np.clip(np.searchsorted(times, centers), 0, len(times) - 1)
    levels = [
        np.percentile(values[a:b], LEVEL_PERCENTILE) if b > a else values[k]
        for a, b, k in zip(first, last, nearest, strict=True)
    ]
    return np.maximum(np.interp(times, centers, levels), 1e-3)


def _noise(values: np.ndarray) -> float:
    """Standard deviation of the noise of the difference between two frames.

    The median absolute difference, times 1.4826 for a normal distribution, hardly
    depends on the blinks themselves.
    """
    return 1.4826 * float(np.median(np.abs(np.diff(values))))


def _crossing(times: np.ndarray, drop: np.ndarray, level: float, index: int) -> float:
    """Time between frames `index` and `index + 1` at which the drop is `level`."""
    before, after = drop[index : index + 2] - level
    share = before / (before - after) if before != after else 0.5
    return float(times[index] + share * (times[index + 1] - times[index]))
