import numpy as np

from gui.correction.document import Document
from gui.correction.matching import People, box_of, match
from tests.gui.correction.faces import face


def box(x):
    return np.array([x, 40.0, x + 50, 100])


def test_faces_are_matched_by_position_whatever_their_numbers():
    corrected = [face(0, 1, x=60.0), face(0, 2, x=200.0)]
    assert match(corrected, {1: box(198.0), 2: box(63.0)}) == {1: 2, 2: 1}


def test_the_best_overlap_is_matched_first_and_only_once():
    corrected = [face(0, 1, x=60.0), face(0, 2, x=66.0)]
    assert match(corrected, {7: box(66.0)}) == {2: 7}


def test_a_face_without_landmarks_matches_nothing():
    empty = face(0)
    empty.points[:] = np.nan
    assert box_of(empty.points).tolist() == [0, 0, 0, 0]
    assert match([empty], {1: box(60.0)}) == {}


def test_people_keep_their_numbers_in_frames_without_corrections():
    document = Document([face(0, 1, x=60.0), face(0, 2, x=200.0)])
    people = People(document)
    people.follow(0, {1: box(200.0), 2: box(60.0)})
    # Later the two have crossed. The tracker followed them.
    assert people.person(1, 40, box(60.0)) == 2
    assert people.person(2, 40, box(200.0)) == 1


def test_people_are_recognised_by_the_nearest_correction_after_a_new_start():
    document = Document([face(10, 1, x=60.0), face(10, 2, x=200.0)])
    people = People(document)
    assert people.person(1, 12, box(204.0)) == 2
    assert people.person(2, 12, box(66.0)) == 1


def test_a_face_never_replaces_another_face_of_the_frame():
    people = People(Document([face(0, 1, x=60.0), face(9, 1, x=60.0)]))
    people.follow(0, {4: box(60.0)})
    assert people.person(4, 9, box(300.0)) != 1  # person 1 is elsewhere in frame 9


def test_a_new_person_gets_a_free_number():
    document = Document([face(10, 1, x=60.0), face(10, 2, x=200.0)])
    people = People(document)
    assert people.person(1, 12, box(500.0)) == 3
    assert people.person(5, 12, box(700.0)) == 5
    assert people.new_person(12) == 6


def test_a_number_that_the_tracker_replaced_is_followed():
    people = People(Document([face(0, 4, x=60.0)]))
    people.follow(0, {1: box(60.0)})
    people.follow(9, {3: box(90.0)}, renumbered={1: 3})
    assert people.person(3, 9, box(500.0)) == 4


def test_another_numbering_forgets_the_tracked_numbers():
    people = People(Document([face(0, 4, x=60.0)]))
    people.follow(0, {1: box(60.0)})
    people.follow(5, {}, numbering=1)
    assert people.person(1, 5, box(500.0)) == 1


def test_the_people_of_unrelated_images_are_numbered_in_each_image():
    document = Document([face(0, 1, x=60.0)])
    people = People(document, unrelated=True)
    people.follow(1, {5: box(61.0), 6: box(300.0)})
    assert people.person(6, 1, box(300.0)) == 1
    assert people.person(5, 1, box(61.0)) == 2
    people.follow(0, {5: box(61.0), 6: box(300.0)})
    assert people.person(6, 0, box(300.0)) == 2
