import numpy as np
import pytest

from ethos_data.topology import face_box, iou
from ethos_model.footage.finder import Detection
from ethos_model.footage.people import People
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from tests.ethos_model.footage.world import World, box_at, face_of

OTHER_SHOT = np.random.default_rng(1).integers(0, 200, (9, 16, 3))
"""A picture unlike the world's frames."""


def tracker_of(world, **options):
    return FaceTracker(world, world, TrackerOptions(**options))


def ids(faces):
    return [face.id for face in faces]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def tracker(world):
    return tracker_of(world)


def test_a_face_is_followed_without_a_search(world, tracker):
    for index in range(20):
        box = box_at(20 + 4 * index)
        (face,) = tracker.update(world.show((1, box)), index / 25)
        assert face.id == 1
        assert not face.unsure
        assert iou(np.asarray(face.box, float), box) > 0.8
    assert len(world.searches) == 1  # the next one is due after one second


def test_landmarks_do_not_lag_when_smoothing_is_off(world):
    tracker = tracker_of(world, smoothing=False)
    for index in range(10):
        box = box_at(20 + 8 * index)
        (face,) = tracker.update(world.show((1, box)), index / 25)
        np.testing.assert_allclose(face.box, box, atol=0.1)


def test_smoothing_can_be_switched_off_during_a_video(world, tracker):
    tracker.update(world.show((1, box_at(60))), 0.0)
    tracker.set_smoothing(False)
    (face,) = tracker.update(world.show((1, box_at(64))), 0.04)
    np.testing.assert_allclose(face.box, box_at(64), atol=0.1)


def test_a_followed_face_is_searched_once_per_second(world, tracker):
    for index in range(76):  # three seconds
        tracker.update(world.show((1, box_at(60))), index / 25)
    assert len(world.searches) == 4


def test_a_frame_without_faces_is_searched_ten_times_per_second(world, tracker):
    for index in range(25):
        tracker.update(world.show(), index / 25)
    assert len(world.searches) == 25  # a face may have been missed at first
    for index in range(25, 76):
        tracker.update(world.show(), index / 25)
    assert 40 <= len(world.searches) <= 50


def test_a_face_that_disappears_is_no_longer_reported(world, tracker):
    reported = []
    for index in range(30):
        people = [] if 10 <= index < 20 else [(1, box_at(60))]
        reported.append(ids(tracker.update(world.show(*people), index / 25)))
    assert reported == [[1]] * 10 + [[]] * 10 + [[1]] * 10


def test_a_face_that_leaves_the_frame_is_lost(world, tracker):
    seen = [
        len(tracker.update(world.show((1, box_at(200 + 10 * index))), index / 25))
        for index in range(20)
    ]
    assert seen[0] == 1
    assert seen[-1] == 0


def test_a_second_face_is_found_at_the_next_search(world, tracker):
    counts = []
    for index in range(40):
        people = [(1, box_at(20))] + ([(2, box_at(200))] if index >= 5 else [])
        counts.append(len(tracker.update(world.show(*people), index / 25)))
    assert counts[5] == 1
    assert counts[-1] == 2


def cut_to(world, light=1.0):
    """A frame of another shot."""
    frame = np.kron(OTHER_SHOT, np.ones((20, 20, 1)))[: world.size[0], : world.size[1]]
    return (light * frame).astype(np.uint8)


@pytest.mark.parametrize("light", [1.0, 0.08])
def test_somebody_else_after_a_cut_gets_a_new_number(world, tracker, light):
    for index in range(10):
        frame = (light * world.show((1, box_at(60)))).astype(np.uint8)
        tracker.update(frame, index / 25)
    world.show((2, box_at(62)))
    assert tracker.shot == 0
    (face,) = tracker.update(cut_to(world, light), 0.4)
    assert face.id == 2
    assert tracker.shot == 1


def test_a_person_keeps_the_number_through_cuts(world, tracker):
    shots = ([(1, 60)], [(2, 100)], [(1, 200), (2, 20)], [(2, 150)])
    numbers = []
    for number, shot in enumerate(shots):
        for index in range(10):
            world.show(*((person, box_at(x)) for person, x in shot))
            frame = world.frame if number % 2 else cut_to(world)
            faces = tracker.update(frame, (10 * number + index) / 25)
        by_place = sorted(faces, key=lambda face: face.box[0])
        numbers.append(ids(by_place))
    assert numbers == [[1], [2], [2, 1], [2]]


@pytest.mark.parametrize("time", [2.0, 9.0])
def test_after_a_jump_in_time_faces_are_searched_again(world, tracker, time):
    tracker.update(world.show((1, box_at(20))), 5.0)
    (face,) = tracker.update(world.show((1, box_at(220))), time)
    assert len(world.searches) == 2
    np.testing.assert_allclose(face.box, box_at(220), atol=0.1)


def test_reset_forgets_all_people(world, tracker):
    for index in range(10):
        tracker.update(world.show((1, box_at(20)), (2, box_at(200))), index / 25)
    tracker.reset()
    (face,) = tracker.update(world.show((2, box_at(200))), 0.0)
    assert face.id == 1


def cross(world, tracker, people, frames=100):
    """Two people walk past each other; returns the faces of each frame by place."""
    result = []
    for index in range(frames):
        left, right = box_at(10 + 2.4 * index), box_at(256 - 2.4 * index, y=44)
        faces = tracker.update(
            world.show((people[0], left), (people[1], right)), index / 25
        )
        result.append(sorted(faces, key=lambda face: face.box[0]))
    return result


def test_two_people_who_cross_keep_their_numbers(world, tracker):
    frames = cross(world, tracker, (1, 2))
    assert ids(frames[0]) == [1, 2]
    assert ids(frames[-1]) == [2, 1]
    assert {number for frame in frames for number in ids(frame)} == {1, 2}
    assert not any(face.unsure for face in frames[-1])


def test_two_people_who_meet_and_turn_back_keep_their_numbers(world, tracker):
    for index in range(100):
        near = 60 + 60 * np.cos(2 * np.pi * index / 100)
        faces = tracker.update(
            world.show((1, box_at(130 - near)), (2, box_at(140 + near, y=44))),
            index / 25,
        )
    assert ids(sorted(faces, key=lambda face: face.box[0])) == [1, 2]


def test_two_people_who_look_alike_are_unsure_after_they_crossed(world, tracker):
    frames = cross(world, tracker, (1, 1))
    assert [face.unsure for face in frames[0]] == [False, False]
    assert [face.unsure for face in frames[-1]] == [True, True]


def test_a_person_who_comes_back_elsewhere_is_recognised(world, tracker):
    for index in range(150):
        people = [(2, box_at(250))]
        if index < 25:
            people.append((1, box_at(10 + index)))
        elif index > 120:
            people.append((1, box_at(160, size=40)))
        faces = tracker.update(world.show(*people), index / 25)
        if index == 20:
            first = {face.id: face.box[0] for face in faces}
    last = {face.id: face.box[0] for face in faces}
    assert min(first, key=first.get) == min(last, key=last.get)
    assert set(first) == set(last)


def test_somebody_new_at_the_place_of_a_lost_face_gets_a_new_number(world, tracker):
    for index in range(25):
        tracker.update(world.show((1, box_at(60))), index / 25)
    for index in range(25, 30):
        tracker.update(world.show(), index / 25)
    for index in range(30, 60):
        faces = tracker.update(world.show((2, box_at(62))), index / 25)
    assert ids(faces) == [2]


def test_the_largest_faces_are_followed_and_the_others_counted():
    world = World((160, 800))
    tracker = tracker_of(world, max_faces=2)
    sizes = (24, 26, 60, 28, 50)
    people = [(k, box_at(40 + 160 * k, 20, size)) for k, size in enumerate(sizes)]
    faces = tracker.update(world.show(*people), 0.0)
    widths = sorted(face.box[2] - face.box[0] for face in faces)
    np.testing.assert_allclose(widths, (50, 60), atol=0.1)
    assert tracker.skipped_faces == 3
    for index in range(1, 60):
        tracker.update(world.show(*people[2:3]), index / 25)
    assert tracker.skipped_faces == 0


def test_faces_below_the_smallest_size_are_not_followed(world):
    tracker = tracker_of(world, min_size=30)
    people = (1, box_at(20, size=50)), (2, box_at(200, size=25))
    (face,) = tracker.update(world.show(*people), 0.0)
    assert face.box[0] < 100
    assert tracker.skipped_faces == 0


def test_a_blind_finder_does_not_end_a_certain_face_at_once(world, tracker):
    tracker.update(world.show((1, box_at(60))), 0.0)
    world.is_blind = True
    states = []
    for index in range(1, 60):
        faces = tracker.update(world.show((1, box_at(60))), index / 5)
        states.append((len(faces), faces[0].unsure if faces else None))
    assert states[10] == (1, False)
    assert states[20] == (1, True)  # searched three times without success
    assert states[48] == (1, True)
    assert states[-1] == (0, None)  # lost after ten seconds


def test_a_doubtful_face_is_lost_if_the_finder_does_not_see_it(world, tracker):
    world.sigma = 0.06
    (face,) = tracker.update(world.show((1, box_at(60))), 0.0)
    assert face.unsure
    world.is_blind = True
    counts = [
        len(tracker.update(world.show((1, box_at(60))), index / 25))
        for index in range(1, 60)
    ]
    assert counts[20] == 1
    # Searched after 1 s and then every 0.2 s, three times in all.
    assert 1.3 * 25 < sum(counts) < 1.6 * 25


@pytest.mark.parametrize(("sigma", "seconds"), [(0.02, 10.0), (0.06, 1.5)])
def test_a_face_at_the_edge_is_lost_if_the_finder_does_not_see_it(
    world, tracker, sigma, seconds
):
    world.sigma = sigma
    box = box_at(-3)  # begins outside the frame
    assert len(tracker.update(world.show((1, box)), 0.0)) == 1
    world.is_blind = True
    times = np.arange(1, 12.5 * 25) / 25
    seen = [len(tracker.update(world.show((1, box)), time)) for time in times]
    assert sum(seen) / 25 == pytest.approx(seconds, abs=0.2)


def test_landmarks_with_an_odd_shape_are_not_a_face(world, tracker):
    flat = np.array([20.0, 60, 220, 80])
    assert tracker.update(world.show((1, flat)), 0.0) == []


def test_a_small_face_in_a_large_frame_is_found_within_a_second():
    world = World((1080, 1920))
    rng = np.random.default_rng(0)
    for _ in range(5):
        tracker = tracker_of(world)
        x, y = rng.uniform((0, 0), (1880, 1040))
        box = box_at(x, y, 20)
        counts = [
            len(tracker.update(world.show((1, box)), index / 25)) for index in range(26)
        ]
        assert counts[-1] == 1
        full_size = [
            sum(region.scale == 1 for region in regions) for regions in world.searches
        ]
        assert max(full_size) <= 3  # a tile, and the surroundings of the face
        world.searches.clear()


def test_a_large_face_in_a_large_frame_is_found_at_once():
    world = World((1080, 1920))
    box = box_at(700, 200, 400)
    assert len(tracker_of(world).update(world.show((1, box)), 0.0)) == 1


def test_a_thorough_search_finds_a_small_face_at_once():
    world = World((1080, 1920))
    tracker = tracker_of(world, search="thorough")
    assert len(tracker.update(world.show((1, box_at(1500, 900, 20))), 0.0)) == 1


def test_a_face_on_two_tracks_is_reported_once(world, tracker):
    # The finder reports a face twice, at slightly different places.
    box = box_at(60)
    find = world.find

    def find_twice(frame, regions=None):
        detections = find(frame, regions)
        shifted = [d.__class__(d.box + 30, 0.5) for d in detections]
        return detections + shifted

    world.find = find_twice
    for index in range(30):
        faces = tracker.update(world.show((1, box)), index / 25)
        assert len(faces) == 1


def test_a_known_person_is_not_forgotten_when_found_twice(world):
    """Person 2 is taken for found again, on the face of person 1."""
    people = People()
    for person, box in ((1, box_at(40)), (2, box_at(200))):
        found = [(Detection(box, 0.9), face_of(person, box, 0.02))]
        people.add(world.show((person, box)), person / 25, found, smoothing=False)
    people.lose([people.followed[1]])
    found = [(Detection(box_at(44), 0.9), face_of(2, box_at(44), 0.02))]
    frame = world.show((1, box_at(40)))
    people.add(frame, 0.2, found, smoothing=False)
    assert [track.id for track in people.followed] == [1, 2]
    people.separate(frame, 0.24)
    assert [track.id for track in people.followed] == [1]
    assert [track.id for track in people.lost] == [2]


def test_an_unknown_search_is_an_error():
    with pytest.raises(ValueError, match="search"):
        TrackerOptions(search="deep")


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (3, 5000)])
def test_frames_without_room_for_a_face_are_accepted(size):
    world = World(size)
    tracker = tracker_of(world)
    for index in range(3):
        assert tracker.update(np.zeros((*size, 3), np.uint8), index / 25) == []


def test_a_change_of_the_frame_size_is_accepted(world, tracker):
    tracker.update(world.show((1, box_at(60))), 0.0)
    world.size = (320, 640)
    (face,) = tracker.update(world.show((1, box_at(60))), 0.04)
    assert np.isfinite(face_box(face.face.landmarks)).all()


def test_the_stages_are_timed(world, tracker):
    tracker.update(world.show((1, box_at(60))), 0.0)
    assert set(tracker.timings) == {"detect", "predict", "smooth"}
    assert tracker.timings["predict"] > 0
