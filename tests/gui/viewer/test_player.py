import pathlib
import time

import numpy as np
import pytest

from ethos_model.footage.reader import Frame, Info
from gui.viewer import status
from gui.viewer.engine import LOADING, NO_MODEL, READY, View
from gui.viewer.player import Player, PlayerState
from gui.viewer.slot import Latest
from tests.gui import fakes


@pytest.fixture
def seen():
    return []


@pytest.fixture
def player(seen):
    player = Player(lambda frame, jumped: seen.append((frame.index, jumped)))
    player.start()
    yield player
    player.close()
    assert not player.is_alive()


def wait(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def clip(tmp_path):
    return fakes.write_video(str(tmp_path / "clip.avi"), 50)


def test_plays_in_order_and_stops_at_the_end(player, seen, clip):
    player.set_speed(4.0)
    player.open(clip)
    wait(lambda: player.state.ended)
    indices = [index for index, _ in seen]
    assert indices == sorted(set(indices))
    assert indices[0] == 0
    assert seen[0][1]
    assert not any(jumped for _, jumped in seen[1:])
    assert player.state.frame_count == 50


def test_shows_the_first_frame_and_waits(player, seen, clip):
    player.open(clip, play=False)
    wait(lambda: seen)
    time.sleep(0.2)
    assert seen == [(0, True)]
    player.step(1)
    player.step(1)
    player.step(1)
    wait(lambda: seen[-1][0] == 3)
    player.step(-10)
    wait(lambda: seen[-1][0] == 0)
    player.seek(10_000)
    wait(lambda: seen[-1][0] == 49)
    player.seek_time(1.0)
    wait(lambda: seen[-1][0] == 25)


def test_a_seek_behind_the_true_end_shows_the_last_frame(player, seen, tmp_path):
    whole = fakes.write_video(str(tmp_path / "whole.avi"), 60)
    cut = tmp_path / "cut.avi"
    data = pathlib.Path(whole).read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    player.open(str(cut), play=False)
    wait(lambda: seen)
    assert player.state.frame_count == 60  # as the header says
    player.seek(55)
    wait(lambda: len(seen) > 1)
    last = seen[-1][0]
    assert 20 < last < 40
    wait(lambda: player.state.frame_count == last + 1)
    assert "is the file whole?" in player.state.note
    player.seek(3)
    wait(lambda: seen[-1][0] == 3)


def test_loops(player, seen, clip):
    player.set_loop(True)
    player.set_speed(4.0)
    player.open(clip, play=False)
    wait(lambda: seen)
    player.seek(45)
    player.play()
    wait(lambda: (0, True) in seen[1:])


def test_errors_leave_the_old_video(player, seen, clip, tmp_path):
    player.open(clip, play=False)
    wait(lambda: seen)
    player.open(str(tmp_path / "none.mp4"))
    wait(lambda: player.state.error)
    assert "none.mp4" in player.state.error
    player.seek(5)
    wait(lambda: seen[-1][0] == 5)
    assert player.state.error == ""


def test_the_newest_wins():
    slot = Latest()
    for number in range(5):
        slot.put(number)
    assert slot.take() == 4
    assert slot.take() is None
    assert slot.replaced == 4
    slot.close()
    assert slot.take(timeout=10) is None  # at once


def view(faces=(), reference=(), compared=False):
    image = np.zeros((4, 4, 3), np.uint8)
    return View(
        Frame(image, 0, 0.0),
        image,
        list(faces),
        list(reference),
        compared,
        READY,
        {"predict": 12.3},
        24.6,
    )


INFO = Info("clip.mp4", (4, 4), 25.0, 10)


@pytest.mark.parametrize(
    ("arguments", "text", "mood"),
    [
        ((None, PlayerState(), READY, ""), "Load a video to begin", "busy"),
        ((view(), PlayerState(info=INFO), LOADING, ""), "Loading model …", "busy"),
        ((view(), PlayerState(info=INFO), READY, ""), "No face", "warning"),
        ((view(), PlayerState(info=INFO), NO_MODEL, "bad"), "Model: bad", "warning"),
        ((view(), PlayerState(error="a/b/x: no"), READY, ""), "x: no", "warning"),
    ],
)
def test_states_are_said_plainly(arguments, text, mood):
    assert status.describe(*arguments) == status.Status(text, mood)


def test_stages_and_times_in_words():
    assert status.stages(view(), 8.2) == "predict 12 · draw 8 ms · 25 frames/s"
    assert status.clock(62.346) == "1:02.35"
    assert status.clock(59.999) == "1:00.00"
    for text, seconds in (("1:02.5", 62.5), ("7", 7.0), ("1:00:03", 3603.0)):
        assert status.parse_clock(text) == seconds
    for text in ("", "a:b", "-3", "1:2:3:4", "nan", "inf", "²"):
        assert status.parse_clock(text) is None
