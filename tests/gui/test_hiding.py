"""ethos-annotate --hide_faces."""

import dataclasses

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from ethos_data.topology import face_box, face_size, iou
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.hiding.cover import KINDS
from ethos_model.footage.reader import open_video
from ethos_model.footage.sources.images import ImageSequence, Page
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from ethos_model.predict import FacePredictor
from gui import annotate, annotation
from gui.jobs import AnnotationJob
from gui.sample import SAMPLE
from tests.ethos_model.footage import clips
from tests.gui import fakes

FRAMES = 15


@pytest.fixture(scope="module")
def model():
    """The shipped model and the finder with it."""
    predictor = FacePredictor()
    return predictor, FaceFinder(predictor=predictor)


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """A video of three rendered heads, 5 frames each."""
    images = []
    with open_video(SAMPLE) as source:
        while (frame := source.read()) is not None:
            if frame.index % 10 == 0:
                images.append(frame.image)
    path = str(tmp_path_factory.mktemp("heads") / "heads.mp4")
    return clips.write(path, images)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_the_finder_nor_the_network_finds_a_hidden_face(
    model, heads, tmp_path, kind
):
    predictor, finder = model
    path = str(tmp_path / "hidden.mp4")
    result = annotation.annotate(
        AnnotationJob(heads, path),
        FaceTracker(predictor, finder),
        annotation.AnnotateOptions(hide_faces=kind),
        finder=finder,
        show_progress=False,
    )
    assert result.with_face == FRAMES
    lost = TrackerOptions().lost_uncertainty
    sigmas = []
    tracker = FaceTracker(predictor, finder)
    for before, after in zip(clips.read_all(heads), clips.read_all(path), strict=True):
        assert after.image.shape == before.image.shape
        (detection,) = finder.find(before.image)
        assert not [
            d for d in finder.find(after.image) if iou(d.box, detection.box) > 0
        ]
        assert tracker.update(after.image, after.timestamp) == []
        (face,) = predictor.predict(after.image, [detection.box])
        size = float(face_size(face_box(face.landmarks)))
        sigmas.append(float(np.median(face.uncertainty)) / size)
    assert np.mean(np.array(sigmas) > lost) > 0.9
    assert min(sigmas) > 0.8 * lost


@pytest.fixture
def fake_model(monkeypatch):
    monkeypatch.setattr(annotate, "load", fakes.load)


def face_clip(path, faceless=()):
    """A video with sound, whose face is missing in some frames."""
    images = []
    for index in range(FRAMES):
        image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
        if index not in faceless:
            fakes.draw_face(image, fakes.face_box_at(index))
        images.append(image)
    return clips.write(str(path), images, sound_seconds=0.6)


def test_a_lost_face_is_hidden_and_reported(fake_model, tmp_path, capsys):
    video = face_clip(tmp_path / "v.mp4", faceless=range(8, 13))
    out, table = str(tmp_path / "hidden.mp4"), str(tmp_path / "t.csv")
    flags = ["--output", out, "--hide_faces", "box", "--csv", table]
    assert annotate.main([video, *flags]) == 0
    for index, frame in enumerate(clips.read_all(out)):
        x0, y0, x1, y1 = fakes.face_box_at(index)
        assert frame.image[y0:y1, x0:x1].max() < 20, index
        assert np.abs(frame.image[:20, :20].astype(int) - (40, 60, 90)).max() < 12
    doubt = "frames 8 to 12 (0.32 s to 0.48 s): a face was not found; its place is"
    assert f"check: {video}: {doubt}" in capsys.readouterr().err
    with open(table) as file:
        assert f"# doubt: {doubt}" in file.read()
    assert len(pd.read_csv(table, comment="#")) == FRAMES - 5


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_an_output_that_shows_faces_is_not_taken_for_one_that_hides_them(
    fake_model, tmp_path, capsys, suffix
):
    video, other = (face_clip(tmp_path / name) for name in ("a ü.mp4", "b.mp4"))
    out = str(tmp_path / f"out{suffix}")
    hide = ["--output", out, "--hide_faces", "blur"]
    assert annotate.main([video, "--output", out]) == 0
    assert annotate.main([video, *hide]) == 1
    assert f"error: {out}: exists, but was not made from" in capsys.readouterr().err
    assert annotate.main([video, *hide, "--overwrite"]) == 0
    assert annotate.main([video, *hide]) == 0  # made by the same command
    assert annotate.main([other, *hide]) == 1
    assert annotate.main([video, "--output", out, "--hide_faces", "box"]) == 1


def test_the_sound_and_the_timestamps_are_kept(fake_model, tmp_path):
    video = face_clip(tmp_path / "v.mp4")
    out = str(tmp_path / "hidden.mp4")
    assert annotate.main([video, "--output", out, "--hide_faces", "blur"]) == 0
    with av.open(out) as container:
        sound = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(0.6, abs=0.1)
    before, after = clips.read_all(video), clips.read_all(out)
    assert [f.timestamp for f in after] == pytest.approx([f.timestamp for f in before])


def test_a_face_that_is_found_in_a_second_look_is_not_reported(tmp_path):
    video = fakes.write_video(str(tmp_path / "v.avi"), 40)
    out = str(tmp_path / "hidden.mp4")
    results = {}
    for refine in (True, False):
        finder = fakes.Blind()
        results[refine] = annotation.annotate(
            AnnotationJob(video, out),
            FaceTracker(fakes.Distracted(), finder),
            annotation.AnnotateOptions(hide_faces="box", refine=refine),
            finder=finder,
            show_progress=False,
        )
        for frame in clips.read_all(out):
            x0, y0, x1, y1 = fakes.face_box_at(frame.index)
            assert frame.image[y0:y1, x0:x1].max() < 20
    assert results[True].with_face == 40
    assert results[True].doubts == ()
    first, last = fakes.GAP[0], fakes.GAP[-1]
    assert f"frames {first} to {last}" in results[False].doubts[0]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--csv", "t.csv"], "--hide_faces needs --output"),
        (["--output", "o.mp4", "--stills", "s"], "s: would show the hidden faces"),
    ],
)
def test_outputs_that_show_faces_are_refused(
    fake_model, tmp_path, monkeypatch, capsys, flags, reason
):
    monkeypatch.chdir(tmp_path)
    video = face_clip(tmp_path / "v.mp4")
    assert annotate.main([video, "--hide_faces", "blur", *flags]) == 1
    assert f"error: {reason}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_a_live_source_is_refused(fake_model, tmp_path, monkeypatch, capsys):
    path = str(tmp_path / "frame.png")
    cv2.imwrite(path, np.zeros((160, 240, 3), np.uint8))
    camera = ImageSequence("camera 0", [Page(path)] * 10)
    camera.info = dataclasses.replace(camera.info, live=True)
    monkeypatch.setattr(annotate.reader, "open_video", lambda *_, **__: camera)
    flags = ["--output", str(tmp_path / "o.mp4"), "--hide_faces", "blur"]
    assert annotate.main(["camera:0", *flags]) == 1
    error = "camera 0: faces can be hidden in files only; record the stream first"
    assert error in capsys.readouterr().err
