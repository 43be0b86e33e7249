"""Corrections that cannot be saved, on a (virtual) display."""

import pytest

from ethos_data.corpora import corrections
from tests.gui import fakes
from tests.gui.widgets.correction.steps import Mode


@pytest.fixture
def answers(monkeypatch):
    """The answers to the dialog that asks for another file: the last is given first.

    Without an answer the dialog is cancelled.
    """
    answers = []
    monkeypatch.setattr(
        "gui.widgets.correction.saving_errors.filedialog.asksaveasfilename",
        lambda **_: answers.pop() if answers else "",
    )
    return answers


@pytest.fixture
def full(monkeypatch, tmp_path):
    """A disk that is full, except for the directory "free", until the list is empty."""
    full = [True]
    (tmp_path / "free").mkdir()

    def write(path, faces, write=corrections.write):
        if full and "free" not in path:
            raise OSError(28, "No space left on device", path)
        write(path, faces)

    monkeypatch.setattr(corrections, "write", write)
    return full


@pytest.fixture
def mode(start, clip, full, answers):
    """A viewer with a correction that is not saved. The user cancelled the dialog."""
    drive = start(clip, paused=True)
    drive.ready()
    mode = Mode(drive)
    mode.open()
    drive.key("<Return>")
    drive.until(lambda: "No space left" in drive.status())
    drive.viewer.root.update_idletasks()
    return mode


def frames(path):
    return [face.frame for face in corrections.read(str(path))]


def test_the_status_line_shows_the_error_until_it_is_gone(mode, full):
    drive = mode.drive
    notice = drive.viewer._display.notice
    notice.show("Something else")
    drive.until(lambda: "Something else" in drive.status())
    notice._end = 0.0  # its time is over
    drive.until(lambda: "No space left" in drive.status())
    full.clear()
    drive.key("<Shift-Right>")
    drive.key("<Return>")
    drive.until(lambda: "No space left" not in drive.status())
    assert len(mode.saved()) == 1


def test_closing_the_window_asks_until_the_corrections_are_saved(
    mode, answers, tmp_path
):
    free = tmp_path / "free" / "mine.csv"
    answers += [str(free), str(tmp_path / "also_full.csv")]
    mode.drive.viewer.quit()
    assert frames(free) == [0]
    assert not answers
    assert mode.drive.viewer._closed


def test_closing_the_window_tries_again_before_it_asks(mode, full, answers, clip):
    full.clear()
    answers.append("not asked")
    mode.drive.viewer.actions()["quit"]()
    assert mode.drive.viewer._closed
    assert answers == ["not asked"]
    assert frames(corrections.sidecar_path(clip)) == [0]


def test_the_window_closes_if_the_user_does_not_want_to_save(mode):
    mode.drive.viewer.quit()
    assert mode.drive.viewer._closed


def test_another_video_asks_before_corrections_are_dropped(mode, answers, tmp_path):
    free = tmp_path / "free" / "mine.csv"
    answers.append(str(free))
    other = fakes.write_video(str(tmp_path / "other.avi"), 10)
    mode.drive.viewer.open(other, play=False)
    path = corrections.sidecar_path(other)
    mode.drive.until(lambda: mode.mode.corrections.path == path)
    assert frames(free) == [0]


def test_nothing_is_dropped_while_the_dialog_is_open(mode, monkeypatch, tmp_path):
    viewer = mode.drive.viewer
    free = tmp_path / "free" / "mine.csv"
    other = fakes.write_video(str(tmp_path / "other.avi"), 10)

    def ask(**_):
        """The dialog lets the window work."""
        viewer.open(other, play=False)
        mode.drive.until(lambda: viewer.player.state.info.path == other)
        mode.drive.until(lambda: viewer.root.title().startswith("other.avi"))
        viewer.quit()
        assert not viewer._closed
        return str(free)

    monkeypatch.setattr(
        "gui.widgets.correction.saving_errors.filedialog.asksaveasfilename", ask
    )
    viewer.correction._errors._ask()
    path = corrections.sidecar_path(other)
    mode.drive.until(lambda: mode.mode.corrections.path == path)
    assert frames(free) == [0]
