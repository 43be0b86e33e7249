import dataclasses

import numpy as np
import pytest

from ethos_data.crop import Window
from ethos_model.footage.finder import Detection
from ethos_model.footage.hiding import plan
from ethos_model.footage.hiding.plan import plan_hiding
from ethos_model.footage.tracks import FrameFaces, TrackedFace
from ethos_model.predict import Face
from tests.gui import fakes

FPS = 10
SIDE = 50.0


def tracked(x, person=1, *, y=60.0, unsure=False, turned=False):
    """A face with its upper left corner at (x, y). A turned face lies on its side."""
    landmarks = fakes.template() * SIDE
    if turned:  # the top of the head points to the right
        landmarks = np.column_stack(
            [SIDE - landmarks[:, 1], landmarks[:, 0], landmarks[:, 2]]
        )
    landmarks += (x, y, 0)
    empty = np.zeros((0, 0), np.float32)
    face = Face(landmarks, np.ones(68), empty, empty, Window(0, 0, 1))
    return TrackedFace(person, face, unsure, 0.9)


def video(frames, faces=None, detections=None):
    """Frames with faces and detections, which are given by the number of the frame."""
    faces, detections = faces or {}, detections or {}
    return [
        FrameFaces(
            index,
            index / FPS,
            tuple(faces.get(index, ())),
            tuple(
                Detection(np.array(b, float), 0.9) for b in detections.get(index, ())
            ),
        )
        for index in range(frames)
    ]


def hidden(result, index, box):
    """Whether an area of the plan contains a box."""
    box = np.array(box, float)
    return any(
        (cover.box[:2] <= box[:2]).all() and (cover.box[2:] >= box[2:]).all()
        for cover in result.covers[index]
    )


def box_at(x, y=60.0):
    return (x, y, x + SIDE, y + SIDE)


def test_the_area_contains_forehead_ears_and_chin():
    result = plan_hiding(video(1, {0: [tracked(100)]}))
    (cover,) = result.covers[0]
    np.testing.assert_allclose(cover.box, [82.5, 27.5, 167.5, 127.5], atol=1)
    assert cover.face_size == pytest.approx(SIDE)
    assert result.doubts == ()


def test_the_forehead_of_a_head_on_its_side_is_hidden():
    result = plan_hiding(video(1, {0: [tracked(100, turned=True)]}))
    (cover,) = result.covers[0]
    np.testing.assert_allclose(cover.box, [82.5, 42.5, 182.5, 127.5], atol=1)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (0, [82.5, 27.5, 167.5, 127.5]),
        (1, [82.5, 42.5, 182.5, 127.5]),
        (2, [82.5, 42.5, 167.5, 142.5]),
        (3, [67.5, 42.5, 167.5, 127.5]),
    ],
)
def test_the_forehead_of_a_detection_in_any_direction_is_hidden(turns, expected):
    frame = video(1)[0]
    detection = Detection(np.array(box_at(100)), 0.9, turns)
    (cover,) = plan_hiding(
        [dataclasses.replace(frame, detections=(detection,))]
    ).covers[0]
    np.testing.assert_allclose(cover.box, expected, atol=1)


def test_a_face_is_hidden_before_its_first_and_after_its_last_find():
    frames = video(30, {i: [tracked(100)] for i in range(12, 18)})
    result = plan_hiding(frames)
    hidden_frames = [i for i in range(30) if result.covers[i]]
    assert hidden_frames == list(range(7, 23))  # half a second on both sides
    for i in hidden_frames:
        assert hidden(result, i, box_at(100))
    # The area grows, because the face may have moved.
    assert hidden(result, 22, box_at(120))


def test_a_gap_is_filled_between_the_finds():
    faces = {0: [tracked(100)], 10: [tracked(200)]}
    result = plan_hiding(video(11, faces))
    for i in range(11):
        assert hidden(result, i, box_at(100 + 10 * i))
    assert result.doubts == (f"frames 1 to 9 (0.10 s to 0.90 s): {plan.ESTIMATED}",)


def test_a_gap_is_filled_if_the_person_gets_a_new_number():
    faces = {0: [tracked(100, 1)], 15: [tracked(130, 2)]}
    result = plan_hiding(video(16, faces))
    for i in range(16):
        assert hidden(result, i, box_at(100 + 2 * i))


def test_a_long_gap_is_reported():
    faces = {0: [tracked(100, 1)], 60: [tracked(130, 1)]}
    result = plan_hiding(video(61, faces))
    assert [i for i in range(61) if not result.covers[i]] == list(range(6, 55))
    assert result.doubts == (f"frames 1 to 59 (0.10 s to 5.90 s): {plan.LOST}",)


def test_people_who_appear_minutes_later_are_not_reported():
    faces = {0: [tracked(100, 1)], 200: [tracked(130, 1)], 210: [tracked(900, 2)]}
    assert plan_hiding(video(220, faces)).doubts == ()


def test_faces_of_very_different_size_or_place_are_not_linked():
    faces = {0: [tracked(100, 1)], 5: [tracked(1000, 2)]}
    result = plan_hiding(video(6, faces))
    assert not hidden(result, 3, box_at(600))
    assert result.doubts == ()


def test_detections_without_a_track_are_hidden_and_linked():
    faces = {i: [tracked(300)] for i in range(8)}
    detections = {0: [box_at(100)], 1: [box_at(303)], 4: [box_at(108)]}
    result = plan_hiding(video(8, faces, detections))
    for i in range(5):
        assert hidden(result, i, box_at(100 + 2 * i))
        assert hidden(result, i, box_at(300))
    assert result.doubts == (f"frames 1 to 3 (0.10 s to 0.30 s): {plan.ESTIMATED}",)


def test_an_unsure_face_is_hidden_and_reported():
    faces = {i: [tracked(100, unsure=i == 2)] for i in range(5)}
    result = plan_hiding(video(5, faces))
    assert hidden(result, 2, box_at(100))
    assert result.doubts == (f"frame 2 (0.20 s): {plan.UNSURE}",)


def test_every_frame_has_an_entry():
    result = plan_hiding(video(4))
    assert result.covers == {0: [], 1: [], 2: [], 3: []}


def test_landmarks_that_are_not_finite_are_left_out():
    face = tracked(np.nan)
    assert plan_hiding(video(1, {0: [face]})).covers == {0: []}
