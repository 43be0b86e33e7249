import numpy as np
import pytest

from ethos_model.footage import identity, recognition
from ethos_model.footage.identity import Template, common_part, describe, log_odds
from ethos_model.footage.track_state import Track
from tests.ethos_model.footage.world import World, box_at, face_of


def rotation(yaw, roll):
    cy, sy, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_y @ about_z


def test_a_normalised_shape_does_not_depend_on_the_pose():
    rng = np.random.default_rng(0)
    shape = rng.normal(0, 1, (68, 3))
    reference = identity.projections().reference
    expected = identity.normalized_shape(shape, reference)
    moved = 7 * shape @ rotation(0.4, -0.2).T + (30, -5, 2)
    np.testing.assert_allclose(
        identity.normalized_shape(moved, reference), expected, atol=1e-9
    )


def test_a_mirrored_shape_is_not_the_same_shape():
    shape = np.random.default_rng(0).normal(0, 1, (68, 3))
    reference = identity.projections().reference
    mirrored = identity.normalized_shape(shape * (-1, 1, 1), reference)
    assert np.abs(mirrored - identity.normalized_shape(shape, reference)).max() > 0.1


def template_of(person, box=None, frames=1, light=1.0):
    world = World()
    box = box_at(100) if box is None else box
    frame = (light * world.show((person, box))).astype(np.uint8)
    template = Template()
    for _ in range(frames):
        template.add(describe(frame, face_of(person, box, 0.02)))
    return template


def test_a_person_resembles_himself_more_than_others():
    known = [template_of(person) for person in range(1, 5)]
    common = common_part(known)
    for person in range(1, 5):
        seen = template_of(person, box_at(40, 60, 30), light=0.5)
        odds = [log_odds(template, seen, common) for template in known]
        assert int(np.argmax(odds)) == person - 1
        assert max(odds) > recognition.MIN_LOG_ODDS
        assert sorted(odds)[-1] - sorted(odds)[-2] > recognition.MIN_MARGIN


def test_an_empty_template_says_nothing():
    assert log_odds(Template(), template_of(1), 0.0) == 0.0


def test_templates_are_weighted_means():
    template, other = Template(), Template()
    template.add(np.array([1.0, 0.0]), 3.0)
    other.add(np.array([0.0, 1.0]), 1.0)
    template.merge(other)
    template.merge(Template())
    np.testing.assert_allclose(template.mean, [0.75, 0.25])
    assert template.count == 4


@pytest.mark.parametrize("box", [box_at(-30, -20), box_at(300, 140), box_at(0, 0, 3)])
def test_faces_at_the_border_of_the_frame_are_described(box):
    frame = World().show((1, box))
    assert np.isfinite(describe(frame, face_of(1, box, 0.02))).all()


def track_of(person, box, seen=0.0):
    track = Track(person, box, face_of(person, box, 0.02), 0.9, seen, seen)
    track.template = template_of(person, frames=5)
    return track


def test_the_position_counts_only_for_a_short_time():
    track = track_of(1, box_at(100))
    near, far = box_at(110), box_at(600)
    soon, late = 0.2, 10.0
    assert recognition.position_log_odds(track, near, soon) > 3
    assert recognition.position_log_odds(track, far, soon) < -3
    assert recognition.position_log_odds(track, near, late) == 0
    track.is_placed = False  # after a cut
    assert recognition.position_log_odds(track, near, soon) == 0


def test_several_new_faces_are_assigned_together():
    lost = [track_of(person, box_at(100 * person)) for person in (1, 2, 3)]
    for track in lost:
        track.is_placed = False
    faces = [(box_at(50 * k), template_of(k)) for k in (3, 4, 1)]
    common = common_part([*(t.template for t in lost), *(t for _, t in faces)])
    people = recognition.recognize(faces, lost, common, 20.0)
    assert [person and person.id for person in people] == [3, None, 1]


def test_numbers_are_exchanged_back_after_a_contact():
    first, second = track_of(1, box_at(20)), track_of(2, box_at(200))
    recognition.note_contact(first, second)
    for track, person in ((first, 2), (second, 1)):  # they changed places
        for _ in range(4):
            track.fresh.merge(template_of(person))
    common = common_part([first.template, second.template])
    assert recognition.settle_contact(first, second, common)
    assert (first.id, second.id) == (2, 1)
    assert not first.partners
    assert first.fresh is None
