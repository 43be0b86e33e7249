import dataclasses
import sys

import cv2
import numpy as np
import pytest

from ethos_data.crop import Window
from ethos_data.errors import EthosError
from ethos_model.footage.fusion.face_fusion import FusedFace
from ethos_model.footage.reader import Frame
from gui.degradation import VideoDegradation
from gui.drawing.overlay import OverlayOptions
from gui.viewer import saving
from gui.viewer.engine import READY
from gui.viewer.painter import FUSED, Painting
from gui.viewer.session import Setup
from gui.viewer.view import View
from tests.waiting import wait_until


def painting(width=300, height=200, tiles=0, offset=(10, 0)):
    image = np.zeros((20, 30, 3), np.uint8)
    source = np.full((height, width, 3), 50, np.uint8)
    pictures = {str(k): np.full((90, 90, 3), 100 + k, np.uint8) for k in range(tiles)}
    view = View(Frame(image, 0, 0.0), image, [], [], False, READY, {}, 0.0)
    return Painting(view, source, pictures, 10.0, offset, None, 1.0)


def test_saves_the_reconstructions_in_columns_beside_the_frame(tmp_path):
    path = str(tmp_path / "picture.png")
    saving.save_picture(path, painting(tiles=3))
    saved = cv2.imread(path)
    assert saved.shape == (200, 300 + 2 * 90, 3)
    assert (saved[:, :300] == 50).all()
    assert (saved[:90, 300:390] == 100).all()
    assert (saved[90:180, 300:390] == 101).all()
    assert (saved[:90, 390:] == 102).all()
    saving.save_picture(path, painting())
    assert cv2.imread(path).shape == (200, 300, 3)


@pytest.mark.parametrize("save", [saving.save_depth, saving.save_mesh])
def test_a_frame_without_a_face_has_no_depth_and_no_mesh(tmp_path, save):
    with pytest.raises(EthosError, match="this frame has no face"):
        save(str(tmp_path / "face.ply"), painting())


def test_the_portrait_is_saved_in_colour(tmp_path):
    path = str(tmp_path / "portrait.png")
    with pytest.raises(EthosError, match="no face from many frames"):
        saving.save_portrait(path, painting())
    image = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    sigma = np.zeros((32, 32), np.float32)
    fused = FusedFace(image, sigma, Window(-0.5, -0.5, 20), 5, 1.0)
    saving.save_portrait(path, dataclasses.replace(painting(), fused=fused))
    np.testing.assert_array_equal(cv2.imread(path)[..., ::-1], image)


def test_a_new_file_replaces_no_other(tmp_path):
    for name in ("clip.png", "clip_2.png", "clip_3.png"):
        path = saving.new_path(str(tmp_path), "clip", ".png")
        assert path == str(tmp_path / name)
        (tmp_path / name).touch()


def flags(path, setup=None, **fields):
    options = {"kinds": ("depth",), "overlay": OverlayOptions(), "smoothing": True}
    degradation = fields.pop("degradation", VideoDegradation())
    return saving.annotate_flags(
        "clip.mp4", path, setup or Setup(), degradation, **(options | fields)
    )


def test_the_suffix_selects_a_table_or_a_video():
    assert flags("out.mp4")[:3] == ["clip.mp4", "--output", "out.mp4"]
    assert flags("out.CSV")[:3] == ["clip.mp4", "--csv", "out.CSV"]
    assert flags("out")[:3] == ["clip.mp4", "--output", "out"]


def test_the_arguments_contain_model_and_degradation():
    arguments = flags(
        "out.mp4", Setup("model"), degradation=VideoDegradation(darkness=0.5)
    )
    assert arguments[arguments.index("--model") + 1] == "model"
    assert arguments[arguments.index("--darkness") + 1] == "0.5"


def test_the_arguments_contain_a_chosen_backend():
    assert "--backend" not in flags("out.mp4")
    arguments = flags("out.mp4", Setup(backend="onnx"))
    assert arguments[arguments.index("--backend") + 1] == "onnx"


def test_ethos_annotate_draws_no_face_from_many_frames():
    arguments = flags("out.mp4", kinds=("restored", FUSED, "depth"))
    start = arguments.index("--beside")
    assert arguments[start : start + 4] == ["--beside", "restored", "depth", "--draw"]


def process(code):
    return saving.AnnotateProcess("a/faces.mp4", [], (sys.executable, "-c", code))


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("pass", "Saved a/faces.mp4"),
        (
            "import sys; sys.exit('error: clip.mp4: not a video')",
            "error: clip.mp4: not a video",
        ),
        (
            "raise SystemExit(7)",
            "Saving faces.mp4 failed (exit status 7). Save it again.",
        ),
        (
            "import sys; print('warning: 3 errors', file=sys.stderr); sys.exit(3)",
            "Saved a/faces.mp4 (3 errors)",
        ),
        (
            "import os; os.write(2, b'\\xff\\n'); os.kill(os.getpid(), 9)",
            "Saving faces.mp4 failed (killed by SIGKILL). Save it again.",
        ),
    ],
)
def test_the_result_says_how_the_process_ended(code, result):
    job = process(code)
    job.start()
    wait_until(lambda: job.result is not None)
    assert job.result == result


def test_shows_the_percentage_of_a_progress_bar():
    job = process(
        "import sys, time; print('\\rv:  45%|#### | 9/20', end='', file=sys.stderr); "
        "sys.stderr.flush(); time.sleep(60)"
    )
    job.start()
    wait_until(lambda: job.progress == "45 %")
    job.close()


def test_shows_the_last_line_of_the_process():
    job = process(
        "import sys, time; print('7 frames\\r8 frames', file=sys.stderr, flush=True); "
        "time.sleep(60)"
    )
    job.start()
    wait_until(lambda: job.progress == "8 frames")
    assert job.result is None
    job.close()
    assert job.result == "Saving faces.mp4 was stopped."


def test_a_failure_of_the_thread_ends_the_process(monkeypatch):
    job = process("import time; time.sleep(60)")

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(saving.subprocess.Popen, "wait", fail)
    job.start()
    wait_until(lambda: job._process is not None)
    job._process.kill()
    wait_until(lambda: job.result is not None)
    assert job.result == "Saving faces.mp4 failed (MemoryError)."
    monkeypatch.undo()
    assert job._process.wait(10) == -9
