"""Tests of the reconstruction of all people, and of their portraits."""

import numpy as np
import pytest

from ethos_model.footage.fusion import people
from ethos_model.footage.fusion.people import FusedPeople, Portraits
from ethos_model.footage.tracks import TrackedFace
from tests.ethos_model.footage.fusion.heads import face_at, head, noisy


class Average:
    """A network that returns the mean image."""

    def __call__(self, inputs):
        return inputs[..., 3:6], np.full(inputs.shape[:2], 0.05, np.float32)


@pytest.fixture
def fused():
    return FusedPeople(64, network=Average())


def tracked(person, *, scale=1.0, unsure=False):
    _, landmarks = head()
    return TrackedFace(person, face_at(landmarks * np.float32(scale)), unsure, 0.9)


def portraits_of(fused, frames):
    image, _ = head()
    portraits = Portraits(fused)
    for index, faces in frames:
        weights = fused.add(index, noisy(image, 15, index), faces)
        portraits.add(index, faces, weights)
    return portraits.finished()


def test_the_largest_sure_face_is_chosen(fused):
    frames = [
        (0, [tracked(1)]),
        (1, [tracked(1, scale=1.1)]),
        (2, [tracked(1, scale=1.2, unsure=True), tracked(7)]),
    ]
    found = portraits_of(fused, frames)
    assert [(portrait.person, portrait.index) for portrait in found] == [(1, 1), (7, 2)]
    assert found[0].fused.image.shape == (64, 64, 3)


def test_a_person_who_is_never_sure_has_a_portrait(fused):
    (portrait,) = portraits_of(fused, [(5, [tracked(3, unsure=True)])])
    assert (portrait.person, portrait.index) == (3, 5)


def test_a_portrait_is_made_of_the_frames_around_the_best(fused, monkeypatch):
    monkeypatch.setattr(people, "AFTER", 3)
    monkeypatch.setattr(people, "REMEMBERED", 6)
    frames = [(k, [tracked(1, scale=1.05 if k == 8 else 1.0)]) for k in range(16)]
    (portrait,) = portraits_of(fused, frames)
    assert portrait.index == 8
    assert sorted(portrait.weights) == [6, 7, 8, 9, 10, 11]
    assert all(0 <= weight <= 1 for weight in portrait.weights.values())


def test_a_person_who_leaves_early_has_a_portrait(fused):
    stays, leaves = tracked(2), tracked(1)
    frames = [
        (index, [stays, leaves] if index < 5 else [stays])
        for index in range(people.FORGET + 20)
    ]
    found = {portrait.person: portrait for portrait in portraits_of(fused, frames)}
    assert sorted(found) == [1, 2]
    assert sorted(found[1].weights) == list(range(5))


def test_the_weights_are_those_of_the_frames_since_the_last_start(fused):
    again = people.FORGET + 20
    frames = [(index, [tracked(1)]) for index in range(3)]
    frames += [(again + k, [tracked(1, scale=1.2)]) for k in range(4)]
    (portrait,) = portraits_of(fused, frames)
    assert sorted(portrait.weights) == [again + k for k in range(4)]


def test_a_person_who_was_away_starts_again(fused):
    image, _ = head()
    for index in range(4):
        fused.add(index, image, [tracked(1)])
    later = tracked(1)
    fused.add(people.FORGET + 10, image, [later])
    assert fused.result(later).frames == 1


def test_a_person_who_was_not_added_is_an_error(fused):
    with pytest.raises(ValueError, match="Person 4"):
        fused.result(tracked(4))


@pytest.mark.parametrize("uncertainty", [0.01, 0.1])
def test_quality_without_measures_falls_with_sigma(uncertainty):
    face = tracked(1)
    face.face.uncertainty[:] = uncertainty * people._size(face)
    expected = 1 / (1 + (uncertainty / 0.03) ** 2)
    assert people.quality(face) == pytest.approx(expected, rel=1e-3)
