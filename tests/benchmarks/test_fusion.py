"""The computations of the benchmark of faces from many frames."""

import numpy as np
import pytest

from benchmarks import fusion, fusion_scores
from ethos_model.footage.fusion.face_fusion import FusedFace
from ethos_model.footage.fusion.merging import luma
from ethos_model.predict import FacePredictor
from tests.ethos_model.footage.fusion.heads import face_at, head

SIZE = 224


@pytest.fixture(scope="module")
def scene():
    """A face and its clean window."""
    image, landmarks = head()
    face = face_at(landmarks)
    filmed = fusion.Filmed(image[None], image[None], 1.0, [face])
    return face, filmed.clean_window(0, SIZE)


@pytest.fixture(scope="module")
def predictor():
    return FacePredictor()


def test_gain_and_offset_do_not_count(scene, predictor):
    face, clean = scene
    score = fusion_scores.score(0.5 * clean + 0.1, clean, face, predictor, None)
    assert score.psnr > 60
    assert score.ssim > 0.999
    assert np.isnan(score.within)


def test_psnr_is_that_of_the_noise(scene, predictor):
    face, clean = scene
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, clean.shape[:2]).astype(np.float32)[..., None]
    score = fusion_scores.score(clean + noise, clean, face, predictor, None)
    # The best gain is a little below 1 (Wiener), which reduces the error.
    variance = luma(clean)[fusion_scores.face_pixels(face, SIZE)].var()
    expected = 0.05**2 * variance / (variance + 0.05**2)
    assert score.psnr == pytest.approx(-10 * np.log10(expected), abs=0.2)
    assert score.nme > 0


def test_sigma_is_compared_in_the_light_of_the_clean_image(scene, predictor):
    face, clean = scene
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.04, clean.shape[:2]).astype(np.float32)[..., None]
    image = 0.5 * (clean + noise)
    sigma = np.full((SIZE, SIZE), 0.5 * 0.04 * 255, np.float32)
    levels = np.zeros((SIZE, SIZE, 3), np.uint8)
    fused = FusedFace(levels, sigma, face.window, 1, 1.0)
    score = fusion_scores.score(image, clean, face, predictor, fused)
    assert score.within == pytest.approx(68.3, abs=3)


def test_aligned_frames_are_at_the_same_place(scene):
    image, landmarks = head()
    moved = np.roll(image, (3, 5), (0, 1))
    faces = [face_at(landmarks, (5, 3)), face_at(landmarks)]
    first, second = fusion_scores.aligned_images(
        np.stack([moved, image]), faces, 1, SIZE
    )
    middle = (slice(60, -60),) * 2
    assert np.abs(first[middle] - second[middle]).mean() < 0.01


def test_a_still_clip_has_no_more_flicker_than_the_clean_one():
    image, landmarks = head()
    rng = np.random.default_rng(2)
    clean = np.stack([np.clip(image + k % 2, 0, 255) for k in range(6)]).astype(
        np.uint8
    )
    noisy = clean + rng.normal(0, 6, clean.shape)
    frames = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    faces = [face_at(landmarks) for _ in frames]
    filmed = fusion.Filmed(clean, frames, 1.0, faces)

    class Average:
        def __call__(self, inputs):
            return inputs[..., 3:6], np.full(inputs.shape[:2], 0.05, np.float32)

    before, after = fusion.flicker(filmed, Average())
    assert after < 0.6 * before
