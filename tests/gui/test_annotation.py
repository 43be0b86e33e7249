"""The annotation of one video from Python."""

import itertools

import numpy as np
import pytest

from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from gui import annotation, jobs
from gui.degradation import VideoDegradation
from gui.stages import Reading, followed, looked_up, tracked
from tests.ethos_model.footage import clips
from tests.gui import fakes


def annotate(path, out, frames=60, **options):
    clip = fakes.write_video(str(path / "clip.avi"), frames)
    tracker = FaceTracker(fakes.Distracted(), fakes.Blind())
    job = jobs.AnnotationJob(clip, f"{out}/v.mp4", (f"{out}/t.npz",))
    options = annotation.AnnotateOptions(**options)
    result = annotation.annotate(job, tracker, options, show_progress=False)
    with np.load(f"{out}/t.npz") as table:
        return result, tracker, dict(table)


@pytest.mark.parametrize("beside", [(), ("restored", "depth")])
def test_a_lost_face_is_found_again_in_the_frames_between(tmp_path, beside):
    result, tracker, table = annotate(tmp_path, tmp_path / "out", beside=beside)
    assert (result.frames, result.with_face) == (60, 60)
    assert table["frame"].tolist() == list(range(60))
    assert set(table["face"].tolist()) == {1}
    boxes = [fakes.face_box_at(index) for index in range(60)]
    low, high = table["landmarks"].min(axis=1), table["landmarks"].max(axis=1)
    found = np.concatenate([low[:, :2], high[:, :2]], axis=1)
    assert np.abs(found - boxes).max() < 3
    assert len(clips.read_all(str(tmp_path / "out/v.mp4"))) == 60
    assert tracker.options.smoothing  # as before


def test_the_refinement_can_be_switched_off(tmp_path):
    result, _, table = annotate(tmp_path, tmp_path / "out", refine=False)
    missing = sorted(set(range(60)) - set(table["frame"].tolist()))
    assert missing[: len(fakes.GAP)] == list(fakes.GAP)
    assert result.with_face == 60 - len(missing)


def test_an_error_while_reading_ahead_ends_the_annotation(tmp_path, monkeypatch):
    monkeypatch.setattr(fakes.Distracted, "predict", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        annotate(tmp_path, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_selected_frames_are_those_of_the_video(tmp_path):
    clip = fakes.write_video(str(tmp_path / "clip.avi"), 90)
    degradation = VideoDegradation(noise=5)
    read = Reading(clip, degradation, fields=False, show_progress=False)
    with read.open() as source:
        everything = list(read.frames(source))
    chosen = [3, 4, 9, 70, 88]
    for frame, index in itertools.zip_longest(read.selected(chosen), chosen):
        assert (frame.index, frame.timestamp) == (index, everything[index].timestamp)
        np.testing.assert_array_equal(frame.image, everything[index].image)


def test_images_that_were_kept_are_not_predicted_again(tmp_path):
    clip = fakes.write_video(str(tmp_path / "clip.avi"), 8)
    read = Reading(clip, VideoDegradation(), fields=False, show_progress=False)
    with read.open() as source:
        frames = list(read.frames(source))

    def tracker():
        options = TrackerOptions(smoothing=False)
        return FaceTracker(fakes.FakePredictor(), fakes.FakeFinder(), options)

    expected = [item.faces[0].face for item in tracked(frames, tracker())]
    kept = list(followed(frames, tracker(), kept=1))
    for item, face in zip(looked_up(frames, kept, None, 1), expected, strict=True):
        (found,) = item.faces
        assert found.face.depth.dtype == np.float32
        np.testing.assert_allclose(found.face.depth, face.depth, atol=0.1)
        np.testing.assert_allclose(found.face.restored, face.restored, atol=0.001)
    assert all(entry.faces[0].face.depth.nbytes < face.depth.nbytes for entry in kept)
    plain = list(followed(frames, tracker()))
    predictor = fakes.FakePredictor()
    items = list(looked_up(frames, plain, predictor, 1))
    assert predictor.calls == 8
    for item, face in zip(items, expected, strict=True):
        np.testing.assert_allclose(item.faces[0].face.depth, face.depth, atol=0.1)
