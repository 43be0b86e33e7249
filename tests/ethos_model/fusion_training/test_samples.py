"""Tests of the samples: the targets must be at the same place as the input."""

import numpy as np
import pytest

from ethos_data import crop
from ethos_model.footage.fusion.merging import luma
from ethos_model.fusion_training import samples
from ethos_model.fusion_training.camera import Camera
from ethos_model.fusion_training.clips import Clip
from ethos_model.fusion_training.samples import in_window, samples_of
from tests.ethos_model.footage.fusion.heads import head

SIZE = 128


@pytest.fixture
def clip():
    image, landmarks = head()
    return Clip("p", image[None], landmarks[None])


def film(clip, monkeypatch, camera, *, seed=0, moments=3, occluded=0.0):
    monkeypatch.setattr(samples, "random_camera", lambda rng, face_size: camera)
    monkeypatch.setattr(samples, "OCCLUDED", occluded)
    rng = np.random.default_rng(seed)
    return list(samples_of(clip, rng, size=SIZE, moments=moments))


def difference(image, other, mask):
    return float(np.abs(luma(image) - luma(other))[mask > 0.9].mean())


def test_the_frame_of_a_perfect_camera_is_the_target(clip, monkeypatch):
    for sample in film(clip, monkeypatch, Camera()):
        assert difference(sample.inputs[..., :3], sample.image, sample.mask) < 0.012


@pytest.mark.parametrize("shrink", [1.5, 2.25, 3])
def test_the_target_of_a_small_camera_is_not_shifted(clip, monkeypatch, shrink):
    sample = film(clip, monkeypatch, Camera(shrink=shrink))[0]
    frame, image = luma(sample.inputs[..., :3]), luma(sample.image)
    where = sample.mask > 0.9

    def error(dx, dy):
        moved = np.roll(image, (dy, dx), (0, 1))
        return float(np.abs(moved - frame)[where].mean())

    best = min((error(dx, dy), dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1))
    assert best[1:] == (0, 0)


def test_there_is_a_sample_after_one_frame_and_after_all(clip, monkeypatch):
    found = film(clip, monkeypatch, Camera(noise=10), moments=4)
    frames = [
        float((2 ** (5 * s.inputs[..., 9]) - 1)[s.mask > 0.9].mean()) for s in found
    ]
    assert frames[0] < 1.1
    assert frames[-1] > 8
    assert frames == sorted(frames)
    assert len(found) == 4


def test_the_mean_is_nearer_to_the_target_than_a_noisy_frame(clip, monkeypatch):
    sample = film(clip, monkeypatch, Camera(noise=25))[-1]
    frame = difference(sample.inputs[..., :3], sample.image, sample.mask)
    mean = difference(sample.inputs[..., 3:6], sample.image, sample.mask)
    assert mean < 0.7 * frame


def test_what_is_covered_is_in_the_image_and_not_in_the_truth(clip, monkeypatch):
    (sample, *_) = film(clip, monkeypatch, Camera(), occluded=1.0)
    covered = np.abs(luma(sample.image) - sample.truth) > 0.05
    assert 0.01 < covered.mean() < 0.6
    (sample, *_) = film(clip, monkeypatch, Camera())
    np.testing.assert_allclose(luma(sample.image), sample.truth, atol=1e-5)


def test_the_same_seed_gives_the_same_samples(clip, monkeypatch):
    first, second = (film(clip, monkeypatch, Camera(noise=5))[-1] for _ in range(2))
    np.testing.assert_array_equal(first.inputs, second.inputs)
    other = film(clip, monkeypatch, Camera(noise=5), seed=1)[-1]
    assert np.abs(first.inputs - other.inputs).max() > 0.1


def test_a_window_shows_the_pixels_under_it():
    rows, columns = np.mgrid[:100, :120]
    frame = np.stack([columns, rows, rows], axis=-1).astype(np.uint8)
    # A camera with pixels of 2 x 2 clean pixels, and a window of 20 of its pixels.
    window = crop.Window(9.5, 4.5, 20)
    image = 255 * in_window(frame, window, 0.5, 40)
    # The left edge is at (9.5 + 0.5) * 2 - 0.5 = 19.5; the first pixel is at 20.
    np.testing.assert_allclose(image[5, :, 0], np.arange(20, 60), atol=0.6)
    np.testing.assert_allclose(image[:, 5, 1], np.arange(10, 50), atol=0.6)
