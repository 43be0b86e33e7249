import dataclasses

import numpy as np
import pytest

from gui.correction.document import MAX_GAP, Document, Span, corrected_face
from tests.gui.correction.faces import face


def between(first, last, person=1):
    """Interpolated faces between two frames."""
    return [
        dataclasses.replace(face(frame, person), interpolated=True)
        for frame in range(first + 1, last)
    ]


def test_changes_are_undone_and_repeated_without_limit():
    document = Document()
    for count in range(300):
        document.put(face(count % 3, x=float(count)))
    states = [document.get(2, 1).points[0, 0]]
    for _ in range(299):
        document.undo()
    assert [f.frame for f in document.faces()] == [0]
    assert document.undo() == (0, 1)
    assert document.undo() is None
    assert document.faces() == []
    for _ in range(300):
        document.redo()
    assert document.redo() is None
    assert document.get(2, 1).points[0, 0] == states[0]


def test_a_new_change_ends_redo():
    document = Document()
    document.put(face(0, x=1.0))
    document.put(face(0, x=2.0))
    document.undo()
    document.put(face(0, x=3.0))
    assert document.redo() is None
    document.undo()
    assert document.get(0, 1).points[:, 0].min() == 1.0


def test_changes_with_the_same_tag_are_one_step():
    document = Document()
    document.put(face(0, x=1.0))
    for x in (2.0, 3.0, 4.0):
        document.put(face(0, x=x), tag="nudge 36")
    document.put(face(0, x=5.0), tag="nudge 37")
    document.undo()
    assert document.get(0, 1).points[:, 0].min() == 4.0
    document.undo()
    assert document.get(0, 1).points[:, 0].min() == 1.0
    document.redo()
    document.put(face(0, x=9.0), tag="nudge 36")  # not added to the repeated step
    document.undo()
    assert document.get(0, 1).points[:, 0].min() == 4.0


def test_removing_can_be_undone():
    document = Document([face(4)])
    assert document.remove(4, 1)
    assert not document.remove(4, 1)
    assert document.at(4) == []
    assert document.undo() == (4, 1)
    assert document.at(4)[0].face == 1


def test_spans_are_between_neighbouring_corrections_of_a_person():
    far = 10 + MAX_GAP + 1
    document = Document([face(0), face(10), face(11), face(far + 1), face(5, 2)])
    assert [(s.person, s.first.frame, s.last.frame) for s in document.spans()] == [
        (1, 0, 10)
    ]


def test_filled_spans_are_marked_and_belong_to_their_ends():
    document = Document([face(0), face(4)])
    (span,) = document.spans()
    assert not document.is_filled(span)
    assert document.fill(span, between(0, 4))
    assert document.is_filled(span)
    assert [f.interpolated for f in document.faces()] == [False] + 3 * [True] + [False]
    assert document.frames() == [0, 4]
    assert document.frames(interpolated=True) == [1, 2, 3]
    # The user corrects an interpolated face: it is a correction now.
    document.put(document.get(2, 1))
    assert document.frames() == [0, 2, 4]
    assert not document.get(2, 1).interpolated
    # Undone, the span is whole again but has to be computed again.
    document.undo()
    assert [(s.first.frame, s.last.frame) for s in document.spans()] == [(0, 4)]
    assert not document.is_filled(document.spans()[0])
    # Without an end, nothing is interpolated.
    document.remove(4, 1)
    assert [f.frame for f in document.faces()] == [0]


def test_a_late_result_is_dropped_if_an_end_has_changed():
    document = Document([face(0), face(4)])
    (span,) = document.spans()
    document.put(face(4, x=90.0))
    assert not document.fill(span, between(0, 4))
    assert document.frames(interpolated=True) == []
    assert document.fill(document.spans()[0], between(0, 4))


def test_a_span_is_computed_again_when_an_end_changes():
    document = Document([face(0), *between(0, 4), face(4)])
    assert document.is_filled(document.spans()[0])  # as it was saved
    document.put(face(4, x=90.0))
    (span,) = document.spans()
    assert not document.is_filled(span)
    assert document.frames(interpolated=True) == [1, 2, 3]  # until they are replaced
    document.fill(span, between(0, 4))
    assert document.is_filled(span)
    document.undo()
    assert not document.is_filled(document.spans()[0])


def test_faces_outside_the_span_are_not_taken():
    document = Document([face(0), face(4), face(0, 2)])
    (span,) = document.spans()
    wrong = [*between(-1, 8), *between(0, 4, person=2)]
    document.fill(span, wrong)
    assert [(f.frame, f.face) for f in document.faces()] == [
        *((0, 1), (0, 2), (1, 1), (2, 1), (3, 1), (4, 1))
    ]


def test_a_correction_of_another_person_keeps_interpolated_faces():
    document = Document([face(0), *between(0, 3), face(3)])
    document.put(face(1, 2))
    assert document.frames(interpolated=True) == [1, 2]


def test_every_change_has_a_new_version():
    document = Document()
    versions = [document.version]
    document.put(face(0))
    versions.append(document.version)
    document.put(face(3))
    versions.append(document.version)
    document.fill(Span(document.get(0, 1), document.get(3, 1)), between(0, 3))
    versions.append(document.version)
    document.clear_interpolated()
    versions.append(document.version)
    assert len(set(versions)) == 5
    assert document.frames(interpolated=True) == []


def test_arrays_of_a_correction_are_its_own():
    points = np.zeros((68, 2))
    made = corrected_face(0, 0.0, 1, points, np.full(68, 2))
    points += 1
    assert made.points.max() == pytest.approx(0.0)


def test_a_landmark_without_a_position_gets_no_label():
    points = np.zeros((68, 2))
    points[3, 1] = np.nan
    corrected = corrected_face(0, 0.0, 1, points, np.full(68, 2, np.uint8))
    assert np.flatnonzero(corrected.visible != 2).tolist() == [3]
    assert corrected.visible[3] == 0
    assert corrected.visible.dtype == np.uint8
