"""Landmarks of heads with known pose, projected by OpenCV."""

import functools

import cv2
import numpy as np

from ethos_data.heads.model import HeadModel
from ethos_model.footage.measures import head, pose

FLIP = np.diag([1.0, -1.0, -1.0])
FOCAL = 900.0
FRAME = (480, 640)  # height and width
SIGMA = np.full(68, 0.5)


def look(yaw=0.0, pitch=0.0, roll=0.0, *, points=None, distance=7.0, center=(320, 240)):
    """Landmarks (68, 3) in source pixels of a head on the optical axis.

    Args:
      yaw: In degrees, like `pitch` and `roll`.
      points: (68, 3) in the head frame; the mean head if it is None.
      distance: Distance of the camera, in units of the head frame.
      center: x and y of the head's origin, in source pixels.
    """
    points = head.load().mean if points is None else points
    rotation = FLIP @ pose.rotation_matrix(yaw, pitch, roll) @ FLIP
    camera = np.array([[FOCAL, 0, center[0]], [0, FOCAL, center[1]], [0, 0, 1]])
    vector = cv2.Rodrigues(rotation)[0]
    shift = np.array([0.0, 0.0, distance])
    xy = cv2.projectPoints(points @ FLIP, vector, shift, camera, None)[0][:, 0]
    z = -(points @ FLIP @ rotation.T)[:, 2] * FOCAL / distance
    return np.concatenate([xy, z[:, None]], axis=1)


@functools.cache
def _builtin():
    model = HeadModel.builtin()
    return model, model.neutral[model.landmarks68].astype(np.float64)


def expression(**coefficients):
    """Landmarks (68, 3) of the built-in head in units of the head frame.

    Args:
      **coefficients: Expression coefficients, for example `jawOpen=1`. Both sides of
        the face get the same.
    """
    model, points = _builtin()
    for k, name in enumerate(model.expression_names):
        value = coefficients.get(name.partition("_")[0], 0.0)
        points = points + value * model.expression[k, model.landmarks68]
    return (points - _builtin()[1][27:36].mean(axis=0)) / 14.3
