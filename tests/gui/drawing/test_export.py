import json
import os
import pathlib
import resource

import cv2
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.reader import open_video
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.writer import VideoRecorder
from gui.drawing import export, surface
from tests.gui import fakes


@pytest.fixture
def face():
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, (60, 30, 130, 120))
    tracker = FaceTracker(fakes.FakePredictor(), fakes.FakeDetector())
    return tracker.update(image, 0.0)[0].face


def test_the_depth_png_and_its_scale_give_the_depth(face, tmp_path):
    path = str(tmp_path / "depth.png")
    export.save_depth_png(path, face)
    level = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    assert level.dtype == np.uint16
    with open(f"{path}.json") as file:
        scale = json.load(file)
    mask = surface.face_mask(face)
    np.testing.assert_array_equal(level > 0, mask)
    low, high = scale["low"], scale["high"]
    depth = low + (level.astype(float) - 1) / 65534 * (high - low)
    step = (high - low) / 65534
    np.testing.assert_allclose(depth[mask], face.depth[mask], atol=step)


def test_rejects_unknown_suffixes(face, tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    for save in (
        lambda: export.save_png(str(tmp_path / "t.gif"), image),
        lambda: export.save_mesh(str(tmp_path / "t.stl"), face, image),
        lambda: VideoRecorder(str(tmp_path / "t.exe"), 25),
    ):
        with pytest.raises(EthosError, match=r"t\.\w+: "):
            save()
    assert os.listdir(tmp_path) == []


def test_names_the_location_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(EthosError, match=r"p\.png: cannot be written \("):
        export.save_png(str(blocked / "p.png"), np.zeros((4, 4, 3), np.uint8))


def test_stills_replace_only_a_directory_of_stills(tmp_path):
    path = tmp_path / "stills"
    path.mkdir()
    (path / "letter.txt").write_text("Dear Sir or Madam")

    def write(name):
        with export.replacing_stills(str(path), {"video": "v"}) as temporary:
            pathlib.Path(temporary, name).write_text("")

    with pytest.raises(EthosError, match="not a directory of stills"):
        write("0.png")
    assert os.listdir(path) == ["letter.txt"]
    (path / "letter.txt").unlink()
    write("0.png")
    write("1.png")
    assert sorted(os.listdir(path)) == ["1.png", "stills.json"]
    assert os.listdir(tmp_path) == ["stills"]


def test_recorded_frames_are_shown_at_their_time(tmp_path):
    path = str(tmp_path / "v.avi")
    shades = {0.0: 50, 0.04: 100, 0.2: 150, 0.24: 200}  # a pause after the second
    with VideoRecorder(path, 25) as recorder:
        for time, shade in shades.items():
            recorder.write(np.full((32, 48, 3), shade, np.uint8), time)
    with open_video(path) as source:
        seen = []
        while (frame := source.read()) is not None:
            seen.append(round(float(frame.image.mean()) / 50) * 50)
    assert seen == [50, 100, 100, 100, 100, 150, 200]


def test_a_recording_that_fails_leaves_nothing(tmp_path):
    def fail():
        with VideoRecorder(str(tmp_path / "v.mp4"), 25) as recorder:
            recorder.write(np.zeros((32, 48, 3), np.uint8), 0.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert os.listdir(tmp_path) == []


def recorded(path, frames, fps):
    """Shades of the frames of a video that was written from (time, shade)."""
    with VideoRecorder(path, fps) as recorder:
        for time, shade in frames:
            recorder.write(np.full((32, 48, 3), shade, np.uint8), time)
    with open_video(path) as source:
        return [round(float(f.image.mean())) for f in iter(source.read, None)]


def test_frames_that_come_faster_do_not_make_a_video_longer(tmp_path):
    slow = [(k / 5, 60) for k in range(15)]
    fast = [(3 + k / 60, 180) for k in range(120)]  # two seconds
    seen = recorded(str(tmp_path / "v.avi"), slow + fast, 12.5)
    assert len(seen) == pytest.approx(5 * 12.5, abs=3)
    assert seen.index(next(s for s in seen if s > 120)) == pytest.approx(37.5, abs=2)


def test_what_follows_a_long_gap_is_in_step_again(tmp_path):
    times = [0, 0.1, 0.2, 60.2, 60.3, 60.8]  # a minute, then half a second
    seen = recorded(str(tmp_path / "v.avi"), [(t, 90) for t in times], 10)
    assert len(seen) == 10


def test_a_full_disk_leaves_no_broken_video(tmp_path):
    path = str(tmp_path / "v.mp4")
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)

    def record():
        with VideoRecorder(path, 25) as recorder:
            for k in range(30):
                recorder.write(np.roll(noise, 9 * k, axis=0), k / 25)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        with pytest.raises(EthosError, match=r"v\.mp4: cannot be written whole"):
            record()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []
