import numpy as np
import pytest

from ethos_data.depth.prior import shipped
from ethos_data.topology import MIRROR
from gui.correction import editing, groups
from tests.gui import fakes

POINTS = 100 * fakes.template()[:, :2]


def test_groups_contain_each_landmark_once_besides_the_whole_face():
    parts = [index for group in groups.EDITED[1:] for index in group.landmarks]
    assert sorted(parts) == list(range(68))
    assert groups.EDITED[0].landmarks == tuple(range(68))
    assert groups.EDITED[groups.group_of(36)].name == "Right eye"


def test_landmarks_have_different_sides():
    halves = np.concatenate([*editing.SIDES.values(), editing.MIDDLE])
    assert sorted(halves.tolist()) == list(range(68))
    assert set(MIRROR[editing.SIDES["right"]]) == set(editing.SIDES["left"])
    assert editing.side_of(36) == "right"
    assert editing.side_of(45) == "left"
    assert editing.side_of(8) is None


def test_names_of_landmarks():
    assert groups.landmark_name(36) == "36, right eye, outer corner"
    assert groups.landmark_name(38) == "38, right eye, upper lid"
    assert groups.landmark_name(40) == "40, right eye, lower lid"
    assert groups.landmark_name(8) == "8, outline, chin"


def test_move_changes_only_the_selected_points():
    moved = editing.move(POINTS, np.array([3, 5]), np.array([1.0, -2.0]))
    assert np.flatnonzero((moved != POINTS).any(axis=1)).tolist() == [3, 5]
    assert np.allclose(moved[3] - POINTS[3], (1, -2))


def test_rotate_is_clockwise_and_keeps_distances_and_the_centre():
    eye = np.array(groups.EDITED[5].landmarks)
    corner = POINTS[36] - editing.centre_of(POINTS[eye])  # at the left of the centre
    turned = editing.rotate(POINTS, eye, 90.0)
    centre = editing.centre_of(POINTS[eye])
    # Clockwise on the screen: what was at the left is at the top now (y points down).
    assert np.allclose(turned[36] - centre, (-corner[1], corner[0]))
    assert turned[36, 1] < centre[1]
    assert np.allclose(editing.rotate(turned, eye, 0.0), turned)
    back = turned
    for _ in range(9):
        back = editing.rotate(back, eye, -10.0)
    assert np.allclose(back, POINTS)


def test_scale_is_about_the_centre():
    mouth = np.array(groups.EDITED[7].landmarks)
    scaled = editing.scale(POINTS, mouth, 1.5)
    assert np.allclose(
        editing.centre_of(scaled[mouth]), editing.centre_of(POINTS[mouth])
    )
    extent = np.ptp(scaled[mouth], axis=0) / np.ptp(POINTS[mouth], axis=0)
    assert np.allclose(extent, 1.5)


def rotated(space, yaw, roll):
    """Points turned about the vertical axis, then in the image."""
    y, r = np.radians([yaw, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return space @ (tilt @ turn).T


@pytest.fixture(scope="module")
def symmetric():
    """The mean face, exactly symmetric, in pixels, y down."""
    space = shipped().mean[:68].astype(np.float64) * (120, -120, 120)
    mirrored = (space * (-1, 1, 1))[MIRROR]
    return (space + mirrored) / 2


@pytest.mark.parametrize("wrong", ["right", "left"])
@pytest.mark.parametrize("yaw", [0.0, 25.0, -40.0])
def test_mirror_restores_a_symmetric_head_in_any_pose(symmetric, wrong, yaw):
    space = rotated(symmetric, yaw, 12.0)
    spoilt = space[:, :2].copy()
    rng = np.random.default_rng(0)
    spoilt[editing.SIDES[wrong]] += rng.normal(0, 9, (29, 2))
    result = editing.mirror(spoilt, wrong, space[:, 2])
    assert np.abs(result - space[:, :2]).max() < 1e-6


def test_mirror_without_z_fits_a_frontal_face(symmetric):
    space = rotated(symmetric, 0.0, -20.0)
    spoilt = space[:, :2].copy()
    spoilt[editing.SIDES["left"]] += 5.0
    result = editing.mirror(spoilt, "left")
    assert np.abs(result - space[:, :2]).max() < 1e-6


def test_points_without_a_position_do_not_spoil_the_others():
    points = POINTS.copy()
    points[[30, 36]] = np.nan
    known = np.isfinite(points).all(axis=1)
    eye = np.array(groups.EDITED[5].landmarks)
    others = eye[1:]
    turned = editing.rotate(points, eye, 90.0)
    assert np.allclose(turned[others], editing.rotate(POINTS, others, 90.0)[others])
    # The template is symmetric: its halves are mirror images of each other.
    for side in editing.SIDES:
        mirrored = editing.mirror(points, side)
        assert np.allclose(mirrored[known], POINTS[known], atol=1e-6)
    assert np.isnan(editing.mirror(np.full((68, 2), np.nan), "left")).all()
