"""ethos-annotate --portraits and --restore."""

import json

import cv2
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.reader import open_video
from ethos_model.footage.tracker import FaceTracker
from ethos_model.predict import FacePredictor
from gui import annotate, annotation
from gui.degradation import VideoDegradation
from gui.jobs import AnnotationJob
from gui.sample import SAMPLE
from tests.ethos_model.footage import clips

FRAMES = 12


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """A noisy video of a rendered head."""
    images = []
    with open_video(SAMPLE) as source:
        while len(images) < FRAMES and (frame := source.read()) is not None:
            images.append(VideoDegradation(noise=25).apply(frame.image, frame.index))
    path = str(tmp_path_factory.mktemp("heads") / "heads.mp4")
    return clips.write(path, images)


@pytest.fixture(scope="module")
def tracker():
    predictor = FacePredictor()
    return FaceTracker(predictor, FaceFinder(predictor=predictor))


def run(tracker, job, **options):
    chosen = annotation.AnnotateOptions(draw=(), beside=(), **options)
    return annotation.annotate(job, tracker, chosen, show_progress=False)


def test_each_person_has_a_portrait_a_log_and_a_place_on_the_sheet(
    tracker, heads, tmp_path
):
    job = AnnotationJob(heads, portraits=str(tmp_path / "people"))
    assert not job.is_done
    result = run(tracker, job)
    assert result.with_face == FRAMES
    assert job.is_done
    log = json.loads((tmp_path / "people" / "portraits.json").read_text())
    assert log["video"] == heads
    (person,) = log["people"]
    assert 0 <= person["frame"] < FRAMES
    assert [int(frame) for frame in person["weights"]] == list(range(FRAMES))
    assert all(0 < weight <= 1 for weight in person["weights"].values())
    assert 0 < person["frames used"] <= FRAMES
    image = cv2.imread(str(tmp_path / "people" / person["image"]))
    assert image.shape == (224, 224, 3)
    assert np.ptp(image, axis=2).mean() > 5  # in colour
    sigma = cv2.imread(str(tmp_path / "people" / "person_1_sigma.png"))
    assert sigma.shape == (224, 224, 3)
    sheet = cv2.imread(str(tmp_path / "people" / "contact_sheet.png"))
    assert sheet.shape[0] > 180


def test_restored_faces_have_less_noise_and_the_rest_stays(tracker, heads, tmp_path):
    path = str(tmp_path / "better.mp4")
    run(tracker, AnnotationJob(heads, path), restore=True, scale=1.0)
    before, after = clips.read_all(heads), clips.read_all(path)
    assert len(after) == FRAMES
    tracker.reset()
    (face,) = tracker.update(before[-1].image, 0)
    x0, y0, x1, y1 = face.box.astype(int)
    inside = np.zeros(before[-1].image.shape[:2], bool)
    inside[y0 + 5 : y1 - 5, x0 + 5 : x1 - 5] = True
    changed = np.abs(after[-1].image.astype(int) - before[-1].image).mean(axis=2)
    assert changed[inside].mean() > 2 * changed[:20].mean()


def test_portraits_are_not_written_over_other_files(tracker, heads, tmp_path):
    (tmp_path / "holiday.txt").write_text("x")
    with pytest.raises(EthosError, match="not a directory of portraits"):
        run(tracker, AnnotationJob(heads, portraits=str(tmp_path)))
    assert (tmp_path / "holiday.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--portraits", "p", "--output", "o.mp4", "--hide_faces", "box"], "p: would"),
        (["--output", "o.mp4", "--restore", "--hide_faces", "box"], "--restore would"),
        (["--csv", "t.csv", "--restore"], "--restore needs --output"),
    ],
)
def test_contradictions_are_reported(heads, flags, message, capsys):
    assert annotate.main([heads, *flags]) == 1
    assert message in capsys.readouterr().err
