import numpy as np
import pytest

from ethos_model.footage.measures import HeadPose, Openness
from gui.drawing import palette
from gui.drawing.measures import AXIS_LENGTH, draw_axes, draw_openness
from tests.gui import fakes

NOSE = (200.0, 200.0)


@pytest.fixture
def landmarks():
    """A face of 100 x 100 pixels whose nose tip is at `NOSE`."""
    landmarks = fakes.template()[:, :2] * 100
    return landmarks + np.array(NOSE) - landmarks[30]


def pose(yaw=0.0, pitch=0.0, roll=0.0):
    return HeadPose(yaw, pitch, roll, 1.0, 1.0, 1.0, (0.0, 0.0, 700.0))


def ends(landmarks, head_pose):
    """Farthest pixel from the nose of each axis, relative to the nose."""
    canvas = np.zeros((400, 400, 3), np.uint8)
    draw_axes(canvas, landmarks, head_pose)
    result = []
    for color in palette.AXES:
        distance = np.abs(canvas.astype(int) - color).sum(axis=-1)
        rows, columns = np.nonzero(distance < 90)  # the lines have smooth edges
        # An axis that is hidden by another one ends at the nose.
        offsets = np.stack([[200, *columns], [200, *rows]], axis=-1) - NOSE
        result.append(offsets[np.argmax(np.linalg.norm(offsets, axis=-1))])
    return result


def test_the_axes_of_a_frontal_head(landmarks):
    side, up, forward = ends(landmarks, pose())
    length = 100 * AXIS_LENGTH
    np.testing.assert_allclose(side, (length, 0), atol=2)
    np.testing.assert_allclose(up, (0, -length), atol=2)
    assert np.linalg.norm(forward) < 12  # it points at the viewer


@pytest.mark.parametrize(
    ("angles", "axis", "direction"),
    [
        ({"yaw": 60}, 2, (1, 0)),  # turned to the right of the image
        ({"yaw": -60}, 2, (-1, 0)),
        ({"pitch": 60}, 2, (0, 1)),  # turned down
        ({"roll": 90}, 1, (-1, 0)),  # the top is at the left of the image
    ],
)
def test_a_turned_head_turns_its_axes(landmarks, angles, axis, direction):
    end = ends(landmarks, pose(**angles))[axis]
    length = np.linalg.norm(end)
    assert length > 100 * AXIS_LENGTH * 0.8
    assert end @ direction / length > 0.97


def openness(right, left):
    return Openness(right, left, 0.0, 0.05, 0.05, 0.05)


def bars(landmarks, value, width=400):
    """Number of filled pixels of each bar, from left to right; x of the first."""
    canvas = np.zeros((400, width, 3), np.uint8)
    draw_openness(canvas, landmarks, value)
    filled = (canvas == palette.SKY_BLUE).all(axis=-1).sum(axis=0)
    columns = np.flatnonzero(filled)
    split = np.flatnonzero(np.diff(columns) > 1)[0] + 1
    parts = columns[:split], columns[split:]
    return [int(filled[part].max()) for part in parts], int(columns[0])


def test_the_bars_show_the_openness_of_each_eye(landmarks):
    (right, left), start = bars(landmarks, openness(0.9, 0.3))
    assert right == pytest.approx(3 * left, abs=2)
    assert start > landmarks[:, 0].max()


def test_the_bars_move_to_the_other_side_at_the_edge_of_the_frame(landmarks):
    width = round(landmarks[:, 0].max()) + 10
    _, start = bars(landmarks, openness(0.5, 0.5), width)
    assert start < landmarks[:, 0].min()


def test_landmarks_far_outside_are_ignored(landmarks):
    canvas = np.zeros((100, 100, 3), np.uint8)
    for shift in (1e9, np.nan):
        draw_axes(canvas, landmarks + shift, pose(20, 10, 5))
        draw_openness(canvas, landmarks + shift, openness(0.5, 0.5))
