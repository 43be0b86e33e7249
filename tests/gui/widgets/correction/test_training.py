"""The button that trains on the corrections, with a stand-in for ethos-refine."""

from __future__ import annotations

import pytest

from gui.viewer import training
from pipelines.refinement import events
from tests.gui.viewer.test_training import stand_in


@pytest.fixture
def drive(start, clip):
    """A viewer in the correction mode with one correction."""
    drive = start(clip, paused=True)
    drive.ready()
    drive.until(lambda: drive.viewer.painting.view.faces)
    drive.key("<c>")
    mode = drive.viewer.correction
    drive.until(lambda: mode.editor.face is not None)
    drive.key("<Return>")
    drive.until(lambda: mode.corrections.saver.saved)
    return drive


def test_a_better_model_is_used(drive, monkeypatch, tmp_path):
    model = str(tmp_path / "better")
    loaded = []
    tool = drive.viewer.training
    monkeypatch.setattr(tool, "_load_model", loaded.append)
    command = stand_in(
        events.errors("before", 6.0, 2.0),
        events.step("training", 2, 8),
        events.errors("after", 3.0, 2.0),
        events.result(True, model, "less"),
    )
    monkeypatch.setattr(training, "REFINE", command)
    tool.button.invoke()
    window = tool.window
    drive.until(lambda: loaded == [model])
    assert window.error_label.cget("text") == (
        "Error on corrections that were held out: 6.00 % before, 3.00 % now."
    )
    assert "is better" in window.stage_label.cget("text")
    window.button.invoke()
    assert not window.winfo_exists()


def test_a_training_is_cancelled_with_the_window(drive, monkeypatch):
    tool = drive.viewer.training
    command = stand_in(events.step("training", 2, 8), wait=True)
    monkeypatch.setattr(training, "REFINE", command)
    tool.button.invoke()
    window = tool.window
    drive.until(lambda: "2 of 8" in window.stage_label.cget("text"))
    tool.button.invoke()
    assert tool.window is window  # only one training at a time
    window.button.invoke()
    drive.until(lambda: "was stopped" in window.stage_label.cget("text"))
    assert window.button.cget("text") == "Close"


def test_why_a_training_cannot_start(drive, monkeypatch):
    tool = drive.viewer.training
    monkeypatch.setattr(training, "TRAIN", ("not_installed",))
    tool.button.invoke()
    assert tool.window is None
    drive.until(lambda: "ethos-faces[train]" in drive.status())
