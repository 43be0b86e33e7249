"""Tests of the means of the frames."""

import cv2
import numpy as np

from ethos_model.footage.fusion import merging, warping
from ethos_model.footage.fusion.merging import MEMORY, Merged, split
from ethos_model.footage.noise import noise_of

SIZE = 64
ONES = np.ones((SIZE, SIZE), np.float32)


def texture(seed, blur=1.0):
    noise = np.random.default_rng(seed).normal(0, 1, (SIZE, SIZE, 3))
    smooth = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), blur)
    return np.float32(0.45) + np.float32(0.1) * smooth / smooth.std()


def test_the_mean_is_the_weighted_mean_with_forgetting():
    rng = np.random.default_rng(0)
    merged = Merged.empty(SIZE)
    images = [texture(seed) for seed in range(5)]
    weights = rng.uniform(0.2, 1, 5)
    for image, weight in zip(images, weights, strict=True):
        merged.add(image, np.float32(weight) * ONES)
    decayed = weights * (1 - 1 / MEMORY) ** np.arange(4, -1, -1)
    expected = np.tensordot(decayed, np.stack(images), 1) / decayed.sum()
    np.testing.assert_allclose(merged.mean, expected, atol=1e-5)
    np.testing.assert_allclose(merged.weight, decayed.sum(), rtol=1e-5)


def test_the_levels_add_up_to_the_image():
    image = texture(1)
    *levels, rest = split(image)
    for level in reversed(levels):
        rest = cv2.pyrUp(rest) + level
    np.testing.assert_allclose(rest, image, atol=1e-5)


def test_one_frame_is_its_own_mean_and_sharp_mean():
    merged, image = Merged.empty(SIZE), texture(2)
    merged.add(image, ONES)
    np.testing.assert_allclose(merged.mean, image, atol=1e-5)
    np.testing.assert_allclose(merged.sharp(), image, atol=1e-4)


def test_the_sharp_mean_keeps_what_one_frame_of_many_shows():
    merged, image = Merged.empty(SIZE), texture(3, blur=1.5)
    blurred = cv2.GaussianBlur(image, (0, 0), 4)
    for frame in (blurred, image, blurred, blurred):
        merged.add(frame, ONES)
    in_mean = np.abs(merged.mean - image).mean()
    in_sharp = np.abs(merged.sharp() - image).mean()
    assert in_sharp < 0.4 * in_mean


def test_a_level_is_the_mean_weighted_with_its_strength():
    merged = Merged.empty(SIZE)
    images = [texture(seed) for seed in range(3)]
    for image in images:
        merged.add(image, ONES)
    # A frame counts with the cube of the amplitude in the surroundings, and less if it
    # is older.
    levels = [split(image)[1] for image in images]
    strengths = []
    for age, level in zip((2, 1, 0), levels, strict=True):
        squared = (level @ np.float32([0.299, 0.587, 0.114])) ** 2
        half = squared.reshape(16, 2, 16, 2).mean(axis=(1, 3))
        energy = cv2.resize(cv2.GaussianBlur(half, (0, 0), 1), (32, 32))
        strengths.append(np.sqrt(energy + 1e-7) ** 3 * (1 - 1 / MEMORY) ** age)
    shares = np.stack(strengths) / np.sum(strengths, axis=0)
    expected = (shares[..., None] * np.stack(levels)).sum(axis=0)
    np.testing.assert_allclose(merged.levels[1], expected, atol=1e-5)


def test_noise_falls_with_the_number_of_frames():
    merged, image = Merged.empty(SIZE), texture(4, blur=4)
    rng = np.random.default_rng(4)
    for _ in range(16):
        noise = rng.normal(0, 0.1, image.shape).astype(np.float32)
        merged.add(image + noise, ONES)
    # 16 frames, of which the older count a little less: 0.1 / sqrt(16) = 0.025.
    assert 0.02 < (merged.mean - image).std() < 0.03
    spread = np.sqrt(merged.spread.mean())
    luma_noise = 0.1 * np.linalg.norm([0.299, 0.587, 0.114])
    assert 0.8 * luma_noise < spread < 1.3 * luma_noise


def test_another_picture_does_not_agree():
    merged, image = Merged.empty(SIZE), texture(5, blur=3)
    rng = np.random.default_rng(5)
    for _ in range(8):
        noise = rng.normal(0, 0.03, image.shape).astype(np.float32)
        merged.add(image + noise, ONES)
    assert merged.agreement(image).mean() > 0.9
    assert merged.agreement(texture(6, blur=3)).mean() < 0.5


def test_before_the_first_frame_everything_agrees():
    np.testing.assert_array_equal(Merged.empty(SIZE).agreement(texture(7)), 1)


def test_a_state_that_is_not_moved_stays_the_same():
    merged = Merged.empty(SIZE)
    for seed in range(3):
        merged.add(texture(seed), ONES)
    same = merged.moved(warping.centres(SIZE, SIZE))
    np.testing.assert_allclose(same.mean, merged.mean, atol=1e-5)
    np.testing.assert_allclose(same.sharp(), merged.sharp(), atol=1e-4)


def test_a_moved_state_equals_the_mean_of_moved_frames():
    merged, moved = Merged.empty(SIZE), Merged.empty(SIZE)
    mapping = warping.centres(SIZE, SIZE) + np.array([3, -2], np.float32)
    for seed in range(3):
        image = texture(seed, blur=3)
        merged.add(image, ONES)
        moved.add(merging.moved(image, mapping), ONES)
    inner = (slice(16, -16), slice(16, -16))
    result = merged.moved(mapping)
    np.testing.assert_allclose(result.mean[inner], moved.mean[inner], atol=0.01)
    np.testing.assert_allclose(result.sharp()[inner], moved.sharp()[inner], atol=0.03)


def test_a_noisy_frame_agrees_if_noise_was_expected():
    image, rng = texture(8, blur=4), np.random.default_rng(8)

    def frame():
        return image + rng.normal(0, 0.2, image.shape).astype(np.float32)

    naive, expecting = Merged.empty(SIZE), Merged.empty(SIZE)
    expecting.expect(noise_of(merging.luma(frame())))
    for merged in (naive, expecting):
        merged.add(frame(), ONES)
    assert naive.agreement(frame()).mean() < 0.3
    assert expecting.agreement(frame()).mean() > 0.7
