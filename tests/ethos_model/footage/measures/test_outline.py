"""The visible outline, compared with the outline of rendered heads."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import learn_outline
from ethos_data import topology
from ethos_data.crop import Window
from ethos_data.heads.figure import sample_figure
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import HAIR
from ethos_data.heads.pose import Pose, aim, posed_vertices
from ethos_data.heads.raster import trace
from ethos_model.footage.measures import head, outline
from ethos_model.predict import Face

SIDE = 240
SIGMA = np.full(68, 0.5)


def rendered(yaw: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (68, 3) and the pixels of the head's skin, bool (H, W)."""
    figure = sample_figure(HeadModel.builtin(), np.random.default_rng(seed))
    pose = Pose(yaw, 0, 0, 0.4 * yaw)
    camera = aim(
        figure,
        pose,
        height=SIDE,
        width=SIDE,
        face_size=110,
        center=(SIDE / 2, SIDE / 2),
        distance=120,
    )
    expression = np.zeros(figure.model.num_expression, np.float32)
    vertices = posed_vertices(figure, expression, pose)
    hits = trace(vertices, figure.triangles, camera)
    skin = (hits.triangle >= 0) & (figure.parts[hits.triangle] < HAIR)
    landmarks = camera.project(vertices[figure.model.landmarks68])
    landmarks[:, 2] -= landmarks[topology.EYES, 2].mean()
    return landmarks, skin


def distances(landmarks: np.ndarray, skin: np.ndarray, side: int) -> np.ndarray:
    """Distances of the far cheek's landmarks from the edge of the skin, in % of a face.

    The edge is that of the row of the landmark. `side` is 1 for the right.
    """
    size = topology.face_size(topology.face_box(landmarks))
    found = []
    for x, y in landmarks[np.r_[10:14] if side > 0 else np.r_[3:7], :2]:
        columns = np.flatnonzero(skin[round(y)])
        edge = columns.max() if side > 0 else columns.min()
        found.append(abs(x - edge))
    return 100 * np.array(found) / size


@pytest.mark.parametrize("yaw", [40.0, -40.0])
def test_the_landmarks_of_the_far_cheek_move_to_its_edge(yaw):
    before, after = [], []
    for seed in range(4):
        landmarks, skin = rendered(yaw, seed)
        moved = outline.visible_outline(landmarks, SIGMA)
        side = 1 if yaw > 0 else -1
        before.append(distances(landmarks, skin, side))
        after.append(distances(moved, skin, side))
        np.testing.assert_array_equal(moved[17:], landmarks[17:].astype(np.float32))
        near = np.r_[0:6] if yaw > 0 else np.r_[11:17]
        shift = np.linalg.norm((moved - landmarks)[near, :2], axis=1)
        assert shift.max() < 0.02 * 110
    assert np.mean(before) > 4
    assert np.mean(after) < np.mean(before) / 2


def test_a_frontal_face_keeps_its_outline():
    landmarks, _ = rendered(0, 1)
    moved = outline.visible_outline(landmarks, SIGMA)
    size = topology.face_size(topology.face_box(landmarks))
    shift = np.linalg.norm((moved - landmarks)[:, :2], axis=1) / size
    assert shift.mean() < 0.01


def test_turned_in_the_image_plane_the_outline_is_the_same():
    landmarks, _ = rendered(40, 2)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = landmarks.copy()
    turned[:, :2] = landmarks[:, :2] @ turn.T
    expected = outline.visible_outline(landmarks, SIGMA)
    found = outline.visible_outline(turned, SIGMA)
    np.testing.assert_allclose(found[:, :2], expected[:, :2] @ turn.T, atol=3)


def test_a_face_gets_the_outline_of_its_convention():
    landmarks, _ = rendered(40, 3)
    empty = np.zeros((0, 0), np.float32)
    face = Face(landmarks, SIGMA, empty, empty, Window(0, 0, 100))
    assert outline.with_outline(face, "anatomical") is face
    visible = outline.with_outline(face, "visible")
    np.testing.assert_array_equal(
        visible.landmarks, outline.visible_outline(landmarks, SIGMA)
    )
    with pytest.raises(ValueError, match="Received: 'round'"):
        outline.with_outline(face, "round")


def test_landmarks_that_are_not_finite_do_not_move():
    landmarks, _ = rendered(40, 3)
    landmarks[5] = np.nan
    moved = outline.visible_outline(landmarks, SIGMA)
    np.testing.assert_array_equal(moved, landmarks.astype(np.float32))


def test_the_lines_are_those_of_the_builtin_head():
    """The stored lines lie on the surface, and begin at the landmarks."""
    lines = outline._lines()
    np.testing.assert_allclose(lines[:, 0], head.load().mean[:17], atol=1e-6)
    np.testing.assert_allclose(lines[::-1] * (-1, 1, 1), lines, atol=0.02)
    # A sphere that is cut by a plane through its centre gives a great circle.
    angles = np.linspace(0, 2 * np.pi, 40)
    tilts = np.linspace(0.05, np.pi - 0.05, 30)
    grid = np.array(
        [
            (np.sin(t) * np.cos(a), np.cos(t), np.sin(t) * np.sin(a))
            for t in tilts
            for a in angles
        ]
    )
    index = np.arange(len(grid)).reshape(30, 40)
    corners = [index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]]
    a, b, c, d = (corner.ravel() for corner in corners)
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    start = np.array([1.0, 0, 0])
    cut = learn_outline.section(grid, triangles, start, np.array([0, 1.0, 0]))
    for line in learn_outline.chained(cut, start):
        points = learn_outline.resampled(line, 9, np.pi / 2)
        assert np.linalg.norm(points, axis=1) == pytest.approx(np.ones(9), abs=0.02)
        assert abs(points[-1, 2]) == pytest.approx(1, abs=0.03)
        assert np.abs(points[:, 1]).max() < 0.01


def test_points_are_aligned_by_a_similarity():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(68, 3))
    u, _, vt = np.linalg.svd(rng.normal(size=(3, 3)))
    rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    target = 0.3 * source @ rotation.T + (1, 2, 3)
    points = rng.normal(size=(5, 3))
    np.testing.assert_allclose(
        learn_outline.aligned(points, source, target),
        0.3 * points @ rotation.T + (1, 2, 3),
    )
