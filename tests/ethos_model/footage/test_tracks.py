import numpy as np

from ethos_data.crop import Window
from ethos_model.footage.tracks import with_landmarks
from ethos_model.predict import Face
from tests.ethos_model.footage.world import box_at, face_of


def test_the_depth_follows_landmarks_that_are_tilted():
    face = face_of(1, box_at(60), 0.02)
    landmarks = face.landmarks.astype(np.float64)
    tilt = 0.2 * (landmarks[:, 0] - 80) - 0.1 * (landmarks[:, 1] - 70) + 3
    landmarks[:, 2] += tilt
    tilted = with_landmarks(face, landmarks)
    np.testing.assert_allclose(tilted.landmarks, landmarks, rtol=1e-6)
    # The centre of each depth pixel, in source pixels.
    side, window = face.depth.shape[0], face.window
    step = window.size / side
    place = (np.arange(side) + 0.5) * step
    x, y = window.left + place, window.top + place[:, None]
    expected = face.depth + 0.2 * (x - 80) - 0.1 * (y - 70) + 3
    np.testing.assert_allclose(tilted.depth, expected, atol=1e-3)


def test_a_face_without_images_gets_landmarks_only():
    face = Face(
        np.ones((68, 3), np.float32),
        np.ones(68, np.float32),
        np.zeros((0, 0), np.float32),
        np.zeros((0, 0), np.float32),
        Window(0.0, 0.0, 10.0),
    )
    moved = with_landmarks(face, face.landmarks + 1)
    assert moved.depth.size == 0
    np.testing.assert_array_equal(moved.landmarks, 2)
