import functools

import numpy as np

from ethos_model.footage.refining import contradictions, gaps
from tests.ethos_model.footage.refining.frames import Film, frames, tracked, walk


def fill(film, found, others=None):
    """Fills the gaps of a person who was found in some of 40 frames."""
    faces = [[tracked(3, walk(i))] if i in found else [] for i in range(40)]
    for index, face in (others or {}).items():
        faces[index].append(face)
    entries = frames(faces)
    people = [contradictions.distinct(frame.faces, {}) for frame in entries]
    gaps.fill_gaps(entries, people, film.read, film)
    return people


FOUND = [*range(5, 12), *range(20, 30)]


def test_a_face_that_the_network_sees_is_added_between_two_faces():
    film = Film()
    people = fill(film, FOUND)
    assert film.read_frames == [*range(5), *range(12, 20)]
    assert [bool(faces) for faces in people] == [i < 30 for i in range(40)]
    for index in (*range(5), *range(12, 20)):
        face = people[index][3]
        assert np.abs(face.box - walk(index)).max() < 0.5
        assert face.face.depth.size == 0  # images are not kept in memory


def test_no_face_is_added_where_the_network_sees_none():
    people = fill(Film(hidden=range(14, 17)), FOUND)
    assert [i for i in range(40) if not people[i]] == [
        *range(14, 17),
        *range(30, 40),
    ]


def test_no_face_is_added_on_the_face_of_another_person():
    other = tracked(8, walk(15))
    people = fill(Film(), FOUND, {15: other})
    assert people[15] == {8: other}
    assert 3 in people[14]


def test_a_face_far_from_the_expected_place_is_not_added(monkeypatch):
    film = Film()
    show = film.world.show
    monkeypatch.setattr(
        film.world, "show", lambda *faces: show(*((p, b + 30) for p, b in faces))
    )
    people = fill(film, FOUND)
    assert not any(people[12:20])


def test_nothing_is_read_without_gaps():
    film = Film()
    fill(film, range(30))
    assert film.read_frames == []


def earlier(found, hidden=(), cuts=(), first=None, count=100):
    """Frames before the first face that are filled. The person stands."""
    film = Film(hidden)
    film.world.show = functools.partial(_standing, film.world.show)
    faces = [[tracked(3, walk(0))] if i in found else [] for i in range(count)]
    if first is not None:
        faces[found[0]] = [first]
    entries = frames(faces, cuts=cuts)
    people = [contradictions.distinct(frame.faces, {}) for frame in entries]
    gaps.fill_gaps(entries, people, film.read, film)
    return [i for i in range(found[0]) if people[i]]


def _standing(show, *faces):
    return show(*((person, walk(0)) for person, _ in faces))


def test_a_face_is_added_before_the_frame_in_which_it_was_found():
    found = range(70, 100)
    assert earlier(found) == list(range(20, 70))  # two seconds
    assert earlier(found, hidden=[40]) == list(range(41, 70))
    assert earlier(found, cuts=[60]) == list(range(60, 70))
    unsure = tracked(3, walk(0), sigma=0.06)
    assert earlier(found, first=unsure) == []


def test_a_person_who_moves_is_added_only_near_the_first_place():
    people = fill(Film(), range(30, 40))
    filled = [i for i in range(30) if people[i]]
    # The boxes are 2 pixels apart from frame to frame and 50 pixels wide.
    assert filled == list(range(30 - 8, 30))
