import gc

import psutil

from ethos_model.footage.reader import open_video
from tests.ethos_model.footage import clips
from tests.gui import fakes


def test_frames_are_freed_without_the_garbage_collector(tmp_path):
    path = fakes.write_video(str(tmp_path / "v.mp4"), 40, codec="mp4v")
    with open_video(path) as source:
        for _ in range(5):
            source.read()
        gc.collect()
        gc.disable()
        try:
            for _ in range(30):
                source.read()
            garbage = gc.collect()
        finally:
            gc.enable()
    assert garbage < 10


def test_a_closed_video_leaves_no_threads(tmp_path):
    path = clips.write(str(tmp_path / "v.mp4"), [clips.image(k) for k in range(30)])
    clips.read_all(path)
    before = psutil.Process().num_threads()
    gc.disable()  # the threads must not wait for it
    try:
        for _ in range(5):
            with open_video(path) as source:
                source.read()
                source.seek(20)
                source.read()
            del source
        assert psutil.Process().num_threads() <= before
    finally:
        gc.enable()
