"""Blinks in synthetic openness."""

import numpy as np
import pytest

from ethos_model.footage.measures import blinks

FPS = 25.0


def track(starts, *, level=0.8, depth=0.4, seconds=20, noise=0.01, seed=0):
    """Times and openness of an eye that closes for 0.16 s at some times.

    Args:
      starts: Times of complete closure, in s.
      level: Openness between the blinks.
      depth: Drop of the openness, as a share of `level`.
      seconds: Duration.
      noise: Standard deviation of the noise of each frame.
      seed: Random seed of the noise.
    """
    times = np.arange(round(seconds * FPS)) / FPS
    values = np.full(len(times), level)
    for start in starts:
        shape = np.clip(1.5 - np.abs(times - start) / 0.08, 0, 1)
        values -= level * depth * shape
    rng = np.random.default_rng(seed)
    return times, values + rng.normal(0, noise, len(times))


def test_finds_each_blink_with_its_time_and_depth():
    starts = [3.0, 7.5, 8.2, 15.0]
    times, values = track(starts)
    found = blinks(times, values, np.full(len(times), 0.1))
    assert len(found) == len(starts)
    for blink, start in zip(found, starts, strict=True):
        assert blink.start < start < blink.end
        assert blink.end - blink.start == pytest.approx(0.16, abs=0.05)
        assert blink.depth == pytest.approx(0.4, abs=0.08)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_not_a_blink(seed):
    times, values = track([], noise=0.05, seconds=60, seed=seed)
    assert blinks(times, values, np.full(len(times), 0.1)) == []


def test_a_long_closure_and_a_slow_change_are_not_blinks():
    times, values = track([])
    values[100:150] = 0.2  # 2 s
    values[250:] *= np.linspace(1, 0.3, len(values) - 250)
    assert blinks(times, values, np.full(len(times), 0.1)) == []


def test_narrow_eyes_blink_relative_to_their_own_level():
    times, values = track([5.0, 10.0], level=0.35)
    assert len(blinks(times, values, np.full(len(times), 0.1))) == 2


def test_frames_with_a_large_sigma_need_a_larger_drop():
    times, values = track([5.0, 10.0], depth=0.3)
    sigma = np.full(len(times), 0.1)
    sigma[(times > 9) & (times < 11)] = 1.0
    found = blinks(times, values, sigma)
    assert [round(blink.start) for blink in found] == [5]


def test_frames_without_a_measurement_are_left_out():
    times, values = track([5.0])
    values[30:40] = np.nan
    assert len(blinks(times, values, np.full(len(times), 0.1))) == 1


def test_a_closure_at_the_end_is_not_a_blink():
    times, values = track([])
    values[-3:] = 0.1
    values[:3] = 0.1
    assert blinks(times, values, np.full(len(times), 0.1)) == []


def test_short_tracks_have_no_blinks():
    assert blinks(np.arange(2), np.ones(2), np.ones(2)) == []
    assert blinks(np.zeros(0), np.zeros(0), np.zeros(0)) == []


def test_rejects_unusable_arrays():
    with pytest.raises(ValueError, match="one value per frame"):
        blinks(np.arange(5), np.ones(5), np.ones(4))
    with pytest.raises(ValueError, match="increase"):
        blinks(np.zeros(5), np.ones(5), np.ones(5))
