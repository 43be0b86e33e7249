"""Tests of putting a reconstructed face back into its frame."""

import numpy as np

from ethos_model.footage.fusion.blending import blend
from ethos_model.footage.fusion.face_fusion import FaceFusion
from tests.ethos_model.footage.fusion.heads import face_at, head, noisy


class Same:
    """A network that returns the frame."""

    def __call__(self, inputs):
        return inputs[..., :3], np.full(inputs.shape[:2], 0.01, np.float32)


def fused(frame, face):
    fusion = FaceFusion(224, network=Same())
    fusion.add(frame, face)
    return fusion.result(face)


def test_the_frame_outside_the_face_stays():
    image, landmarks = head()
    face = face_at(landmarks)
    result = blend(image, fused(image, face), face)
    x0, _, x1, y1 = (
        landmarks[:, 0].min(),
        landmarks[:, 1].min(),
        *landmarks[:, :2].max(0),
    )
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    far = (columns < x0 - 30) | (columns > x1 + 30) | (rows > y1 + 30)
    np.testing.assert_array_equal(result[far], image[far])
    assert result is not image


def test_the_same_face_changes_little():
    image, landmarks = head()
    face = face_at(landmarks)
    result = blend(image, fused(image, face), face)
    assert np.abs(result.astype(int) - image).mean() < 1.0


def test_a_dark_frame_keeps_its_light():
    image, landmarks = head()
    dark = (0.15 * image).astype(np.uint8)
    face = face_at(landmarks)
    restored = fused(dark, face)
    assert restored.gain > 1.5
    result = blend(dark, restored, face)
    assert abs(float(result.mean()) - float(dark.mean())) < 1.0


def test_the_grain_is_that_of_the_frame():
    image, landmarks = head()
    face = face_at(landmarks)
    smooth = fused(image, face)  # a reconstruction without noise
    frame = noisy(np.full_like(image, 120), 12, 0)
    x, y = landmarks[30, :2].astype(int)
    result = blend(frame, smooth, face)
    patch = result[y - 4 : y + 5, x - 4 : x + 5].astype(float)
    assert patch.std() > 6


def test_a_face_outside_the_frame_changes_nothing():
    image, landmarks = head()
    face = face_at(landmarks)
    restored = fused(image, face)
    away = face_at(landmarks, (2000, 0))
    moved = type(restored)(
        restored.image, restored.sigma, away.window, restored.frames, restored.gain
    )
    np.testing.assert_array_equal(blend(image, moved, away), image)
