"""Ctrl-C during ethos-annotate."""

import dataclasses
import os
import signal
import threading

import cv2
import numpy as np
import pytest

from ethos_model.footage.sources.images import ImageSequence, Page
from gui import annotate
from tests.ethos_model.footage import clips
from tests.gui import fakes


@pytest.fixture(autouse=True)
def fake_model(monkeypatch):
    monkeypatch.setattr(annotate, "load", fakes.load)


@pytest.fixture
def clip(tmp_path):
    return fakes.write_video(str(tmp_path / "clip.avi"), 30, faceless=range(20, 30))


def test_ctrl_c_ends_a_recording_and_keeps_it(tmp_path, monkeypatch, capsys):
    class Camera(ImageSequence):
        def read(self):
            if self.position == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return super().read()

    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, fakes.face_box_at(0))
    path = str(tmp_path / "frame.png")
    cv2.imwrite(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    camera = Camera("camera 0", [Page(path)] * 5000)
    camera.info = dataclasses.replace(camera.info, live=True)
    monkeypatch.setattr(annotate.reader, "open_video", lambda *_, **__: camera)
    handler = signal.getsignal(signal.SIGINT)
    out = tmp_path / "out"
    flags = ["--npz", f"{out}/t.npz", "--output", f"{out}/v.mp4"]
    assert annotate.main(["camera:0", *flags]) == 0
    assert signal.getsignal(signal.SIGINT) is handler
    assert "Ctrl-C ends the recording" in capsys.readouterr().err
    with np.load(out / "t.npz") as table:
        count = len(table["frame"])
        assert 4 <= count < 5000
    assert len(clips.read_all(f"{out}/v.mp4")) == count


@pytest.fixture
def interruptible():
    """SIGINT as in a terminal. A shell ignores it for what runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_annotation_leaves_no_outputs(clip, tmp_path, monkeypatch):
    once = threading.Lock()

    class Interrupting(fakes.FakePredictor):
        def predict(self, *arguments):  # in two threads, because of the looking ahead
            if self.calls >= 6 and once.acquire(blocking=False):
                os.kill(os.getpid(), signal.SIGINT)
            return super().predict(*arguments)

    def load(setup):
        return dataclasses.replace(fakes.load(setup), predictor=Interrupting())

    monkeypatch.setattr(annotate, "load", load)
    out = tmp_path / "out"
    flags = f"--output {out}/v.mp4 --csv {out}/t.csv --stills {out}/s".split()
    assert annotate.main([clip, *flags]) == 130
    assert os.listdir(out) == []
