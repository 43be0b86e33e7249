import multiprocessing

import numpy as np
import pytest

from ethos_model.footage.reader import Frame
from gui.degradation import VideoDegradation
from gui.viewer.engine import LOADING, READY, Engine, EngineSettings
from gui.viewer.process import ModelProcess, exit_text
from gui.viewer.session import Ready, Setup
from tests.gui import fakes
from tests.waiting import wait_until


def frame(index):
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, fakes.face_box_at(index))
    return Frame(image, index, index / 25)


@pytest.fixture
def views():
    return []


@pytest.fixture
def make_engine(views):
    engines = []

    def make(setup=None, **options):
        engine = Engine(views.append, setup or Setup(), fakes.load, **options)
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.close()
    assert multiprocessing.active_children() == []


def test_people_are_numbered_again_with_another_video_or_model(make_engine, views):
    engine = make_engine()
    engine.start()
    wait_until(lambda: engine.state.phase == READY)

    def show(index, video):
        engine.submit(frame(index), video)
        wait_until(lambda: views and views[-1].frame.index == index)
        return views[-1].numbering

    first = show(0, video=1)
    assert show(40, video=1) == first  # a seek
    second = show(1, video=2)
    assert second != first
    engine.load(Setup())
    wait_until(lambda: views[-1].numbering not in (first, second))


def test_processes_frames_and_repeats_the_last_frame_with_new_settings(
    make_engine, views
):
    engine = make_engine()
    assert engine.state.phase == LOADING
    engine.start()
    wait_until(lambda: engine.state.phase == READY)
    assert engine.state.model == "fake model"
    engine.submit(frame(5), video=1)
    wait_until(lambda: views and views[-1].faces)
    engine.set_settings(EngineSettings(degradation=VideoDegradation(darkness=0.5)))
    wait_until(lambda: views[-1].compared)
    assert views[-1].frame.index == 5
    assert (views[-1].image != views[-1].frame.image).any()


def test_the_state_is_one_immutable_value(make_engine):
    engine = make_engine()
    before = engine.state
    engine._fail("broken")
    assert before.failures == 0
    assert engine.state.failures == 1
    with pytest.raises(AttributeError):
        engine.state.error = ""


def test_loads_the_fallback_if_the_first_model_is_unusable(make_engine, tmp_path):
    engine = make_engine(Setup(str(tmp_path)), fallback=Setup())
    engine.start()
    wait_until(lambda: engine.state.phase == READY)
    assert engine.state.setup == Setup()
    assert "The shipped model is used" in engine.state.error
    assert engine.state.failures == 1


def test_a_process_that_cannot_be_started_is_reported(make_engine, monkeypatch):
    def fail(factory):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("gui.viewer.engine.ModelProcess", fail)
    engine = make_engine()
    engine.start()
    wait_until(lambda: engine.state.failures)
    assert "cannot be started" in engine.state.error
    monkeypatch.undo()
    engine.load(Setup())
    wait_until(lambda: engine.state.phase == READY)


def test_a_process_says_how_it_ended():
    process = ModelProcess(fakes.load)
    process.send(Setup())
    assert isinstance(process.receive(timeout=60), Ready)
    multiprocessing.active_children()[0].kill()
    assert process.ending() == "killed by SIGKILL"
    with pytest.raises((EOFError, OSError)):
        process.receive(timeout=1)
    process.stop()
    assert multiprocessing.active_children() == []


def test_exit_statuses_in_words():
    assert exit_text(None) == ""
    assert exit_text(3) == "exit status 3"
    assert exit_text(-11) == "killed by SIGSEGV"
    assert exit_text(-250) == "killed by signal 250"
