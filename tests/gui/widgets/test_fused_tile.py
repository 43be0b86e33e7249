"""The tile with the face from many frames, in the real window."""

import dataclasses

import cv2
import numpy as np

from gui.viewer.painter import FUSED
from gui.viewer.settings import Settings, write


def caption(drive):
    return drive.viewer.window._captions[FUSED].cget("text")


def fused_frames(drive):
    fused = drive.viewer.painting.fused
    return fused.frames if fused else 0


def test_the_caption_counts_the_frames_and_a_seek_starts_again(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    drive.until(lambda: caption(drive) == "From 1 frame")
    for count in (2, 3):
        drive.key("<Right>")
        drive.until(lambda count=count: caption(drive) == f"From {count} frames")
    assert FUSED in drive.viewer.painting.tiles
    drive.viewer.player.seek(30)
    drive.show(30)
    drive.until(lambda: caption(drive) == "From 1 frame")
    drive.viewer.player.seek(55)  # without a face
    drive.until(lambda: caption(drive) == "From many frames")


def test_the_portrait_is_updated_while_the_video_is_played(start, clip):
    drive = start(clip)
    drive.ready()
    drive.until(lambda: fused_frames(drive) > 3)


def test_dragging_moves_the_line_between_frame_and_face(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: FUSED in viewer.painting.tiles)
    panel = viewer.window.portrait
    side = viewer.window.tile_size
    drive.drag(panel, (side // 2, 30), (side // 4, 30))

    def line():
        picture = viewer.painting.tiles[FUSED]
        columns = (picture == picture[0]).all(axis=(0, 2))  # nothing but a line
        whites = (picture[0] == (235, 240, 245)).all(axis=-1)
        return np.flatnonzero(columns & whites)

    drive.until(lambda: list(line()) == [round(panel.divider * side)])
    assert abs(panel.divider - 0.25) < 0.02
    drive.drag(panel, (side // 4, 30), (-20, 30))  # beyond the edge
    drive.until(lambda: len(line()) == 0)
    assert panel.divider == 0


def test_a_check_box_shows_the_uncertainty(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: FUSED in viewer.painting.tiles)
    before = viewer.painting.tiles[FUSED].copy()
    viewer.sidebar.toggle("sigma")
    drive.until(lambda: (viewer.painting.tiles[FUSED] != before).any())


def test_one_click_saves_the_portrait_beside_the_video(start, clip, tmp_path):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: viewer.painting.fused is not None)
    for name in ("clip_portrait.png", "clip_portrait_2.png"):
        viewer.window.save_portrait.invoke()
        saved = cv2.imread(str(tmp_path / name))
        np.testing.assert_array_equal(saved[..., ::-1], viewer.painting.fused.image)
        drive.until(lambda name=name: f"{name}" in drive.status())


def test_without_a_face_the_button_says_why(start, clip, tmp_path, warnings):
    drive = start(clip, paused=True)
    drive.ready()
    drive.viewer.player.seek(55)
    drive.show(55)
    drive.viewer.window.save_portrait.invoke()
    assert warnings == ["The portrait cannot be saved: no face from many frames"]
    assert not list(tmp_path.glob("*.png"))


def test_a_tile_that_is_hidden_is_not_computed(start, clip, tmp_path):
    path = str(tmp_path / "viewer.json")
    write(path, dataclasses.replace(Settings(), fused=False))
    drive = start(clip, settings_path=path)
    drive.ready()
    drive.until(lambda: drive.frame() > 5)
    assert drive.viewer.painting.view.portrait is None
    assert not drive.viewer.window.save_portrait.winfo_ismapped()
    drive.viewer.sidebar.toggle("fused")
    drive.until(lambda: fused_frames(drive) > 0)
    assert drive.viewer.window.save_portrait.winfo_ismapped()
