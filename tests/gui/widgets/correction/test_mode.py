"""The correction mode on a (virtual) display, with synthetic mouse and keys."""

import dataclasses

import cv2
import numpy as np
import pytest

from ethos_data.corpora import corrections
from gui.widgets.correction.keys import KEYS
from tests.gui import fakes
from tests.gui.widgets.correction.steps import Mode
from tests.waiting import wait_until


@pytest.fixture
def mode(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    drive.until(lambda: drive.viewer.painting.view.faces)
    mode = Mode(drive)
    mode.open()
    return mode


@pytest.fixture
def two(tmp_path):
    """An image of two faces."""
    image = np.full((160, 320, 3), (40, 60, 90), np.uint8)
    for box in ((30, 40, 90, 110), (200, 50, 240, 100)):
        fakes.draw_face(image, box)
    path = str(tmp_path / "two.png")
    cv2.imwrite(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def test_a_dragged_handle_is_saved_at_once(mode):
    before = mode.editor.face.points.copy()
    way = mode.drag(36, 30, -20)
    (saved,) = mode.saved()
    assert (saved.frame, saved.face, saved.interpolated) == (0, 1, False)
    moved = saved.points - before
    assert np.allclose(moved[36], way, atol=0.002)
    assert np.abs(np.delete(moved, 36, axis=0)).max() < 0.002
    # The frame panel shows it when the mode is left.
    mode.drive.key("<Escape>")
    assert not mode.mode.is_open
    viewer = mode.drive.viewer
    mode.drive.until(lambda: viewer.painting.view.marks == {1: "corrected"})
    shown = viewer.painting.view.faces[0].face.landmarks[36, :2]
    assert np.allclose(shown, saved.points[36], atol=0.01)


def test_arrow_keys_move_by_a_tenth_and_with_shift_by_a_pixel(mode):
    mode.click(30)
    assert mode.editor.selected == (30,)
    before = mode.editor.face.points[30].copy()
    for key in ("<Right>", "<Right>", "<Up>", "<Shift-Down>"):
        mode.drive.key(key)
    assert np.allclose(mode.saved()[0].points[30] - before, (0.2, 0.9), atol=0.002)
    assert mode.drive.frame() == 0  # the arrows do not change the frame


def test_undo_and_redo_by_keys(mode):
    before = mode.editor.face.points[36].copy()
    way = mode.drag(36, 30, 0)
    mode.drag(45, 30, 0)
    mode.drive.key("<Control-z>")
    mode.drive.key("<Control-z>")
    assert mode.saved() == []
    mode.drive.key("<Control-y>")
    assert np.allclose(mode.saved()[0].points[36] - before, way, atol=0.002)
    mode.drive.key("<Control-Shift-KeyPress>", keysym="Z", state=5)
    assert len(mode.saved()) == 1
    mode.drive.key("<Control-y>")
    assert "nothing to repeat" in mode.mode.panel.text_label.cget("text")


def test_shift_click_and_the_wheel_change_a_part(mode):
    x, y = mode.place(36)
    mode.canvas.event_generate("<ButtonPress-1>", x=x, y=y, state=1)
    mode.canvas.event_generate("<ButtonRelease-1>", x=x, y=y, state=1)
    assert mode.editor.selected == tuple(range(36, 42))
    assert mode.mode.panel.part.get() == "Right eye"
    before = mode.editor.face.points.copy()
    mode.canvas.event_generate("<Button-4>", x=9, y=9, state=4)  # Ctrl+wheel
    extent = np.ptp(mode.editor.face.points[36:42, 0]) / np.ptp(before[36:42, 0])
    assert extent == pytest.approx(1.01)
    mode.canvas.event_generate("<Button-5>", x=9, y=9, state=1)  # Shift+wheel
    mode.drive.key("<bracketright>")  # back
    assert np.ptp(mode.editor.face.points[36:42, 0]) / np.ptp(
        before[36:42, 0]
    ) == pytest.approx(1.01)
    scale = mode.canvas.zoom.scale
    mode.canvas.event_generate("<Button-4>", x=9, y=9)
    assert mode.canvas.zoom.scale == pytest.approx(1.2 * scale)
    mode.drive.key("<Key-7>")
    assert mode.mode.panel.part.get() == "Mouth"
    before = mode.editor.face.points.copy()
    way = mode.drag(51, 0, 12)
    assert np.allclose(mode.editor.face.points[48:] - before[48:], way)


def test_dragging_beside_the_handles_moves_the_view(mode):
    before = mode.canvas.zoom
    mode.drive.drag(mode.canvas, (4, 4), (24, 14))
    assert mode.canvas.zoom == before.moved(20, 10)
    assert mode.mode.corrections.document.faces() == []


def test_hidden_landmarks_are_hollow(mode):
    mode.click(30)
    handle = mode.canvas._handles[30]
    assert mode.canvas.itemcget(handle, "fill")
    mode.drive.key("<v>")
    assert mode.canvas.itemcget(handle, "fill") == ""
    assert mode.saved()[0].visible[30] == 1
    mode.drive.until(lambda: mode.mode.panel.buttons["visible"].cget("text") == "Show")
    mode.drive.key("<v>")
    assert mode.saved()[0].visible[30] == 2


def test_the_mirror_menu_replaces_a_half(mode):
    before = mode.editor.face.points.copy()
    mode.drag(36, 25, 10)
    mode.mode.panel.mirror_menu.invoke("Replace the right half")
    assert np.abs(mode.saved()[0].points - before).max() < 0.05


def test_a_box_adds_a_face_and_delete_removes_it(mode):
    viewer = mode.drive.viewer
    viewer.player.seek(55)  # a frame without a face
    mode.drive.until(lambda: mode.editor.frame == 55)
    assert "Press A" in mode.mode.panel.text_label.cget("text")
    mode.drive.key("<a>")
    mode.drive.drag(mode.canvas, (80, 90), (180, 200))
    (saved,) = mode.saved()
    box = mode.canvas.zoom.to_source(np.array([[80, 90], [180, 200]]))
    assert np.allclose(saved.points.min(axis=0), box[0], atol=0.01)
    assert np.allclose(saved.points.max(axis=0), box[1], atol=0.01)
    assert (saved.frame, saved.face) == (55, 1)
    mode.drive.key("<Delete>")
    assert mode.saved() == []


def test_escape_ends_adding_before_it_leaves(mode):
    mode.drive.key("<a>")
    mode.drive.key("<Escape>")
    assert mode.mode.is_open
    mode.drive.key("<Escape>")
    assert not mode.mode.is_open


def test_page_keys_change_the_face(start, two):
    drive = start(two)
    drive.ready()
    drive.until(lambda: len(drive.viewer.painting.view.faces) == 2)
    mode = Mode(drive)
    mode.open()
    assert mode.editor.face.box[0] < 100  # the larger face is the chosen one
    mode.drive.key("<Next>")
    assert mode.editor.face.box[0] > 150
    mode.drive.key("<Return>")
    (saved,) = mode.saved()
    assert saved.points[:, 0].min() > 150
    mode.drive.key("<Prior>")
    assert mode.editor.face.box[0] < 100


def test_frames_are_changed_in_the_mode_and_marked(mode):
    mode.drive.key("<Return>")
    mode.drive.key("<period>")
    mode.drive.until(lambda: mode.editor.frame == 1)
    mode.drive.viewer.player.seek(30)
    mode.drive.until(lambda: mode.editor.frame == 30)
    mode.drive.key("<Return>")
    keys = [(face.frame, face.face) for face in mode.saved()]
    assert keys == [(0, 1), (30, 1)]
    marks = mode.drive.viewer.transport.marks
    mode.drive.until(lambda: len(marks.find_all()) == 2)
    mode.drive.key("<Control-Left>")
    mode.drive.until(lambda: mode.editor.frame == 0)
    mode.drive.key("<Control-z>")  # shows the frame of the undone change
    mode.drive.until(lambda: mode.editor.frame == 30)
    mode.drive.until(lambda: len(marks.find_all()) == 1)


def test_space_leaves_the_mode_and_plays(mode):
    mode.drive.key("<space>")
    assert not mode.mode.is_open
    mode.drive.until(lambda: mode.drive.viewer.player.state.playing)


def test_corrections_are_found_again_whatever_the_numbers(start, clip):
    path = corrections.sidecar_path(clip)
    drive = start(clip, paused=True)
    drive.ready()
    mode = Mode(drive)
    mode.open()
    mode.drive.key("<Return>")
    (saved,) = mode.saved()
    drive.viewer.close()
    # Another program numbered the person 7.
    corrections.write(path, [dataclasses.replace(saved, face=7)])
    drive = start(clip, paused=True)
    drive.ready()
    drive.until(lambda: drive.viewer.painting.view.marks == {1: "corrected"})
    mode = Mode(drive)
    mode.open()
    assert [face.origin for face in mode.editor.faces] == ["corrected"]
    drive.viewer.player.seek(25)
    drive.until(lambda: mode.editor.frame == 25)
    mode.drive.key("<Return>")
    assert [(face.frame, face.face) for face in mode.saved()] == [(0, 7), (25, 7)]


def test_another_path_is_asked_if_the_file_cannot_be_written(
    mode, tmp_path, monkeypatch
):
    other = str(tmp_path / "other.csv")
    monkeypatch.setattr(
        "gui.widgets.correction.saving_errors.filedialog.asksaveasfilename",
        lambda **_: other,
    )

    def refuse(path, faces, write=corrections.write):
        if path != other:
            raise PermissionError(13, "Permission denied", path)
        write(path, faces)

    monkeypatch.setattr(corrections, "write", refuse)
    mode.drive.key("<Return>")
    mode.drive.until(lambda: mode.mode.corrections.path == other)
    # The note disappears after a few seconds.
    mode.drive.until(lambda: "other.csv" in mode.drive.status())
    wait_until(lambda: len(mode.saved()) == 1)


def test_keys_of_the_viewer_work_again_after_the_mode(mode):
    before = mode.drive.viewer.sidebar.values["smoothing"]
    mode.drive.key("<m>")  # mirror
    assert mode.drive.viewer.sidebar.values["smoothing"] == before
    mode.drive.key("<c>")
    mode.drive.key("<m>")
    assert mode.drive.viewer.sidebar.values["smoothing"] != before
    mode.drive.key("<Right>")
    mode.drive.show(1)


def test_another_video_closes_the_mode(mode, tmp_path):
    mode.drive.key("<Return>")
    other = fakes.write_video(str(tmp_path / "other.avi"), 10)
    mode.drive.viewer.open(other, play=False)
    mode.drive.until(lambda: not mode.mode.is_open)
    assert mode.mode.corrections.path == str(tmp_path / "other.corrections.csv")
    assert mode.mode.corrections.document.faces() == []


def test_every_key_has_a_function(mode):
    assert set(mode.mode.table().actions) == {key.action for key in KEYS}


def test_frames_between_two_corrections_are_interpolated(mode):
    mode.drag(36, 30, -20)
    mode.drive.viewer.player.seek(6)
    mode.drive.until(lambda: mode.editor.frame == 6)
    mode.drag(36, 30, -20)
    document = mode.mode.corrections.document
    mode.drive.until(lambda: document.frames(interpolated=True) == [1, 2, 3, 4, 5])
    saved = mode.saved()
    assert [face.interpolated for face in saved] == [False, *5 * [True], False]
    mode.drive.key("<comma>")
    mode.drive.until(lambda: mode.editor.frame == 5)
    assert mode.editor.face.origin == "interpolated"
    mode.drive.key("<Return>")  # the user has checked it
    assert mode.editor.face.origin == "corrected"
    mode.mode.interpolating = False
    assert [face.frame for face in mode.saved()] == [0, 5, 6]


def test_n_goes_to_a_face_that_needs_a_correction(mode):
    mode.drive.key("<Return>")
    mode.drive.key("<n>")
    mode.drive.until(lambda: mode.editor.frame not in (-1, 0))
    first = mode.editor.frame
    assert mode.editor.face is not None
    mode.drive.key("<Return>")
    mode.drive.key("<n>")
    mode.drive.until(lambda: mode.editor.frame not in (0, first))


def test_a_suggestion_is_asked_for_a_video_of_unknown_length(mode, monkeypatch):
    seen = []
    monkeypatch.setattr(
        mode.mode._help._assistant, "analyse", lambda count, **_: seen.append(count)
    )
    mode.drive.viewer.player._set(frame_count=None)
    mode.drive.key("<n>")
    assert seen == [None]


def test_the_model_predicts_an_added_face(start, two):
    drive = start(two)
    drive.ready()
    drive.until(lambda: len(drive.viewer.painting.view.faces) == 2)
    mode = Mode(drive)
    mode.open()
    drive.key("<a>")
    corners = mode.canvas.zoom.to_screen(np.array([[22, 33], [97, 117]]))
    (x0, y0), (x1, y1) = np.round(corners).astype(int).tolist()
    drive.drag(mode.canvas, (x0, y0), (x1, y1))
    document = mode.mode.corrections.document
    drive.until(lambda: abs(document.corrected()[0].points[:, 0].min() - 30) < 1.5)
    box = document.corrected()[0].points
    assert np.allclose(box.max(axis=0), (90, 110), atol=1.5)
