import dataclasses

from ethos_model.footage.refining.segments import Segment, segments
from tests.ethos_model.footage.refining.frames import frames, tracked, walk


def people_in(places):
    return [{1: tracked(1, walk(0))} if place in places else {} for place in range(120)]


def test_segments_end_at_cuts_and_long_gaps():
    film = frames([[]] * 120, cuts=[30])
    places = [*range(10, 20), *range(25, 40), *range(91, 100)]
    found = segments(film, people_in(places))
    assert [(s.places[0], s.places[-1]) for s in found] == [
        (10, 29),
        (30, 39),
        (91, 99),
    ]
    # A gap of exactly two seconds does not end a segment.
    places = [10, 60]
    assert segments(frames([[]] * 120), people_in(places)) == [Segment(1, (10, 60))]


def test_a_timestamp_that_does_not_increase_ends_a_segment():
    film = frames([[]] * 120)
    film[15] = dataclasses.replace(film[15], timestamp=film[14].timestamp)
    found = segments(film, people_in(range(10, 20)))
    assert [s.places for s in found] == [tuple(range(10, 15)), tuple(range(15, 20))]
