"""The background work with the fake model, in its real thread and process."""

import dataclasses

import numpy as np
import pytest

from ethos_model.footage.reader import Info
from gui.correction import background as background_module
from gui.correction.analysis import Analysis, Candidate
from gui.correction.assistant import Assistant
from gui.correction.background import Background
from gui.correction.document import Document, Span
from gui.correction.session import Corrections
from gui.viewer.session import Setup
from tests.gui import fakes
from tests.gui.correction.faces import face, points_in
from tests.gui.correction.test_editor import view
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def assistant():
    """The thread and its process, shared by the tests."""
    assistant = Assistant(Setup, fakes.load)
    assistant.start()
    yield assistant
    assistant.close()


@pytest.fixture
def corrections(clip):
    corrections = Corrections()
    corrections.open(Info(clip, (240, 160), 25.0, 60), 1)
    yield corrections
    corrections.close()


@pytest.fixture
def background(assistant, corrections, clip, monkeypatch):
    monkeypatch.setattr(background_module, "QUIET", 0.0)
    monkeypatch.setattr(background_module, "PATIENCE", 0.0)
    background = Background(corrections, assistant)
    background.open(clip)
    return background


def truth(frame):
    """The face of a frame of the clip, as the fake model finds it."""
    low, top, high, bottom = fakes.face_box_at(frame)
    return points_in((low, top, high, bottom))


def corrected(frame, shift):
    """The face of a frame, corrected by a shift."""
    return dataclasses.replace(face(frame), points=truth(frame) + shift)


def test_frames_between_corrections_are_filled_and_saved(background, corrections):
    corrections.put(corrected(4, (3.0, 0.0)))
    corrections.put(corrected(12, (3.0, 2.0)))
    document = corrections.document

    def done():
        background.update(correcting=True)
        return len(document.frames(interpolated=True)) == 7

    wait_until(done)
    middle = document.get(8, 1)
    assert middle.interpolated
    assert middle.timestamp == pytest.approx(8 / 25)
    # The model is right here, and the correction is between that of both ends. The
    # drawn face has no texture, so that some landmarks are tracked badly.
    error = middle.points - truth(8) - (3.0, 1.0)
    assert np.median(np.abs(error)) < 0.5
    wait_until(lambda: corrections.saver.saved)
    # Another correction of an end: the span is computed again.
    corrections.put(corrected(12, (9.0, 2.0)))

    def again():
        background.update(correcting=True)
        return document.is_filled(document.spans()[0])

    wait_until(again)
    error = document.get(8, 1).points - truth(8) - (6.0, 1.0)
    assert np.median(np.abs(error)) < 0.8
    background.set_interpolating(False)
    assert document.frames(interpolated=True) == []


def test_nothing_is_computed_for_who_only_looks(background, corrections, assistant):
    corrections.put(corrected(4, (3.0, 0.0)))
    corrections.put(corrected(12, (3.0, 2.0)))
    for _ in range(3):
        background.update(correcting=False)
    assert assistant._spans == []
    assert assistant.busy == ""


def test_a_span_with_missing_frames_is_tried_once(background, corrections, assistant):
    corrections.put(corrected(55, (0.0, 0.0)))
    corrections.put(corrected(90, (0.0, 0.0)))  # behind the end of the video

    def done():
        background.update(correcting=True)
        return background._failed

    wait_until(done)
    assert corrections.document.frames(interpolated=True) == []
    background._seen_version = -1
    background.update(correcting=True)
    assert assistant._spans == []


def test_the_model_looks_into_a_dragged_box(background, assistant):
    picture = view(boxes=((60, 40, 110, 100),)).image
    assistant.guess(picture, np.array([55.0, 35.0, 118.0, 104.0]), 5, np.zeros((68, 2)))
    guesses = []
    wait_until(lambda: guesses.extend(background.update(correcting=True)) or guesses)
    assert guesses[0].person == 5
    # The drawn box includes its last pixel.
    expected = points_in((60.0, 40.0, 110.0, 100.0))
    assert np.abs(guesses[0].points - expected).max() < 1.1


def test_suggestions_come_from_the_whole_video(background, corrections):
    assert background.suggestion() is None  # nobody asked
    background.ask(60)
    found = []
    wait_until(lambda: (found.append(background.suggestion()), found[-1])[1])
    assert isinstance(found[-1], Candidate)
    wait_until(lambda: background.analysis.done)
    assert background.analysis.share == 1.0
    assert background.analysis.faces == 50
    first = found[-1]
    background.ask(60)
    second = background.suggestion()
    assert second.frame != first.frame  # what was seen is not suggested again
    expected = np.array(fakes.face_box_at(second.frame))
    assert np.abs(second.box - expected).max() < 3


def test_a_corrected_face_is_not_suggested():
    analysis = Analysis(3)
    for frame in range(3):
        analysis.add(frame, view(frame).faces[:1])
    document = Document(
        [dataclasses.replace(face(frame), frame=frame) for frame in (0, 1)]
    )
    candidate, key = analysis.suggest(document)
    assert candidate.frame == 2
    assert analysis.suggest(document, {key}) is None


def test_unrelated_images_have_no_common_people():
    analysis = Analysis(2, unrelated=True)
    for frame in range(2):
        analysis.add(frame, view(frame).faces)
    assert len(set(analysis._people)) == 4


def test_a_long_video_is_analysed_at_equal_distances():
    analysis = Analysis(10_000)
    assert analysis.stride == 4
    analysis.add(0, [])
    assert analysis.next_frame == 4
    assert analysis.suggest(Document()) is None


def test_nothing_to_suggest_is_said(background, corrections, monkeypatch):
    background.ask(60)
    wait_until(lambda: background.analysis.done)
    visited = {(frame, 1) for frame in range(60)}
    background._visited |= visited | {(frame, 2) for frame in range(60)}
    background._visited |= {(frame, 3) for frame in range(60)}
    assert "corrected or were shown" in background.suggestion()
    assert background.suggestion() is None


def test_a_failing_model_is_reported(clip):
    assistant = Assistant(lambda: Setup(model_dir="missing"), fakes.load)
    assistant.open(clip)
    assistant.start()
    assistant.analyse(60, unrelated=False)
    wait_until(lambda: assistant.error)
    assert "missing" in assistant.error
    assistant.close()


def test_a_face_with_an_unknown_landmark_is_not_interpolated(clip):
    ends = [corrected(4, 0.0), corrected(12, 0.0)]
    ends[1].points[30] = np.nan
    assistant = Assistant(Setup, fakes.load)
    assert assistant._fill(clip, Span(ends[0], ends[1])) == []
    assert assistant._fill(clip, Span(ends[1], ends[0])) == []


def test_a_video_of_unknown_length_is_analysed_before_a_suggestion(
    background, assistant, monkeypatch
):
    monkeypatch.setattr(background_module, "PATIENCE", 1e9)
    analysis = Analysis(None)
    monkeypatch.setattr(assistant, "_analysis", analysis)
    monkeypatch.setattr(assistant, "_has_work", lambda: False)
    background.ask(None)
    assert analysis.stride == 1
    analysis.add(0, view(0).faces[:1])
    assert analysis.share == 0.0
    assert analysis.progress == "frame 1"
    assert background.suggestion() is None
    analysis.add(1, view(1).faces[:1])
    monkeypatch.setattr(background_module, "PATIENCE", -1.0)
    assert isinstance(background.suggestion(), Candidate)
    analysis.finish()
    assert analysis.share == 1.0
