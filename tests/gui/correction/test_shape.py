import numpy as np

from ethos_data.depth import prior
from ethos_data.topology import MIRROR, face_box
from gui.correction.shape import mean_face


def test_the_mean_face_fills_a_box_and_is_upright_and_symmetric():
    box = np.array([10.0, 20.0, 90.0, 120.0])
    points = mean_face(box)
    assert np.allclose(face_box(points), box)
    assert points[8, 1] > points[57, 1] > points[30, 1] > points[27, 1]  # chin below
    assert points[36, 0] < points[45, 0]  # the right eye is at the left of the image
    mirrored = (100 - points[:, 0])[MIRROR]
    assert np.abs(mirrored - points[:, 0]).max() < 2


def test_the_mean_face_is_that_of_the_depth_prior():
    mean = prior.shipped().mean[:68, :2] * (1, -1)
    assert np.allclose(mean_face(face_box(mean)), mean, atol=1e-5)
