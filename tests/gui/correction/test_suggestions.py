"""The order in which faces are suggested for a correction."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gui.correction import suggestions
from tests.ethos_data.videos import face_points


def turned(yaw: float, roll: float = 0.0, size: float = 60.0) -> np.ndarray:
    """Returns landmarks of a head turned by angles in degrees, (68, 3)."""
    vector = np.radians([0.0, yaw, 0.0])
    rotation = cv2.Rodrigues(np.radians([0.0, 0.0, roll]))[0] @ cv2.Rodrigues(vector)[0]
    return face_points() @ rotation.T * size + (200, 150, 0)


def order_of(landmarks, sigma=1.0, frames=None, people=0, corrected=()):
    count = len(landmarks)
    done = np.zeros(count, bool)
    done[list(corrected)] = True
    uncertainty = np.broadcast_to(np.reshape(sigma, (-1, 1)), (count, 68))
    frames = np.arange(count) * 1000 if frames is None else np.array(frames)
    return suggestions.most_useful(
        np.stack(landmarks),
        uncertainty,
        frames,
        np.broadcast_to(people, count),
        done,
    ).tolist()


def test_every_face_without_a_correction_is_suggested_once():
    rng = np.random.default_rng(0)
    faces = [turned(yaw) for yaw in rng.uniform(-40, 40, 300)]
    order = order_of(faces, rng.uniform(1, 2, 300), corrected=[3, 50])
    assert sorted(order) == sorted(set(range(300)) - {3, 50})
    assert order_of([turned(0), turned(9)], corrected=[0, 1]) == []
    assert order_of([turned(0)]) == [0]


def test_of_equal_faces_the_most_uncertain_comes_first():
    assert order_of([turned(0)] * 3, sigma=[1.0, 3.0, 2.0], people=[0, 1, 2])[0] == 1


def test_uncertainty_counts_in_relation_to_the_face():
    # 2 pixels of a face of 240 pixels are less than 1 pixel of a face of 60 pixels.
    faces = [turned(0, size=240), turned(0, size=60)]
    assert order_of(faces, sigma=[2.0, 1.0], people=[0, 1])[0] == 1


def test_a_shape_that_many_uncertain_faces_share_comes_first():
    faces = [turned(0), turned(35), turned(-1), turned(2)]
    sizes = [float(np.sqrt(np.prod(np.ptp(face[:, :2], axis=0)))) for face in faces]
    sigma = np.array([1.0, 1.1, 1.0, 1.0]) * sizes
    assert order_of(faces[:2], sigma[:2], people=[0, 1])[0] == 1
    assert order_of(faces, sigma)[0] != 1


def test_the_next_face_differs_from_the_corrected_faces():
    faces = [turned(0), turned(1), turned(40), turned(2)]
    assert order_of(faces, corrected=[0])[0] == 2
    # Roll, place and size do not make a face different.
    faces = [turned(0), turned(0, roll=30, size=90) + 50, turned(15)]
    assert order_of(faces, corrected=[0])[0] == 2


def test_a_frame_next_to_a_corrected_frame_comes_late():
    faces = [turned(0)] * 4
    assert order_of(faces, frames=[10, 11, 12, 90], corrected=[0])[0] == 3


def test_another_person_comes_before_another_frame():
    faces = [turned(0)] * 3
    order = order_of(faces, frames=[0, 400, 800], people=[0, 0, 1], corrected=[0])
    assert order[0] == 2


def test_faces_that_contradict_each_other_come_first():
    faces = [turned(yaw) for yaw in np.linspace(-10, 10, 9)] * 2
    faces[13] = faces[13].copy()
    faces[13][:17, 0] += 6  # pixels; the outline jumps for one frame
    people, frames = np.repeat([0, 1], 9), np.tile(np.arange(9), 2)
    assert order_of(faces, frames=frames, people=people)[0] in (12, 13, 14)


def test_failures_of_the_model_do_not_hide_the_other_faces():
    faces = [turned(0)] * 30 + [turned(60)] * 2
    sigma = [1.0] * 30 + [40.0] * 2
    assert order_of(faces, sigma)[0] < 30


def test_a_steady_turn_of_the_head_is_no_contradiction():
    faces = [turned(yaw) for yaw in np.linspace(-20, 20, 9)]
    shapes = suggestions._upright(np.stack(faces)[..., :2], np.full(9, 60.0))
    sigma = np.full((9, 68), 1 / 60)
    ratio = suggestions._contradiction(shapes, sigma, np.arange(9), np.zeros(9))
    assert ratio.max() < 0.1


def test_a_long_video_is_ordered_completely(monkeypatch):
    monkeypatch.setattr(suggestions, "MAX_STEPS", 5)
    monkeypatch.setattr(suggestions, "MAX_COVERED", 20)
    monkeypatch.setattr(suggestions, "MAX_CANDIDATES", 50)
    rng = np.random.default_rng(1)
    sigma, yaws = rng.uniform(1, 3, 100), rng.uniform(-30, 30, 100)
    order = order_of([turned(y) for y in yaws], sigma, people=np.arange(100))
    assert sorted(order) == list(range(100))
    # The faces after the first five are in the order of their need.
    sizes = [float(np.sqrt(np.prod(np.ptp(turned(y)[:, :2], axis=0)))) for y in yaws]
    need = sigma / sizes
    assert order[5:] == sorted(order[5:], key=lambda index: -need[index])


@pytest.mark.parametrize("axes", [2, 3])
def test_z_does_not_matter(axes):
    rng = np.random.default_rng(2)
    faces = [turned(yaw)[:, :axes] for yaw in rng.uniform(-40, 40, 20)]
    expected = order_of([face[:, :2] for face in faces])
    assert order_of(faces) == expected
