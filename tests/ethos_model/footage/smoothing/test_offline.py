import numpy as np
import pytest

from ethos_model.footage import smooth_track
from ethos_model.footage.smoothing import motion, offline
from tests.ethos_model.footage.smoothing import tracks


def dense(track, accelerations, landmark):
    """Mean (T, 2, 3) and covariance (2T, 2T) of one landmark by least squares.

    All frames are unknowns of one system: the prior of the first frame, the motion
    between frames, and the measurements.
    """
    count = len(track.times)
    information = np.zeros((2 * count, 2 * count))
    right = np.zeros((2 * count, 3))
    speed = motion.START_SPEED * track.size
    information[1, 1] += speed**-2.0
    for t in range(count):
        information[2 * t, 2 * t] += 1 / track.variance[t, landmark]
        right[2 * t] += track.landmarks[t, landmark] / track.variance[t, landmark]
    for t in range(count - 1):
        matrix, covariance = motion.transition(track.times[t + 1] - track.times[t])
        density = accelerations[t, motion.PART[landmark]]
        rows = np.zeros((2, 2 * count))
        rows[:, 2 * t : 2 * t + 2] = -matrix
        rows[:, 2 * t + 2 : 2 * t + 4] = np.eye(2)
        information += rows.T @ np.linalg.inv(density * covariance) @ rows
    posterior = np.linalg.inv(information)
    return (posterior @ right).reshape(count, 2, 3), posterior


@pytest.fixture
def track():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.02, 0.2, 7))
    landmarks = tracks.face() + rng.normal(0, 3, (7, 68, 3))
    return offline.Measurements(times, landmarks, rng.uniform(0.5, 4, (7, 68)), 100.0)


def test_the_smoother_solves_the_dense_least_squares_problem(track):
    accelerations = np.random.default_rng(1).uniform(1e3, 1e6, (6, 3))
    beliefs, _ = offline.smooth(track, accelerations)
    for landmark in (0, 30, 40, 67):
        mean, posterior = dense(track, accelerations, landmark)
        for t, belief in enumerate(beliefs):
            place = slice(2 * t, 2 * t + 2)
            np.testing.assert_allclose(belief.mean[landmark], mean[t], rtol=1e-6)
            np.testing.assert_allclose(
                belief.covariance[landmark], posterior[place, place], rtol=1e-6
            )


def test_accelerations_are_expected_values_of_the_dense_solution(track):
    accelerations = np.random.default_rng(2).uniform(1e3, 1e6, (6, 3))
    _, estimates = offline.smooth(track, accelerations)
    eyes = np.nonzero(motion.PART == 1)[0]
    matrix, covariance = motion.transition(track.times[4] - track.times[3])
    values = []
    for landmark in eyes:
        mean, posterior = dense(track, accelerations, landmark)
        rows = np.zeros((2, 14))
        rows[:, 6:8], rows[:, 8:10] = -matrix, np.eye(2)
        change = (rows @ mean.reshape(14, 3))[:, :2]
        square = change @ change.T / 2 + rows @ posterior @ rows.T
        values.append(np.trace(np.linalg.solve(covariance, square)) / 2)
    np.testing.assert_allclose(estimates[3, 1], np.mean(values), rtol=1e-6)


def test_jitter_at_rest_is_a_fiftieth():
    noisy = tracks.still(80, 0.6)
    smoothed = smooth_track(np.arange(80) / 25, noisy, np.full((80, 68), 2.0))
    assert tracks.jitter(smoothed) < 0.02 * tracks.jitter(noisy)


def test_the_error_of_a_moving_head_becomes_smaller():
    times = np.delete(np.arange(100) / 25, [20, 21, 22, 50])  # with gaps
    truth = tracks.swaying(times)
    noisy = truth + np.random.default_rng(3).normal(0, 0.8, truth.shape)
    smoothed = smooth_track(times, noisy, np.full((len(times), 68), 2.0))
    error, raw = np.abs(smoothed - truth).mean(), np.abs(noisy - truth).mean()
    assert error < 0.75 * raw


def test_an_uncertain_frame_counts_less():
    times = np.arange(40) / 25
    noisy = tracks.still(40, 0.5)
    noisy[20] += (0, 5.0, 0)
    sigma = np.full((40, 68), 2.0)
    before = smooth_track(times, noisy, sigma)
    sigma[20] = 20.0
    after = smooth_track(times, noisy, sigma)
    truth = tracks.face()
    assert np.abs(after[20] - truth).mean() < 0.5 * np.abs(before[20] - truth).mean()


@pytest.mark.parametrize("frame", [1, 20, 38])
def test_a_single_frame_far_off_does_not_move_the_track(frame):
    times = np.arange(40) / 25
    truth = tracks.swaying(times, seconds=3.0)
    noisy = truth + np.random.default_rng(4).normal(0, 0.5, truth.shape)
    noisy[frame] += (25.0, -10.0, 4.0)
    smoothed = smooth_track(times, noisy, np.full((40, 68), 2.0))
    assert np.linalg.norm(smoothed - truth, axis=-1).max() < 4.0


def test_a_jump_to_another_place_is_kept():
    noisy = tracks.still(40, 0.3)
    noisy[20:] += (80.0, 0, 0)
    smoothed = smooth_track(np.arange(40) / 25, noisy, np.full((40, 68), 2.0))
    moved = smoothed[:, :, 0].mean(axis=1) - tracks.face()[:, 0].mean()
    np.testing.assert_allclose(moved[:18], 0, atol=1.5)
    np.testing.assert_allclose(moved[22:], 80, atol=1.5)


def test_blocks_give_the_same_result_as_the_whole(monkeypatch):
    times = np.arange(300) / 25
    noisy = tracks.swaying(times) + tracks.still(300, 0.6) - tracks.face()
    sigma = np.full((300, 68), 2.0)
    whole = smooth_track(times, noisy, sigma)
    monkeypatch.setattr(offline, "BLOCK", 110)
    np.testing.assert_allclose(smooth_track(times, noisy, sigma), whole, atol=0.02)


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_short_tracks_hardly_change(frames):
    noisy = tracks.still(frames, 0.3)
    smoothed = smooth_track(np.arange(frames) / 25, noisy, np.full((frames, 68), 2.0))
    assert smoothed.shape == (frames, 68, 3)
    assert not frames or np.abs(smoothed - noisy).max() < 3


def test_wrong_arguments_are_refused():
    times, sigma = np.arange(5) / 25, np.full((5, 68), 2.0)
    track = tracks.still(5, 0.3)
    with pytest.raises(ValueError, match=r"Received: .*\(4, 68, 3\)"):
        smooth_track(times, track[:4], sigma)
    with pytest.raises(ValueError, match="must increase"):
        smooth_track(times[::-1], track, sigma)
    with pytest.raises(ValueError, match="finite"):
        smooth_track(times, np.full_like(track, np.nan), sigma)
