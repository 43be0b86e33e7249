"""When the portrait of a person continues and when it starts again."""

import numpy as np
import pytest

from ethos_model.footage.tracker import FaceTracker
from gui.degradation import VideoDegradation
from gui.viewer.live_fusion import MAX_PEOPLE, LiveFusion, Subject, choose
from tests.gui import fakes

STEP = 0.04
LARGE, SMALL = (20, 30, 100, 130), (150, 50, 200, 110)


@pytest.fixture
def image():
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    for box in (LARGE, SMALL):
        fakes.draw_face(image, box)
    return image


@pytest.fixture
def people(image):
    """The large and the small face."""
    faces = FaceTracker(fakes.FakePredictor(), fakes.FakeFinder()).update(image, 0)
    return sorted(faces, key=lambda face: face.box[0])


@pytest.fixture
def live():
    return LiveFusion(fakes.fake_fusion)


@pytest.fixture
def frames(live, image, people):
    """Function that adds a frame and returns the number of frames of the portrait."""

    def add(timestamp, chosen=None, faces=None, **degradation):
        subject = Subject(chosen, VideoDegradation(**degradation))
        faces = people if faces is None else faces
        return live.update(image, timestamp, faces, subject).fused.frames

    return add


def test_chooses_the_wanted_face_or_the_largest(people):
    large, small = people
    assert choose(people, None) is large
    assert choose(people, small.id) is small
    assert choose(people, 99) is large
    assert choose([], 1) is None


def test_the_portrait_shows_the_chosen_person(live, image, people):
    for face, chosen in ((people[0], None), (people[1], people[1].id)):
        portrait = live.update(image, 0.0, people, Subject(chosen))
        assert portrait.person == face.id
        assert portrait.fused.window == face.face.window
    assert live.update(image, STEP, [], Subject()) is None


def test_each_frame_is_added_once(frames):
    counts = [frames(index * STEP) for index in (0, 1, 1, 2, 2, 2, 5)]
    assert counts == [1, 2, 2, 3, 3, 3, 4]


@pytest.mark.parametrize("timestamp", [0.0, 1.2, 1000.0])
def test_a_seek_starts_again(frames, timestamp):
    for index in range(4):
        frames(index * STEP)
    assert frames(timestamp) == 1
    assert frames(timestamp + STEP) == 2


def test_another_degradation_starts_again(frames):
    frames(0.0)
    assert frames(STEP) == 2
    assert frames(STEP, noise=20.0) == 1
    assert frames(2 * STEP, noise=20.0) == 2


def test_each_person_has_a_portrait(frames, people):
    large, small = (face.id for face in people)
    assert [frames(0.0), frames(STEP)] == [1, 2]
    assert frames(2 * STEP, chosen=small) == 1
    assert frames(3 * STEP, chosen=large) == 3
    assert frames(4 * STEP, chosen=small) == 2


def test_only_the_people_shown_lately_are_remembered(frames, people):
    large = people[0]
    assert frames(0.0, faces=[large]) == 1
    for number in range(MAX_PEOPLE):
        other = fakes.renumbered(large, 10 + number)
        assert frames((1 + number) * STEP, faces=[other]) == 1
    assert frames(10 * STEP, faces=[large]) == 1


def test_a_person_who_is_recognised_keeps_the_portrait(frames, live, people):
    large = people[0]
    frames(0.0, faces=[large])
    live.renumber({large.id: 7, 99: 98})
    assert frames(STEP, faces=[fakes.renumbered(large, 7)]) == 2


def test_another_video_starts_again(frames, live):
    frames(0.0)
    live.forget()
    assert frames(STEP) == 1


def test_a_failure_is_reported_and_logged_once(image, people, caplog):
    def broken(inputs):
        raise ValueError("no network")

    live = LiveFusion(lambda: fakes.fake_fusion(broken))
    for index in range(3):
        portrait = live.update(image, index * STEP, people, Subject())
        assert portrait.fused is None
        assert portrait.error == "ValueError: no network"
    assert len(caplog.records) == 1
