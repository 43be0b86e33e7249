"""The model's process, with the shipped model and with a fake model."""

import multiprocessing

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.reader import open_video
from gui import sample
from gui.viewer.live_fusion import Subject
from gui.viewer.session import (
    Failed,
    Locate,
    Located,
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
    """A frame with a face whose left edge is at `x`."""
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, (x, 40, x + 50, 100))
    return image


@pytest.fixture(scope="module")
def shipped():
    return load(Setup())


def test_the_shipped_model_tracks_the_faces_of_the_sample(shipped):
    session = Session(shipped)
    replies = []
    with open_video(sample.SAMPLE) as source:
        for frame in iter(source.read, None):
            replies.append(session.process(request(frame.image, frame.timestamp)))
    assert len(replies) == sample.NUM_PEOPLE * sample.FRAMES_PER_PERSON
    single = [reply for reply in replies if len(reply.faces) == 1]
    assert len(single) >= 0.98 * len(replies)
    # After each cut there is another person.
    assert len({reply.faces[0].id for reply in single}) == sample.NUM_PEOPLE
    face = single[-1].faces[0].face
    assert face.depth.shape == face.restored.shape
    assert np.isfinite(face.landmarks).all()
    assert {"detect", "predict", "smooth"} <= set(single[-1].timings)


def test_the_shipped_model_finds_no_face_in_noise(shipped):
    session = Session(shipped)
    rng = np.random.default_rng(0)
    for index in range(5):
        noise = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
        assert session.process(request(noise, index / 25)).faces == []


def test_rejects_a_directory_without_a_model(tmp_path):
    with pytest.raises(EthosError, match=r"ethos_model\.json"):
        load(Setup(str(tmp_path)))
    (tmp_path / "ethos_model.json").write_text('{"format_version": 1}')
    with pytest.raises(EthosError, match=r"ethos_model\.json"):
        load(Setup(str(tmp_path)))


def test_degraded_and_clean_frames_have_separate_trackers():
    session = Session(fakes.load(Setup()))
    dark, clean = np.zeros((160, 240, 3), np.uint8), picture(60)
    reply = session.process(Request(dark, clean, 0.0))
    assert reply.faces == []
    assert len(reply.reference) == 1
    assert session.process(request(picture(60), 0.04)).reference == []


def test_each_request_chooses_the_smoothing():
    session = Session(fakes.load(Setup()))
    session.process(request(picture(60), 0.0))
    smooth = session.process(request(picture(64), 0.04)).faces[0]
    raw = session.process(request(picture(64), 0.08, smoothing=False)).faces[0]
    assert smooth.box[0] < raw.box[0] - 0.05


def test_another_video_starts_again_at_person_1():
    session = Session(fakes.load(Setup()))
    image = picture(60)
    fakes.draw_face(image, (160, 40, 200, 90))
    session.process(request(image, 0.0, numbering=1))
    (face,) = session.process(request(picture(160), 0.04, numbering=1)).faces
    assert face.id > 1
    (face,) = session.process(request(picture(160), 0.08, numbering=2)).faces
    assert face.id == 1


def test_a_seek_keeps_the_numbers_of_the_people(shipped):
    session = Session(shipped)
    with open_video(sample.SAMPLE) as source:
        frames = list(iter(source.read, None))

    def number(index):
        frame = frames[index]
        (face,) = session.process(request(frame.image, frame.timestamp)).faces
        return face.id

    for index in range(0, 150, 2):
        number(index)
    # Back to each of the people, in another order.
    assert [number(index) for index in (120, 20, 70, 22, 21)] == [3, 1, 2, 1, 1]


def test_faces_are_measured_in_both_frames():
    session = Session(fakes.load(Setup()))
    reply = session.process(Request(picture(60), picture(60), 0.0))
    for face in (*reply.faces, *reply.reference):
        assert 0 <= face.measures.quality <= 1
    assert reply.timings["measure"] > 0


def test_the_portrait_is_made_of_the_degraded_frames_on_demand():
    session = Session(fakes.load(Setup()))
    counts = []
    for index in range(3):
        dim, clean = picture(60) // 2, picture(60)
        reply = session.process(
            Request(dim, clean, index / 25, subject=Subject(), numbering=1)
        )
        counts.append(reply.portrait.fused.frames)
    assert counts == [1, 2, 3]
    assert reply.portrait.person == reply.faces[0].id
    fused = reply.portrait.fused
    middle = fused.image[32, 32] / fused.gain
    np.testing.assert_allclose(middle, np.array(fakes.SKIN) // 2, atol=2)
    another = session.process(request(picture(60), 3 / 25, subject=Subject()))
    assert another.portrait.fused.frames == 1  # another video
    assert session.process(request(picture(60), 2 / 25)).portrait is None


def test_the_shipped_network_makes_a_portrait(shipped):
    with open_video(sample.SAMPLE) as source:
        frame = source.read()
    subject = request(frame.image, frame.timestamp, numbering=5, subject=Subject())
    portrait = Session(shipped).process(subject).portrait
    assert portrait.error == ""
    assert portrait.fused.image.shape == (224, 224, 3)


def test_an_error_concerns_one_frame_only():
    loaded = fakes.load(Setup())
    session = Session(loaded)
    assert len(session.process(request(picture(60), 0.0)).faces) == 1
    predict = loaded.predictor.predict
    loaded.predictor.predict = lambda frame, boxes: 1 // 0
    reply = session.process(request(picture(60), 0.04))
    assert reply.faces == []
    assert reply.error.startswith("ZeroDivisionError")
    loaded.predictor.predict = predict
    reply = session.process(request(picture(60), 0.08))
    assert len(reply.faces) == 1
    assert reply.error == ""


def test_reports_the_number_of_faces_that_are_not_tracked():
    image = np.full((200, 700, 3), (40, 60, 90), np.uint8)
    for column in range(10):
        x = 10 + 68 * column
        fakes.draw_face(image, (x, 60, x + 50, 120))
    reply = Session(fakes.load(Setup())).process(request(image))
    assert len(reply.faces) == 8
    assert reply.skipped == 2


def test_the_process_answers_until_the_connection_is_closed(tmp_path):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(theirs, fakes.load)
    )
    process.start()
    theirs.close()
    ours.send(request(picture(60)))
    assert ours.recv() == Reply()  # no model yet
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


def test_landmarks_of_known_boxes_are_predicted_again_in_better_boxes():
    session = Session(fakes.load(Setup()))
    box = np.array([50.0, 30.0, 125.0, 115.0])
    rough = session.locate(Locate(picture(60), [box]))
    assert rough.error == ""
    (face,) = session.locate(Locate(picture(60), [box], passes=2)).faces
    own = face.window.left + face.window.size / 2
    assert own == pytest.approx(60 + 25, abs=1)  # the window of the second pass
    broken = session.locate(Locate(picture(60), [np.zeros(4)]))
    assert isinstance(broken, Located)
