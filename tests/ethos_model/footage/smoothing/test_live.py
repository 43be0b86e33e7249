import numpy as np

from ethos_model.footage.smoothing.live import LandmarkFilter
from tests.ethos_model.footage.smoothing import tracks

SIGMA = np.full(68, 2.0)


def run(landmarks, times, sigma=SIGMA):
    smooth = LandmarkFilter()
    return np.array(
        [smooth(frame, sigma, t) for frame, t in zip(landmarks, times, strict=True)]
    )


def test_jitter_at_rest_is_a_tenth():
    noisy = tracks.still(100, 0.6)
    smoothed = run(noisy, np.arange(100) / 25)
    assert tracks.jitter(smoothed[10:]) < 0.1 * tracks.jitter(noisy)


def test_a_moving_head_is_followed_without_delay():
    times = np.arange(75) / 25
    truth = tracks.swaying(times)
    noisy = truth + np.random.default_rng(1).normal(0, 0.6, truth.shape)
    error = np.linalg.norm(run(noisy, times) - truth, axis=-1).mean()
    raw = np.linalg.norm(noisy - truth, axis=-1).mean()
    assert error < raw


def test_a_blink_is_not_smoothed_away_while_the_head_rests():
    landmarks = tracks.still(60, 0.2)
    lids = [37, 38, 43, 44]
    landmarks[40:42, lids, 1] += 6.0
    smoothed = run(landmarks, np.arange(60) / 25)
    closed = smoothed[41, lids, 1] - smoothed[39, lids, 1]
    assert (closed > 0.7 * 6.0).all()


def test_the_result_scales_with_the_face():
    times = np.cumsum(np.random.default_rng(2).uniform(0.02, 0.1, 30))
    path = tracks.swaying(times) + tracks.still(30, 1.0) - tracks.face()
    near, far = run(path, times), run(path / 8, times, SIGMA / 8)
    np.testing.assert_allclose(near, 8 * far, rtol=1e-9)


def test_z_is_zero_at_the_eyes():
    smoothed = run(tracks.still(20, 1.0), np.arange(20) / 25)
    np.testing.assert_allclose(smoothed[:, 36:48, 2].mean(axis=1), 0, atol=1e-9)


def test_a_step_back_in_time_starts_again():
    smooth = LandmarkFilter()
    smooth(tracks.face(), SIGMA, 1.0)
    moved = tracks.face() + np.array([7.0, 0.0, 0.0])
    np.testing.assert_allclose(smooth(moved, SIGMA, 0.5), moved)
