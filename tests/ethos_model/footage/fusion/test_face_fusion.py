"""Tests of FaceFusion on rendered heads."""

import cv2
import numpy as np
import pytest

from ethos_data import topology
from ethos_model.footage.fusion import face_fusion
from ethos_model.footage.fusion.face_fusion import FaceFusion, face_mask
from ethos_model.footage.fusion.merging import luma
from tests.ethos_model.footage.fusion.heads import face_at, head, noisy

SIZE = 160
FRAME, MEAN, SHARP = slice(0, 3), slice(3, 6), slice(6, 9)


class Average:
    """A network that returns the mean image and a sigma of 0.05."""

    def __call__(self, inputs):
        return inputs[..., MEAN], np.full(inputs.shape[:2], 0.05, np.float32)


@pytest.fixture
def fusion():
    return FaceFusion(SIZE, network=Average())


def inside(face):
    points = face.window.to_normalized(face.landmarks[:, :2]) * SIZE - 0.5
    return face_mask(points, SIZE) > 0


def error(image, other, where):
    return float(np.sqrt(((image - other)[where] ** 2).mean()))


def clean_inputs(image, face):
    alone = FaceFusion(SIZE)
    alone.add(image, face)
    return alone.inputs(face)[..., FRAME]


def test_one_frame_is_its_own_mean(fusion):
    image, landmarks = head()
    face = face_at(landmarks)
    assert fusion.add(image, face) == pytest.approx(1, abs=0.2)
    inputs = fusion.inputs(face)
    assert inputs.shape == (SIZE, SIZE, 12)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(inputs[..., MEAN], inputs[..., FRAME], atol=2e-3)
    np.testing.assert_allclose(inputs[..., SHARP], inputs[..., FRAME], atol=5e-3)
    assert fusion.result(face).frames == 1


def test_the_frame_of_the_input_is_the_window_of_the_frame(fusion):
    image, landmarks = head()
    face = face_at(landmarks)
    fusion.add(image, face)
    frame = fusion.inputs(face)[..., FRAME]
    left, top, size = (
        round(v)
        for v in (face.window.left + 0.5, face.window.top + 0.5, face.window.size)
    )
    crop = image[top : top + size, left : left + size]
    expected = cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    gain = face_fusion.TYPICAL_LUMA / luma(frame)[inside(face)].mean()
    assert gain == pytest.approx(1, abs=0.02)
    scale = frame[inside(face)].mean() / expected[inside(face)].mean()
    difference = frame - scale * expected.astype(np.float32)
    assert np.abs(difference[8:-8, 8:-8]).mean() < 0.01


def test_noise_falls_in_a_moving_clip(fusion):
    image, landmarks = head()
    rng = np.random.default_rng(0)
    size = float(topology.face_size(topology.face_box(landmarks)))
    for index in range(12):
        shift = (3 * np.sin(index), 2 * np.cos(index))
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        moved = cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=1)
        errors = rng.normal(0, 0.008 * size, landmarks.shape).astype(np.float32)
        face = face_at(landmarks + errors, shift)
        fusion.add(noisy(moved, 25, index), face)
    clean = clean_inputs(moved, face)
    inputs = fusion.inputs(face)
    before = error(inputs[..., FRAME], clean, inside(face))
    after = error(inputs[..., MEAN], clean, inside(face))
    assert after < 0.55 * before
    assert fusion.result(face).frames == 12


def test_frames_of_another_person_count_little(fusion):
    image, landmarks = head()
    other, other_landmarks = head(seed=8)
    weights = []
    for index in range(12):
        if index % 3 == 2:
            face = face_at(other_landmarks)
            weights.append((False, fusion.add(noisy(other, 8, index), face)))
        else:
            face = face_at(landmarks)
            weights.append((True, fusion.add(noisy(image, 8, index), face)))
    same = np.mean([weight for right, weight in weights[3:] if right])
    different = np.mean([weight for right, weight in weights[3:] if not right])
    assert different < 0.8 * same


def test_a_dark_face_is_brightened_and_the_gain_is_stated(fusion):
    image, landmarks = head()
    dark = (image * 0.1).astype(np.uint8)
    face = face_at(landmarks)
    fusion.add(dark, face)
    fused = fusion.result(face)
    mean = luma(fused.image.astype(np.float32) / 255)[inside(face)].mean()
    assert mean == pytest.approx(face_fusion.DARKEST_LUMA, abs=0.02)
    before = luma(clean_inputs(dark, face))[inside(face)].mean()
    assert before == pytest.approx(face_fusion.TYPICAL_LUMA, abs=0.02)
    crop_mean = mean / fused.gain
    true = luma(dark.astype(np.float32) / 255)
    x0, y0, x1, y1 = topology.face_box(landmarks).astype(int)
    assert crop_mean == pytest.approx(true[y0:y1, x0:x1].mean(), abs=0.02)


def test_a_bright_face_keeps_its_light(fusion):
    image, landmarks = head()
    face = face_at(landmarks)
    bright = np.clip(image.astype(int) + 90, 0, 255).astype(np.uint8)
    fusion.add(bright, face)
    fused = fusion.result(face)
    assert fused.gain == pytest.approx(1)
    assert fused.image.dtype == np.uint8
    assert fused.image.shape == (SIZE, SIZE, 3)
    assert fused.sigma.shape == (SIZE, SIZE)
    assert (fused.sigma > 0).all()


def test_a_face_before_and_after_which_there_are_frames(fusion):
    image, landmarks = head()
    faces = [face_at(landmarks, (k, 0)) for k in range(7)]
    for k, face in enumerate(faces):
        moved = cv2.warpAffine(
            image, np.array([[1.0, 0, k], [0, 1, 0]]), image.shape[1::-1], borderMode=1
        )
        fusion.add(noisy(moved, 20, k), face)
    inputs = fusion.inputs(faces[3])
    moved = cv2.warpAffine(
        image, np.array([[1.0, 0, 3], [0, 1, 0]]), image.shape[1::-1], borderMode=1
    )
    clean = clean_inputs(moved, faces[3])
    where = inside(faces[3])
    assert error(inputs[..., MEAN], clean, where) < 0.7 * error(
        inputs[..., FRAME], clean, where
    )


def test_a_turned_head_moves_the_state(fusion):
    image, landmarks = head()
    face = face_at(landmarks)
    fusion.add(image, face)
    middle = landmarks[:, :2].mean(axis=0)
    matrix = cv2.getRotationMatrix2D(tuple(map(float, middle)), 5, 1.4)
    turned = cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=1)
    moved = landmarks.copy()
    moved[:, :2] = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    face = face_at(moved)
    fusion.add(turned, face)
    inputs = fusion.inputs(face)
    where = inside(face)
    assert error(inputs[..., MEAN], inputs[..., FRAME], where) < 0.03


def test_a_window_beyond_the_frame_counts_only_inside(fusion):
    image, landmarks = head()
    cut = int(landmarks[:, 0].mean())
    frame = np.ascontiguousarray(image[:, cut:])
    face = face_at(landmarks, (-cut, 0))
    weight = fusion.add(frame, face)
    assert 0.2 < weight < 0.8
    whole = face_at(landmarks)
    assert fusion.add(image, whole) > 1.4 * weight


def test_memory_is_constant(fusion):
    image, landmarks = head()
    first = face_at(landmarks)
    fusion.add(image, first)
    for _ in range(face_fusion.REMEMBERED):
        last = face_at(landmarks)
        fusion.add(image, last)
    fusion.result(last)
    with pytest.raises(ValueError, match="one of the last"):
        fusion.result(first)


def test_wrong_arguments_are_explained(fusion):
    image, landmarks = head()
    face = face_at(landmarks)
    with pytest.raises(ValueError, match="uint8"):
        fusion.add(image.astype(np.float32), face)
    broken = landmarks.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        fusion.add(
            image,
            type(face)(
                broken, face.uncertainty, face.depth, face.restored, face.window
            ),
        )
    with pytest.raises(ValueError, match="multiple of 16"):
        FaceFusion(100)
