import gc

from ethos_model.footage.reader import open_video
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
