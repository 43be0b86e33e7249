import cv2
import numpy as np
import pytest

from ethos_data.topology import face_box
from gui.correction import interpolation
from gui.correction.interpolation import Patch, Tracks
from tests.gui import fakes

POINTS = fakes.template()[:, :2] * 100 + (60, 50)


def textured(size, seed=0):
    """A smooth random picture, uint8 (size, size, 3)."""
    noise = np.random.default_rng(seed).uniform(0, 255, (size, size, 3))
    smooth = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 3)
    low, high = smooth.min(), smooth.max()
    return np.uint8(255 * (smooth - low) / (high - low))


def moved(image, turn, factor, shift):
    """A picture that is turned and scaled about its centre, and the matrix."""
    centre = (image.shape[1] / 2, image.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(centre, turn, factor)
    matrix[:, 2] += shift
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT), matrix


@pytest.fixture(scope="module")
def clip():
    """A textured picture that moves, and the true landmarks of each frame."""
    image = textured(240)
    frames, truth = [], []
    for t in range(9):
        frame, matrix = moved(image, 1.5 * t, 1 + 0.01 * t, (3.0 * t, 2.0 * np.sin(t)))
        frames.append(frame)
        truth.append(POINTS @ matrix[:, :2].T + matrix[:, 2])
    return frames, np.stack(truth)


def test_the_patch_contains_both_ends_and_keeps_pixel_centres(clip):
    frames, truth = clip
    patch = Patch.around(truth[0], truth[-1], frames[0].shape)
    cut = patch.cut(frames[0])
    assert np.allclose(patch.to_source(patch.to_patch(truth[3])), truth[3])
    places = patch.to_patch(truth[[0, -1]])
    assert (places > 0).all()
    assert (places < (cut.shape[1], cut.shape[0])).all()
    # A bright pixel is found at its place.
    dot = np.zeros_like(frames[0])
    cv2.circle(dot, (120, 100), 4, (255, 255, 255), -1)
    weights = patch.cut(dot).astype(np.float64)
    rows, columns = np.indices(weights.shape)
    centre = [(columns * weights).sum(), (rows * weights).sum()] / weights.sum()
    assert np.allclose(patch.to_source(centre), (120, 100), atol=0.1)


def test_tracks_follow_the_texture_from_both_ends(clip):
    frames, truth = clip
    tracks = Tracks.of(iter(frames), truth[0], truth[-1])
    error = np.linalg.norm(tracks.points - truth, axis=-1)
    straight = interpolation.linear(truth[0], truth[-1], len(frames))
    assert error.mean() < 0.2
    assert error.mean() < 0.2 * np.linalg.norm(straight - truth, axis=-1).mean()
    assert np.median(tracks.distances) < 0.01
    assert np.allclose(tracks.boxes[0], face_box(truth[0]))


def test_errors_of_the_model_turn_and_grow_with_the_face():
    rng = np.random.default_rng(0)
    error = rng.normal(0, 3, (68, 2)) @ (1, 1j)
    predictions, truth = [], []
    for t in range(7):
        factor = (1 + 0.1 * t) * np.exp(0.2j * t)
        shape = factor * (POINTS @ (1, 1j)) + 5 * t
        predictions.append(shape)
        truth.append(shape + factor * error)
    predictions, truth = (
        np.stack([np.real(v), np.imag(v)], axis=-1) for v in (predictions, truth)
    )
    result = interpolation.predicted(predictions, truth[0], truth[-1])
    assert np.abs(result - truth).max() < 1e-9


def test_the_error_changes_linearly_between_the_ends():
    predictions = np.repeat(POINTS[None], 5, axis=0)
    result = interpolation.predicted(predictions, POINTS + 4.0, POINTS - 4.0)
    assert np.allclose(result - POINTS, np.array([4, 2, 0, -2, -4])[:, None, None])


def test_tracks_that_disagree_do_not_count():
    tracks, predictions = np.zeros((3, 68, 2)), np.ones((3, 68, 2))
    distances = np.zeros((3, 68))
    distances[:, 1] = 1.0
    result = interpolation.combine(tracks, distances, predictions)
    assert np.allclose(result[:, 0], 1 - interpolation.TRACKED)
    assert (result[:, 1] > 0.999).all()


def test_the_ends_are_the_corrections(clip):
    frames, truth = clip
    tracks = Tracks.of(frames, truth[0], truth[-1])
    rng = np.random.default_rng(0)
    result = tracks.with_predictions(truth + rng.normal(0, 1, truth.shape))
    assert np.allclose(result[0], truth[0])
    assert np.allclose(result[-1], truth[-1])
    error = np.linalg.norm(result - truth, axis=-1)[1:-1].mean()
    assert error < 0.6  # of 1.25, the mean length of the model's errors


def test_points_that_are_lost_move_with_the_others():
    frames = [textured(80), np.zeros((80, 80, 3), np.uint8)]
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    start = fakes.template()[:, :2] * 30 + 20
    assert np.isfinite(interpolation.follow(grey, start)).all()
