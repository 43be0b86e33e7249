import pathlib
import time

import numpy as np
import pytest

from ethos_model.footage.reader import Frame, Info, Source, VideoError
from gui.viewer.player import Player
from tests.gui import fakes
from tests.gui.driver import kill_thread
from tests.waiting import wait_until


@pytest.fixture
def frames():
    """(number, video) of each frame that the player passed on."""
    return []


@pytest.fixture
def player(frames):
    player = Player(lambda frame, video: frames.append((frame.index, video)))
    player.start()
    yield player
    player.close()
    assert not player.worker.is_alive()


@pytest.fixture
def clip(tmp_path):
    return fakes.write_video(str(tmp_path / "clip.avi"), 50)


def test_plays_in_order_and_stops_at_the_end(player, frames, clip):
    player.set_speed(4.0)
    player.open(clip)
    wait_until(lambda: player.state.ended)
    indices = [index for index, _ in frames]
    assert indices == sorted(set(indices))
    assert indices[0] == 0
    assert {video for _, video in frames} == {1}
    assert player.state.frame_count == 50


def test_steps_and_seeks_while_paused(player, frames, clip):
    player.open(clip, play=False)
    wait_until(lambda: frames)
    time.sleep(0.2)
    assert frames == [(0, 1)]
    for _ in range(3):
        player.step(1)
    wait_until(lambda: frames[-1][0] == 3)
    player.step(-10)
    wait_until(lambda: frames[-1][0] == 0)
    player.seek(10_000)
    wait_until(lambda: frames[-1][0] == 49)
    player.seek_time(1.0)
    wait_until(lambda: frames[-1][0] == 25)


def test_a_seek_past_the_end_shows_the_last_frame(player, frames, tmp_path):
    complete = fakes.write_video(str(tmp_path / "complete.avi"), 60)
    cut = tmp_path / "cut.avi"
    data = pathlib.Path(complete).read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    player.open(str(cut), play=False)
    wait_until(lambda: frames)
    assert player.state.frame_count == 60  # from the header
    player.seek(55)
    wait_until(lambda: len(frames) > 1)
    last = frames[-1][0]
    assert 20 < last < 40
    wait_until(lambda: player.state.frame_count == last + 1)
    assert "Incomplete file" in player.state.note
    player.seek(3)
    wait_until(lambda: frames[-1][0] == 3)


def test_loops(player, frames, clip):
    player.set_loop(True)
    player.set_speed(4.0)
    player.open(clip, play=False)
    wait_until(lambda: frames)
    player.seek(45)
    player.play()
    wait_until(lambda: (0, 1) in frames[1:])


def test_each_source_has_its_own_number(player, frames, clip):
    for number in (1, 2):
        player.open(clip, play=False)
        wait_until(lambda number=number: (0, number) in frames)


def test_a_source_that_cannot_be_opened_leaves_the_current_source(
    player, frames, clip, tmp_path
):
    player.open(clip, play=False)
    wait_until(lambda: frames)
    player.open(str(tmp_path / "none.mp4"))
    wait_until(lambda: player.state.error)
    assert "none.mp4" in player.state.error
    player.seek(5)
    wait_until(lambda: frames[-1][0] == 5)
    assert player.state.error == ""


@pytest.mark.parametrize("speed", [0.0, -1.0, 100.0, float("nan")])
def test_rejects_impossible_speeds(player, speed):
    with pytest.raises(ValueError, match="speed must be from"):
        player.set_speed(speed)


class BrokenSource(Source):
    """A source whose fourth frame fails with a given error."""

    info = Info("broken", (4, 4), 100.0, 10)

    def __init__(self, error):
        self.error = error
        self._next = 0

    @property
    def position(self):
        return self._next

    def read(self):
        if self._next == 10:
            return None
        self._next += 1
        if self._next == 4:
            raise self.error
        return Frame(np.zeros((4, 4, 3), np.uint8), self._next - 1, 0.0)

    def skip(self):
        return False

    def seek(self, index):
        self._next = index

    def close(self):
        pass


@pytest.mark.parametrize(
    "error", [VideoError("broken", "damaged packet"), OSError(5, "I/O error", "broken")]
)
def test_an_error_of_the_source_pauses(player, frames, monkeypatch, error):
    monkeypatch.setattr(
        "gui.viewer.player.open_video", lambda spec: BrokenSource(error)
    )
    player.open("broken")
    wait_until(lambda: player.state.error)
    assert "broken: " in player.state.error
    assert not player.state.playing
    player.play()  # the user can go on
    wait_until(lambda: frames[-1][0] == 9)
    assert player.worker.check() == ""


def test_an_unexpected_error_pauses_and_the_thread_starts_again(
    player, frames, monkeypatch
):
    source = BrokenSource(ZeroDivisionError("x"))
    monkeypatch.setattr("gui.viewer.player.open_video", lambda spec: source)
    player.open("broken")
    reasons = []
    wait_until(lambda: reasons.append(player.worker.check()) or any(reasons))
    assert max(reasons) == "ZeroDivisionError: x"
    wait_until(lambda: player.worker.check() == "" and player.worker.is_alive())
    wait_until(lambda: not player.state.playing)
    player.play()
    wait_until(lambda: frames[-1][0] == 9)


def test_a_killed_thread_continues_with_the_same_video(player, frames, clip):
    player.set_loop(True)
    player.open(clip)
    wait_until(lambda: len(frames) > 3)
    killed = player.worker.thread
    kill_thread(player.worker)
    wait_until(lambda: not killed.is_alive())
    wait_until(lambda: player.worker.check() == "" and player.worker.is_alive())
    player.seek(40)
    wait_until(lambda: frames[-1][0] == 40)
