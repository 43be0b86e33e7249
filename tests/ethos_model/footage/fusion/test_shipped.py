"""Tests of FaceFusion with the network that is part of ETHOS."""

import numpy as np
import pytest

from ethos_model.footage.fusion.face_fusion import FaceFusion, face_mask
from ethos_model.footage.fusion.merging import luma
from tests.ethos_model.footage.fusion.heads import face_at, head, noisy

SIZE = 224
FRAMES = 12
COVER = (90, 140, 90)


def fused(images, landmarks):
    fusion = FaceFusion(SIZE)
    for image in images:
        face = face_at(landmarks)
        fusion.add(image, face)
    return face, fusion.result(face), fusion.inputs(face)[..., :3]


def grey(image):
    return luma(image.astype(np.float32) / 255)


def error(image, clean, face):
    """Root mean squared difference of the brightness in the face, in grey levels."""
    points = face.window.to_normalized(face.landmarks[:, :2]) * SIZE - 0.5
    inside = face_mask(points, SIZE) > 0
    scale = clean[inside].mean() / image[inside].mean()
    return 255 * float(np.sqrt(((scale * image - clean)[inside] ** 2).mean()))


@pytest.mark.parametrize(("frames", "share"), [(1, 0.6), (FRAMES, 0.35)])
def test_noise_is_removed_and_more_frames_help(frames, share):
    image, landmarks = head()
    _, clean, _ = fused([image], landmarks)
    noise = [noisy(image, 25, k) for k in range(frames)]
    face, result, frame = fused(noise, landmarks)
    before = error(luma(frame), grey(clean.image), face)
    assert error(grey(result.image), grey(clean.image), face) < share * before


def test_a_clean_clip_stays_as_it_is():
    image, landmarks = head()
    face, result, frame = fused([image] * 6, landmarks)
    assert error(grey(result.image), luma(frame), face) < 2.55  # 40 dB


def test_what_is_covered_in_all_frames_is_not_invented():
    image, landmarks = head()
    covered = image.copy()
    x0, y0 = (landmarks[48:68, :2].min(axis=0) - 8).astype(int)
    x1, y1 = (landmarks[48:68, :2].max(axis=0) + 8).astype(int)
    covered[y0:y1, x0:x1] = COVER
    plain = fused([noisy(image, 8, k) for k in range(FRAMES)], landmarks)[1]
    frames = [noisy(covered, 8, k) for k in range(FRAMES)]
    face, result, _ = fused(frames, landmarks)
    scale = SIZE / face.window.size
    left, top = (round(v) for v in (face.window.left, face.window.top))
    rows = slice(round((y0 - top) * scale) + 6, round((y1 - top) * scale) - 6)
    columns = slice(round((x0 - left) * scale) + 6, round((x1 - left) * scale) - 6)
    colour = np.median(result.image[rows, columns], axis=(0, 1))
    np.testing.assert_allclose(colour, COVER, atol=4)
    sigma = float(np.median(result.sigma[rows, columns]))
    assert sigma > 2 * float(np.median(plain.sigma[rows, columns]))


def test_frames_of_another_person_change_little():
    image, landmarks = head()
    other, other_landmarks = head(seed=8)
    fusion = FaceFusion(SIZE)
    for k in range(FRAMES):
        if k % 4 == 2:
            fusion.add(noisy(other, 8, k), face_at(other_landmarks))
        else:
            face = face_at(landmarks)
            fusion.add(noisy(image, 8, k), face)
    mixed = fusion.result(face)
    _, clean, _ = fused([image], landmarks)
    _, alone, _ = fused([noisy(image, 8, FRAMES - 1)], landmarks)
    after = error(grey(mixed.image), grey(clean.image), face)
    assert after < 1.2 * error(grey(alone.image), grey(clean.image), face)


def test_another_size_is_explained():
    image, landmarks = head()
    fusion = FaceFusion(96)
    face = face_at(landmarks)
    fusion.add(image, face)
    with pytest.raises(ValueError, match="made for 224 x 224 pixels"):
        fusion.result(face)
