from ethos_model.footage.refining import contradictions
from tests.ethos_model.footage.refining.frames import frames, tracked, walk
from tests.ethos_model.footage.world import box_at


def test_people_get_their_final_numbers():
    faces = [tracked(7, walk(0)), tracked(2, box_at(200))]
    people = contradictions.distinct(faces, {7: 5, 5: 3})
    assert list(people) == [3, 2]
    assert people[3] is faces[0]


def test_a_person_in_two_places_is_where_the_network_is_certain():
    sure, doubtful = tracked(4, walk(0)), tracked(3, box_at(200), sigma=0.05)
    for faces in ([sure, doubtful], [doubtful, sure]):
        assert contradictions.distinct(faces, {4: 3}) == {3: sure}


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


def test_segments_at_the_ends_stay_because_they_may_be_longer():
    assert remaining(film(8, 0.07, start=0)) == 8
    assert remaining(film(8, 0.07, start=52)) == 8
