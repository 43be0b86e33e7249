"""Pose, its standard deviations and its conventions."""

import cv2
import numpy as np
import pytest

from ethos_data.heads.pose import Pose
from ethos_model.footage.measures import fitting, head, landmark_errors, pose
from tests.ethos_model.footage.measures.synthetic import (
    FLIP,
    FOCAL,
    FRAME,
    SIGMA,
    expression,
    look,
)

POSES = [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 25), (-50, 15, -20), (70, -25, 30)]


def measured(landmarks, sigma=SIGMA, **options):
    return pose.head_pose(fitting.fit(landmarks, sigma, **options), *FRAME, **options)


@pytest.mark.parametrize("angles", POSES)
def test_finds_the_pose_of_the_mean_head(angles):
    found = measured(look(*angles))
    np.testing.assert_allclose([found.yaw, found.pitch, found.roll], angles, atol=0.3)


@pytest.mark.parametrize("angles", POSES)
def test_agrees_with_solve_pnp(angles):
    landmarks = look(*angles)
    camera = np.array([[FOCAL, 0, 320], [0, FOCAL, 240], [0, 0, 1]])
    _, vector, shift = cv2.solvePnP(
        head.load().mean @ FLIP,
        landmarks[:, :2].copy(),
        camera,
        None,
        flags=cv2.SOLVEPNP_SQPNP,
    )
    expected = pose.angles_of(FLIP @ cv2.Rodrigues(vector)[0] @ FLIP)
    fitted = fitting.fit(landmarks, SIGMA, focal_length=FOCAL)
    np.testing.assert_allclose(pose.angles_of(fitted.rotation), expected, atol=0.1)
    assert fitted.scale == pytest.approx(FOCAL / shift[2, 0], rel=0.01)


def test_the_fitted_head_is_projected_onto_the_landmarks():
    landmarks = look(25, -10, 5)
    fitted = fitting.fit(landmarks, SIGMA)
    np.testing.assert_allclose(
        fitted.project(fitted.landmarks), landmarks[:, :2], atol=0.6
    )


def test_a_positive_yaw_moves_the_nose_to_the_right_of_the_image():
    landmarks = look(yaw=30)
    eyes = landmarks[36:48].mean(axis=0)
    assert landmarks[30, 0] > eyes[0] + 5
    assert measured(landmarks).yaw > 25


def test_a_positive_pitch_moves_the_nose_down():
    straight, down = look(), look(pitch=20)
    tip, eyes = 30, slice(36, 48)
    assert (down[tip] - down[eyes].mean(axis=0))[1] > (
        straight[tip] - straight[eyes].mean(axis=0)
    )[1]
    assert measured(down).pitch > 15


def test_a_positive_roll_tilts_the_top_of_the_head_to_the_left_of_the_image():
    landmarks = look(roll=20)
    assert landmarks[27, 0] < landmarks[8, 0] - 5
    assert measured(landmarks).roll > 15


@pytest.mark.parametrize("angles", POSES)
def test_angles_are_those_of_the_rendered_heads(angles):
    np.testing.assert_allclose(
        pose.rotation_matrix(*angles), Pose(*angles).rotation, atol=1e-12
    )
    np.testing.assert_allclose(
        pose.angles_of(pose.rotation_matrix(*angles)), angles, atol=1e-9
    )


def test_finds_the_pose_of_a_head_that_the_model_was_not_learned_from():
    points = expression()
    zero = measured(look(points=points))
    found = measured(look(30, 15, -10, points=points))
    # The zero of the pitch differs between heads. The built-in head is flatter.
    angles = (found.yaw, found.pitch - zero.pitch, found.roll)
    np.testing.assert_allclose(angles, (30, 15, -10), atol=3)


@pytest.mark.parametrize(
    "coefficients",
    [
        {"jawOpen": 1},
        {"mouthSmile": 1, "cheekSquint": 1},
        {"mouthPucker": 1},
        {"eyeBlink": 1},
        {"browInnerUp": 1, "browOuterUp": 1},
    ],
)
def test_an_expression_does_not_turn_the_head(coefficients):
    neutral = measured(look(20, 5, 0, points=expression()))
    moved = measured(look(20, 5, 0, points=expression(**coefficients)))
    for name in ("yaw", "pitch", "roll"):
        assert getattr(moved, name) == pytest.approx(getattr(neutral, name), abs=2)


def test_a_landmark_with_a_large_uncertainty_hardly_counts():
    landmarks = look(20, 5, 0)
    expected = measured(landmarks)
    wrong, sigma = landmarks.copy(), SIGMA.copy()
    wrong[48:68, 1] += 20
    sigma[48:68] = 200
    found = measured(wrong, sigma)
    assert found.pitch == pytest.approx(expected.pitch, abs=0.5)
    assert abs(measured(wrong).pitch - expected.pitch) > 1


def test_derivatives_of_the_angles():
    angles = np.array([35.0, -20.0, 15.0])
    rotation, step = pose.rotation_matrix(*angles), 1e-6
    numeric = [
        np.radians(np.array(pose.angles_of(fitting.rotation_of(v) @ rotation)) - angles)
        for v in step * np.eye(3)
    ]
    np.testing.assert_allclose(
        pose.angle_jacobian(*angles[1:]), np.stack(numeric, axis=1) / step, atol=1e-5
    )


def test_rotation_vectors_agree_with_opencv():
    for vector in np.random.default_rng(0).normal(0, 1, (5, 3)):
        np.testing.assert_allclose(
            fitting.rotation_of(vector), cv2.Rodrigues(vector)[0], atol=1e-12
        )
    np.testing.assert_allclose(fitting.rotation_of(np.zeros(3)), np.eye(3))


def error_model(sigma):
    """Independent noise (68, 2) and common patterns (P, 68, 2), with y down."""
    errors = landmark_errors.load()
    noise = np.hypot(sigma * errors.independent, fitting.MODEL_NOISE).T
    patterns = np.swapaxes(sigma * errors.patterns, 1, 2) * (1, -1)
    return noise, patterns


def test_the_covariance_is_the_inverse_hessian_of_the_posterior():
    """Finite differences of the negative log posterior, written down independently."""
    model = head.load()
    landmarks = look(30, 10, -5)
    fitted = fitting.fit(landmarks, SIGMA)
    unit = np.sqrt(np.prod(np.ptp(landmarks[:, :2], axis=0)))
    noise, patterns = error_model(SIGMA / unit)
    mean, deviation = fitting.PERSPECTIVE
    flat = model.shapes.reshape(len(model.shapes), -1)
    shape = np.linalg.lstsq(flat.T, (fitted.landmarks - model.mean).ravel())[0]
    # Exact landmarks have no common error, apart from what the shapes do not cover.
    start = np.concatenate([np.zeros(7), shape, np.zeros(len(patterns))])
    start[3:7] = (
        np.log(fitted.scale),
        fitted.perspective,
        *fitted.center / unit,
    )

    last = 7 + len(shape)

    def residuals(unknowns):
        rotation = cv2.Rodrigues(unknowns[:3])[0] @ fitted.rotation
        x, y, z = (
            rotation @ (model.mean + np.tensordot(unknowns[7:last], model.shapes, 1)).T
        )
        factor = np.exp(unknowns[3]) / unit / (1 - unknowns[4] * z)
        predicted = np.stack([factor * x, -factor * y], axis=1) + unknowns[5:7]
        predicted += np.tensordot(unknowns[last:], patterns, 1)
        data = (landmarks[:, :2] / unit - predicted) / noise
        prior = [(unknowns[4] - mean) / deviation, *unknowns[7:]]
        return np.concatenate([data.ravel(), prior])

    step = 1e-5
    columns = [
        (residuals(start + step * row) - residuals(start - step * row)) / (2 * step)
        for row in np.eye(len(start))
    ]
    jacobian = np.stack(columns, axis=1)
    expected = np.linalg.inv(jacobian.T @ jacobian)[:3, :3]
    np.testing.assert_allclose(fitted.covariance, expected, rtol=0.02, atol=1e-8)


def test_the_covariance_describes_the_scatter_of_noisy_heads():
    """Heads and landmarks drawn from the model's own distributions."""
    model, rng = head.load(), np.random.default_rng(1)
    scores = []
    for _ in range(150):
        points = model.landmarks(rng.standard_normal(len(model.shapes)))
        clean = look(25, 10, 5, points=points, distance=10)
        unit = np.sqrt(np.prod(np.ptp(clean[:, :2], axis=0)))
        noise, patterns = error_model(np.full(68, 1 / unit))
        error = noise * rng.standard_normal((68, 2))
        error += np.tensordot(rng.standard_normal(len(patterns)), patterns, 1)
        noisy = clean.copy()
        noisy[:, :2] += unit * error
        fitted = fitting.fit(noisy, np.ones(68))
        error = np.subtract(pose.angles_of(fitted.rotation), (25, 10, 5))
        scores.append(error / pose.fit_sigmas(fitted))
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(scores), axis=0)), 1, atol=0.2)


def test_a_larger_uncertainty_gives_larger_standard_deviations():
    sharp, blurred = (measured(look(10, 5, 0), sigma * SIGMA) for sigma in (1, 10))
    assert blurred.yaw_sigma > 1.5 * sharp.yaw_sigma
    assert blurred.pitch_sigma > 1.5 * sharp.pitch_sigma
    assert blurred.roll_sigma > 1.5 * sharp.roll_sigma


def placed(angles, position):
    """Landmarks of a mean head, in mm, at a position relative to the camera.

    Args:
      angles: Yaw, pitch and roll relative to the optical axis, in degrees.
      position: x right, y down, z away from the camera, in mm.

    Returns:
      Landmarks (68, 3) and the rotation in OpenCV's axes.
    """
    mean = head.load().mean
    eyes = mean[42:48].mean(axis=0) - mean[36:42].mean(axis=0)
    points = mean * pose.EYE_DISTANCE / np.linalg.norm(eyes)
    height, width = FRAME
    camera = np.array(
        [[FOCAL, 0, (width - 1) / 2], [0, FOCAL, (height - 1) / 2], [0, 0, 1]]
    )
    rotation = FLIP @ pose.rotation_matrix(*angles) @ FLIP
    xy = cv2.projectPoints(
        points @ FLIP, cv2.Rodrigues(rotation)[0], np.array(position), camera, None
    )[0][:, 0]
    z = -(points @ FLIP @ rotation.T)[:, 2:] * FOCAL / position[2]
    return np.concatenate([xy, z], axis=1), rotation


def test_position_in_millimetres():
    position = (120.0, -60.0, 900.0)
    landmarks, _ = placed((10, 5, 0), position)
    found = measured(landmarks, focal_length=FOCAL)
    np.testing.assert_allclose(found.position, position, rtol=0.02)


def test_without_a_focal_length_that_of_openface_is_assumed():
    landmarks = look()
    found = measured(landmarks)
    assert pose.default_focal_length(480, 640) == 500
    known = measured(landmarks, focal_length=FOCAL)
    assert found.position[2] == pytest.approx(known.position[2] * 500 / 900, rel=0.01)


def test_a_face_that_looks_into_the_camera_has_no_yaw_at_the_edge_of_the_frame():
    position = np.array([250.0, 0.0, 800.0])
    towards = -np.degrees(np.arctan2(position[0], position[2]))
    landmarks, _ = placed((towards, 0, 0), position)
    assert measured(landmarks, focal_length=FOCAL).yaw == pytest.approx(0, abs=2)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (20, -10, 15)])
def test_openface_uses_the_axes_of_the_camera(angles):
    landmarks, rotation = placed(angles, (150.0, 80.0, 800.0))
    found = measured(landmarks, focal_length=FOCAL).openface()
    x, y, z = (
        cv2.Rodrigues(angle * axis)[0]
        for angle, axis in zip(found[3:], np.eye(3), strict=True)
    )
    np.testing.assert_allclose(x @ y @ z, rotation, atol=0.02)
    np.testing.assert_allclose(found[:3], (150, 80, 800), rtol=0.03)


@pytest.mark.parametrize(
    ("angles", "expected"),
    [((0, 20, 0), (20, 0, 0)), ((20, 0, 0), (0, -20, 0)), ((0, 0, 20), (0, 0, -20))],
)
def test_signs_of_openface(angles, expected):
    head_pose = pose.HeadPose(*angles, 1, 1, 1, position=(0, 0, 500))
    np.testing.assert_allclose(
        np.degrees(head_pose.openface()[3:]), expected, atol=1e-9
    )


def test_rejects_unusable_landmarks():
    landmarks = look()
    with pytest.raises(ValueError, match="finite"):
        fitting.fit(np.where(np.arange(68)[:, None] == 3, np.nan, landmarks), SIGMA)
    with pytest.raises(ValueError, match="same point"):
        fitting.fit(np.zeros((68, 3)), SIGMA)
    with pytest.raises(ValueError, match="shape"):
        fitting.fit(landmarks[:, :2], SIGMA)
    with pytest.raises(ValueError, match="focal_length"):
        fitting.fit(landmarks, SIGMA, focal_length=0.0)
