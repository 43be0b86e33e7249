"""The training process as the viewer sees it, with a stand-in for ethos-refine."""

from __future__ import annotations

import json
import os
import sys

import pytest

from gui.viewer import training
from gui.viewer.training import State, Training, follow
from pipelines.refinement import events
from tests.waiting import wait_until


def stand_in(*reported, status=0, error="", wait=False) -> list[str]:
    """A command that prints events, and perhaps waits for a signal or fails."""
    text = "\n".join(json.dumps(event) for event in reported)
    code = f"import sys, time; print({text!r}, flush=True); "
    code += "time.sleep(600); " * wait
    code += f"print({error!r}, file=sys.stderr); sys.exit({status})"
    return [sys.executable, "-c", code]


def run(*arguments, **details) -> State:
    started = Training("clip.mp4", None, stand_in(*arguments, **details))
    started.start()
    wait_until(lambda: started.state.result)
    return started.state


def test_a_better_model_is_reported_with_the_errors():
    state = run(
        events.faces(20, 16, 4, 9),
        events.errors("before", 6.0, 2.0),
        events.step("training", 3, 8),
        events.errors("now", 4.0, 2.0),
        events.errors("after", 3.0, 2.0),
        events.result(True, "clip-model", "less"),
    )
    assert (state.before, state.now, state.model) == (6.0, 3.0, "clip-model")
    assert (state.stage, state.done, state.total) == ("Training", 3, 8)
    assert state.faces.startswith("16 corrected faces train the model, with 9 inter")
    assert "is better" in state.result


def test_a_model_that_is_not_better_is_not_used():
    reason = "the error on rendered heads rises by 9.0 %"
    state = run(events.result(False, "", reason), status=1)
    assert state.model == ""
    assert state.result == (
        f"The new model is not better ({reason}). The present model stays in use."
    )


def test_the_reason_of_a_failure_is_shown():
    error = "error: clip.mp4: only 3 frames have corrections"
    assert run(status=1, error=error).result == error
    assert run(status=7, error="oh").result == "The training failed (exit status 7)."
    broken = Training("clip.mp4", None, ["/no/such/program"])
    broken.start()
    wait_until(lambda: broken.state.result)
    assert "The training failed (FileNotFoundError" in broken.state.result


def test_a_training_can_be_cancelled():
    command = stand_in(events.step("training", 1, 8), wait=True)
    started = Training("clip.mp4", "model", command)
    started.start()
    wait_until(lambda: started.state.done == 1)
    started.cancel()
    wait_until(lambda: started.state.result)
    assert "was stopped" in started.state.result
    started.close()
    closed = Training("clip.mp4", None, stand_in(wait=True))
    closed.start()
    closed.close()
    wait_until(lambda: closed.state.result)


def test_the_command_names_the_video_and_the_models(tmp_path):
    video = str(tmp_path / "clip.mp4")
    started = Training(video, "old", ["refine"])
    assert started._command == [
        *["refine", video, "--output", str(tmp_path / "clip-model")],
        *["--progress", "json", "--model", "old"],
    ]
    (tmp_path / "clip-model").mkdir()
    assert training.model_path(video) == str(tmp_path / "clip-model_2")
    folder = tmp_path / "faces"
    folder.mkdir()
    assert training.model_path(f"{folder}{os.sep}") == str(tmp_path / "faces-model")


@pytest.mark.parametrize("event", [{}, {"event": "new in a later version"}])
def test_unknown_events_are_ignored(event):
    assert follow(State(), event) == State()


def test_missing_libraries_are_one_line(monkeypatch):
    assert training.missing_libraries() == ""
    monkeypatch.setattr(training, "TRAIN", ("keras", "not_installed"))
    text = training.missing_libraries()
    assert text == "Training needs more libraries: pip install 'ethos-faces[train]'"
