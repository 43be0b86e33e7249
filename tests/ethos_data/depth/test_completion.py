"""Missing z and missing landmarks are estimated from the others."""

from __future__ import annotations

import numpy as np
import pytest

from ethos_data.depth import completion, fitting, prior

SIZE = 100.0  # of the faces, in pixels


def random_face(seed: int, yaw: float) -> np.ndarray:
    """Returns the landmarks of a random face, float64 (68, 3), in pixels, y down."""
    rng = np.random.default_rng(seed)
    model = prior.shipped()
    coefficients = 0.8 * rng.standard_normal(len(model.basis))
    shape = model.mean[:68] + np.tensordot(coefficients, model.basis[:, :68], 1)
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    shift = np.array([50.0, -60.0, 0.0])
    face = fitting.Face(
        scale=SIZE,
        rotation=rotation,
        translation=shift,
        perspective=0.1 / SIZE,
        shear=np.zeros(2),
        depth_scale=1.0,
        coefficients=coefficients,
        noise=0.01,
    )
    return face.project(shape.astype(np.float64))


@pytest.mark.parametrize("yaw", [0, 30, -60])
def test_z_is_estimated_from_x_and_y(yaw):
    truth = np.stack([random_face(seed, yaw) for seed in range(5)])
    noise = np.random.default_rng(0).normal(0, 1, (5, 68, 2))
    given = truth.copy()
    given[..., :2] += noise
    given[..., 2] = np.nan
    known, has_z = np.ones((5, 68), bool), np.zeros(5, bool)
    result = completion.complete(given, known, has_z)
    np.testing.assert_array_equal(result[..., :2], given[..., :2])
    error = result[..., 2] - truth[..., 2]
    error -= error.mean(axis=1, keepdims=True)
    assert np.abs(error).mean() < 0.015 * SIZE


@pytest.mark.parametrize("has_z", [True, False])
def test_missing_landmarks_are_estimated(has_z):
    truth = random_face(1, 20)[None]
    known = np.ones((1, 68), bool)
    known[0, [3, 33, 40, 60]] = False
    given = np.where(known[..., None], truth, np.nan)
    result = completion.complete(given, known, np.array([has_z]))
    np.testing.assert_array_equal(result[known][:, :2], truth[known][:, :2])
    distance = np.linalg.norm((result - truth)[~known][:, :2], axis=-1)
    assert distance.max() < 0.03 * SIZE


def test_complete_labels_are_not_changed():
    truth = random_face(1, 20)[None]
    known = np.ones((1, 68), bool)
    result = completion.complete(truth, known, np.ones(1, bool))
    np.testing.assert_array_equal(result, truth)


def test_too_few_labels_give_no_face():
    known = np.zeros((2, 68), bool)
    known[0, : completion.MIN_KNOWN - 1] = True
    known[1] = True
    given = np.stack([random_face(1, 0), np.ones((68, 3))])
    result = completion.complete(given, known, np.zeros(2, bool))
    assert np.isnan(result).all()
