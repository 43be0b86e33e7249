"""The model's process, with the model that ships and with what is none."""

import multiprocessing

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.reader import open_video
from gui import sample
from gui.viewer.session import (
    Failed,
    Ready,
    Reply,
    Request,
    Session,
    Setup,
    load,
    serve,
)
from tests.gui import fakes


def request(image, timestamp=0.0, **options):
    return Request(image=image, clean=None, timestamp=timestamp, **options)


def picture(x):
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, (x, 40, x + 50, 100))
    return image


@pytest.fixture(scope="module")
def shipped():
    return load(Setup())


def test_the_shipped_model_follows_the_sample(shipped):
    session = Session(shipped)
    found = []
    with open_video(sample.SAMPLE) as source:
        for frame in iter(source.read, None):
            reply = session.process(request(frame.image, frame.timestamp))
            found.append(reply.faces)
    assert len(found) == sample.PEOPLE * sample.FRAMES_PER_PERSON
    assert sum(len(faces) == 1 for faces in found) >= 0.98 * len(found)
    # Somebody else after each cut.
    assert len({faces[0].id for faces in found if faces}) == sample.PEOPLE
    face = found[-1][0].face
    assert face.depth.shape == face.restored.shape
    assert np.isfinite(face.landmarks).all()
    assert {"detect", "predict", "smooth"} <= set(reply.timings)


def test_the_shipped_model_sees_no_face_where_none_is(shipped):
    session = Session(shipped)
    rng = np.random.default_rng(0)
    for index in range(5):
        noise = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
        assert session.process(request(noise, index / 25)).faces == []


def test_a_folder_that_holds_no_model_is_refused(tmp_path):
    with pytest.raises(EthosError, match="no exported model here"):
        load(Setup(str(tmp_path)))
    (tmp_path / "ethos_model.json").write_text('{"format_version": 1}')
    with pytest.raises(EthosError, match="not the card of a model"):
        load(Setup(str(tmp_path)))


def test_degraded_and_clean_are_followed_apart():
    session = Session(fakes.load(Setup()))
    dark, clean = np.zeros((160, 240, 3), np.uint8), picture(60)
    reply = session.process(Request(dark, clean, 0.0))
    assert reply.faces == []
    assert len(reply.reference) == 1
    assert session.process(request(picture(60), 0.04)).reference == []


def test_smoothing_is_the_requests_choice():
    session = Session(fakes.load(Setup()))
    session.process(request(picture(60), 0.0))
    smooth = session.process(request(picture(64), 0.04)).faces[0]
    raw = session.process(request(picture(64), 0.08, smoothing=False)).faces[0]
    assert smooth.box[0] < raw.box[0] - 0.2


def test_the_process_answers_until_the_line_is_cut(tmp_path):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(theirs, fakes.load)
    )
    process.start()
    theirs.close()
    ours.send(request(picture(60)))
    assert ours.recv() == Reply([], [], {})  # no model yet
    ours.send(Setup(str(tmp_path)))
    failed = ours.recv()
    assert isinstance(failed, Failed)
    assert "not an exported" in failed.reason
    ours.send(Setup())
    assert ours.recv() == Ready(Setup(), "fake model")
    ours.send(request(picture(60)))
    assert len(ours.recv().faces) == 1
    ours.close()
    process.join(timeout=30)
    assert process.exitcode == 0
