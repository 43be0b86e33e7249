import dataclasses

import pytest

from ethos_model.footage.refining import contradictions
from tests.ethos_model.footage.refining.frames import frames, tracked, walk
from tests.ethos_model.footage.world import box_at


def test_people_get_their_final_numbers():
    faces = [tracked(7, walk(0)), tracked(2, box_at(200))]
    people = contradictions.distinct(faces, {7: 5, 5: 3})
    assert list(people) == [3, 2]
    assert people[3] is faces[0]


@pytest.mark.parametrize("sure_id", [2, 5])
def test_a_number_belongs_to_one_face_only(sure_id):
    """Number 5 turned out to be number 2, while 2 was on the face of somebody else."""
    sure = tracked(sure_id, walk(0))
    doubtful = tracked(7 - sure_id, box_at(200), sigma=0.05)
    crossed = dataclasses.replace(tracked(7 - sure_id, box_at(200)), unsure=True)
    for other in (doubtful, crossed):
        for faces in ([sure, other], [other, sure]):
            people = contradictions.distinct(faces, {5: 2})
            assert people == {2: sure, 5: other}


def test_the_losing_face_keeps_its_number_in_any_order():
    """Numbers 5 and 6 turned out to be number 3."""
    winner, loser = tracked(5, walk(0)), tracked(6, box_at(200), sigma=0.05)
    for faces in ([winner, loser], [loser, winner]):
        people = contradictions.distinct(faces, {5: 3, 6: 3})
        assert people == {3: winner, 6: loser}


def film(count, sigma, start=20):
    faces = [[] for _ in range(60)]
    for index in range(start, start + count):
        faces[index] = [tracked(1, walk(index), sigma=sigma)]
    return frames(faces)


def remaining(film):
    people = [contradictions.distinct(frame.faces, {}) for frame in film]
    contradictions.remove_short(film, people)
    return sum(map(len, people))


def test_only_short_and_unsure_segments_are_removed():
    assert remaining(film(8, 0.07)) == 0
    assert remaining(film(8, 0.03)) == 8
    assert remaining(film(20, 0.07)) == 20


def test_a_face_that_was_found_twice_is_removed():
    faces = [[tracked(1, walk(i))] for i in range(60)]
    for index in range(20, 24):
        faces[index].append(tracked(2, walk(index) + 8))
    people = [contradictions.distinct(people, {}) for people in faces]
    contradictions.remove_short(frames(faces), people)
    assert all(list(numbers) == [1] for numbers in people)


def test_segments_at_the_ends_stay_because_they_may_be_longer():
    assert remaining(film(8, 0.07, start=0)) == 8
    assert remaining(film(8, 0.07, start=52)) == 8
