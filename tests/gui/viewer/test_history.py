import dataclasses

import numpy as np
import pytest

from gui.viewer import history
from gui.viewer.history import History

FPS = 25.0


def test_keeps_the_values_of_each_person(add, seen):
    target = History()
    for index in range(10):
        add(target, index, seen(1, yaw=index), *[seen(2, yaw=-5.0)] * (index >= 6))
    first, second = target.series(["yaw", "quality"])
    assert (first.id, second.id) == (1, 2)
    assert first.frames.tolist() == list(range(10))
    np.testing.assert_allclose(first.times, np.arange(10) / FPS)
    np.testing.assert_allclose(first.values["yaw"], np.arange(10))
    assert second.frames.tolist() == [6, 7, 8, 9]
    assert target.present == (1, 2)


def test_a_frame_that_is_shown_again_replaces_its_values(add, seen):
    target = History()
    for yaw in (10.0, 20.0):
        add(target, 3, seen(yaw=yaw))
    (series,) = target.series(["yaw"])
    assert series.values["yaw"].tolist() == [20.0]


def test_the_memory_is_bounded(add, seen, monkeypatch):
    monkeypatch.setattr(history, "BINS", 64)
    target = History()
    for index in range(1000):
        add(target, index, seen(yaw=index % 90))
    assert target.stride == 16
    (series,) = target.series(["yaw"])
    assert len(series.frames) == 63  # 1000 / 16, rounded up
    np.testing.assert_array_equal(series.frames % 16, [15] * 62 + [7])
    np.testing.assert_allclose(series.values["yaw"], series.frames % 90)
    add(target, 5, seen(yaw=1.0))  # a seek back
    assert target.series(["yaw"])[0].frames[0] == 5


def test_many_people_are_forgotten_by_their_time(add, seen, monkeypatch):
    monkeypatch.setattr(history, "MAX_PEOPLE", 3)
    target = History()
    for index in range(20):
        add(target, index, seen(1))
    for number in range(2, 9):
        add(target, 20 + number, seen(number))
    assert [series.id for series in target.series()] == [1, 7, 8]


def test_the_portrait_is_the_best_frame(add, seen):
    target = History()
    for index, quality in enumerate((0.3, 0.9, 0.6)):
        picture = np.full((160, 240, 3), 50 * (index + 1), np.uint8)
        add(target, index, seen(quality=quality), picture=picture)
    (person,) = target.people()
    assert (person.frame, person.quality) == (1, 0.9)
    assert person.time == pytest.approx(1 / FPS)
    assert person.picture.shape == (history.CROP, history.CROP, 3)
    assert (person.picture[80:110, 80:110] == 100).all()


def test_the_time_on_the_screen_does_not_depend_on_dropped_frames(add, seen):
    slow, fast = History(), History()
    for index in range(50):
        add(fast, index, seen())
        if index % 5 == 0:
            add(slow, index, seen())
    for target in (slow, fast):
        assert target.people()[0].seconds == pytest.approx(2.0, abs=0.01)


def test_an_absence_does_not_count():
    times = np.concatenate([np.arange(25) / 25, 10 + np.arange(25) / 25])
    assert history.on_screen(times) == pytest.approx(2.0, abs=0.05)
    assert history.on_screen(np.array([3.0])) == 0.0


def test_a_person_who_is_recognised_later_gets_one_curve(add, seen):
    target = History()
    for index in range(5):
        add(target, index, seen(1, yaw=1.0, quality=0.2))
    for index in range(5, 10):
        add(target, index, seen(2, yaw=2.0, quality=0.8))
    add(target, 10, seen(1, yaw=3.0), renumbered={2: 1})
    (series,) = target.series(["yaw"])
    assert series.id == 1
    assert series.values["yaw"].tolist() == [1.0] * 5 + [2.0] * 5 + [3.0]
    assert target.people()[0].id == 1
    assert target.people()[0].frame == 5


def test_another_video_starts_again(add, seen):
    target = History()
    add(target, 0, seen(1), numbering=1)
    before = target.version
    add(target, 0, seen(1, yaw=7.0), numbering=2)
    assert target.version > before
    assert len(target.series()) == 1
    add(target, 0, numbering=3)
    assert target.series() == []
    assert target.people() == []


def test_a_face_that_cannot_be_measured_is_left_out(add, seen):
    target = History()
    add(target, 0, dataclasses.replace(seen(), measures=None))
    add(target, 1, seen(yaw=float("nan")))
    assert target.series() == []
