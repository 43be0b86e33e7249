import dataclasses
import time

import numpy as np
import pytest

from ethos_model.footage.reader import Frame, Info
from ethos_model.footage.tracks import TrackedFace
from gui.viewer import status
from gui.viewer.engine import LOADING, NO_MODEL, READY, EngineState
from gui.viewer.player import PlayerState
from gui.viewer.session import Setup
from gui.viewer.view import View
from tests.gui import fakes

PLAYING = PlayerState(info=Info("clip.mp4", (4, 4), 25.0, 10))
LOADED = EngineState(Setup(), READY, "model")


def face(unsure=False, shift=0.0):
    box = np.array([10.0 + shift, 10.0, 50.0 + shift, 50.0])
    prediction = fakes.FakePredictor()._face(box, [box])
    return TrackedFace(1, prediction, unsure, 0.9)


def view(faces=(), reference=(), compared=False, **fields):
    image = np.zeros((4, 4, 3), np.uint8)
    return View(
        frame=Frame(image, 0, 0.0),
        image=image,
        faces=list(faces),
        reference=list(reference),
        compared=compared,
        phase=READY,
        timings={"predict": 12.3},
        fps=24.6,
        **fields,
    )


def engine(**changes):
    return dataclasses.replace(LOADED, **changes)


@pytest.mark.parametrize(
    ("arguments", "text", "mood"),
    [
        ((None, PlayerState(), LOADED), "Load a video to begin", "busy"),
        ((view(), PLAYING, engine(phase=LOADING)), "Loading the model …", "busy"),
        ((view(), PLAYING, LOADED), "No face", "warning"),
        ((view(), PLAYING, engine(phase=NO_MODEL, error="bad")), "bad", "warning"),
        ((view(), PlayerState(error="a/b/x: no"), LOADED), "x: no", "warning"),
        ((view(), PLAYING, LOADED, "Drawing failed"), "Drawing failed", "warning"),
        (
            (view(error="ValueError: x"), PLAYING, LOADED),
            "The model failed on this frame: ValueError: x",
            "warning",
        ),
        ((view([face()]), PLAYING, LOADED), "1 face", "good"),
        ((view([face()] * 2), PLAYING, LOADED), "2 faces", "good"),
        ((view([face(True)]), PLAYING, LOADED), "1 face, unsure", "warning"),
        (
            (view([face(), face(True)]), PLAYING, LOADED),
            "2 faces, 1 unsure",
            "warning",
        ),
        (
            (view([face()] * 8, skipped=8), PLAYING, LOADED),
            "8 of 16 faces are tracked",
            "warning",
        ),
    ],
)
def test_describes_the_state_in_words(arguments, text, mood):
    assert status.describe(*arguments) == status.Status(text, mood)


def test_reports_a_model_that_does_not_answer():
    waiting = engine(asked=time.monotonic() - 12.4)
    text = status.describe(view(), PLAYING, waiting).text
    assert text == "Waiting for the model (12 s) …"
    assert status.describe(view(), PLAYING, engine(asked=time.monotonic())).text == (
        "No face"
    )


def test_shortens_the_first_path_of_a_message():
    assert status.shortened("/a/b/c.mp4: not a video: x/y") == "c.mp4: not a video: x/y"
    assert status.shortened("Model not loaded: /a/b: bad.") == (
        "Model not loaded: b: bad."
    )
    assert status.shortened("no path") == "no path"


def test_reports_how_far_the_degradation_moves_the_landmarks():
    assert status.difference(view([face()])) == ""
    assert "no face in the clean" in status.difference(view([face()], (), True))
    assert "no face in the degraded" in status.difference(view((), [face()], True))
    # Four pixels in a face of 40 px are 10 %.
    moved = view([face(shift=4.0)], [face()], True)
    assert status.difference(moved) == "landmarks moved by 10.0 % of the face size"


def test_durations_and_times_as_text():
    assert status.stages(view(), 8.2) == "predict 12 · draw 8 ms · 25 frames/s"
    assert status.clock(62.346) == "1:02.35"
    assert status.clock(59.999) == "1:00.00"


@pytest.mark.parametrize(
    ("text", "seconds"), [("1:02.5", 62.5), ("7", 7.0), ("1:00:03", 3603.0)]
)
def test_parses_times(text, seconds):
    assert status.parse_clock(text) == seconds


@pytest.mark.parametrize("text", ["", "a:b", "-3", "1:2:3:4", "nan", "inf", "²"])
def test_rejects_texts_that_are_not_times(text):
    assert status.parse_clock(text) is None


def test_a_notice_disappears_after_some_seconds(monkeypatch):
    notice = status.Notice()
    assert notice.text == ""
    notice.show("Saved")
    assert notice.text == "Saved"
    now = time.monotonic()
    notice.lasting = "The disk is full"
    assert notice.text == "Saved"
    monkeypatch.setattr(time, "monotonic", lambda: now + status.NOTICE_SECONDS + 1)
    assert notice.text == "The disk is full"
    notice.lasting = ""
    assert notice.text == ""
