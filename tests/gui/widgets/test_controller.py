"""The real window on a (virtual) display, with the real threads and processes."""

import os
import threading
import time
import tkinter

import cv2
import numpy as np

from gui import annotate
from gui.viewer import saving
from tests.gui import fakes


def test_opens_plays_pauses_steps_and_seeks(start, clip):
    drive = start(clip)
    drive.ready()
    drive.until(lambda: drive.frame() > 3)  # the video is played at once
    # On a busy machine this may be a frame at the end, which has no face.
    drive.until(lambda: "1 face" in drive.status())
    drive.key("<space>")
    drive.until(lambda: not drive.viewer.player.state.playing)
    drive.viewer.player.seek(20)
    drive.show(20)
    drive.key("<Right>")
    drive.show(21)
    drive.key("<Left>")
    drive.key("<Left>")
    drive.show(19)
    entry = drive.viewer.transport.time_entry
    entry.delete(0, "end")
    entry.insert(0, "0:01.20")
    drive.viewer.transport._enter_time(None)
    drive.show(30)
    assert drive.viewer.root.title() == "clip.avi – ETHOS"


def test_the_slider_seeks_to_the_mouse(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    slider = drive.viewer.transport.slider
    y = slider.winfo_height() // 2
    width = slider.winfo_width()
    drive.drag(slider, (width // 3, y), (width // 2, y))
    drive.until(lambda: 26 <= drive.frame() <= 34)


def test_reports_a_frame_without_faces(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    drive.viewer.player.seek(55)
    drive.show(55)
    drive.until(lambda: drive.status().startswith("No face"))
    assert drive.viewer.painting.tiles == {}
    drive.viewer.player.seek(10)
    drive.until(lambda: drive.status().startswith("1 face"))


def test_plays_to_the_end_and_loops(start, clip):
    drive = start(clip)
    player, transport = drive.viewer.player, drive.viewer.transport
    transport.set_loop(True)
    transport.set_speed(4.0)
    drive.ready()
    player.seek(50)
    drive.until(lambda: drive.frame() > 50)
    drive.until(lambda: drive.frame() < 40)
    transport.set_loop(False)
    drive.until(lambda: player.state.ended)
    assert not player.state.playing
    drive.key("<space>")  # plays from the start
    drive.until(lambda: player.state.playing and drive.frame() < 40)


def test_check_boxes_change_only_the_picture(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: viewer.painting.tiles)
    before = viewer.painting.source.copy()
    for name in ("points", "edges", "boxes"):
        viewer.sidebar.toggle(name)
    viewer.sidebar.uncertainty.set("Hidden")
    viewer.changed()
    drive.until(lambda: (viewer.painting.source != before).any())
    for _ in range(20):  # until the last of the changes is drawn
        viewer.root.update()
        time.sleep(0.02)
    # Without an overlay the picture is the resized frame.
    painting = viewer.painting
    left, top = painting.offset
    rows, columns = (round(painting.scale * n) for n in painting.view.image.shape[:2])
    shown = painting.source[top : top + rows, left : left + columns]
    expected = cv2.resize(painting.view.image, (columns, rows))
    assert np.abs(shown.astype(int) - expected).max() <= 1
    kinds = set(painting.tiles)
    viewer.sidebar.toggle("depth")
    drive.until(lambda: set(viewer.painting.tiles) == kinds - {"depth"})
    viewer.sidebar.toggle("shaded")
    drive.until(lambda: "shaded" in viewer.painting.tiles)


def test_dragging_rotates_the_surface_and_a_double_click_resets_it(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: "surface" in viewer.painting.tiles)
    before = viewer.painting.tiles["surface"].copy()
    panel = viewer.window.tiles["surface"]
    drive.drag(panel, (40, 40), (110, 60))
    drive.until(lambda: (viewer.painting.tiles["surface"] != before).any())
    for _ in range(2):
        panel.event_generate("<ButtonPress-1>", x=5, y=5)
        panel.event_generate("<ButtonRelease-1>", x=5, y=5)
    drive.until(lambda: (viewer.painting.tiles["surface"] == before).all())


def test_a_slider_degrades_the_frame_and_reports_how_far_landmarks_move(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    scale = viewer.sidebar.sliders["low_resolution"]
    middle = scale.winfo_height() // 2
    drive.drag(scale, (4, middle), (scale.winfo_width() // 2, middle))
    drive.until(lambda: viewer.painting.view.compared and viewer.painting.view.faces)
    assert viewer.sidebar.degradation.low_resolution > 3
    view = viewer.painting.view
    assert (view.image != view.frame.image).any()
    assert len(view.reference) == 1
    drive.until(lambda: "landmarks moved by" in drive.status())
    drive.key("<r>")
    drive.until(lambda: not viewer.painting.view.compared)
    assert viewer.sidebar.degradation.is_identity


def write_two_faces(path):
    """Writes an image with a large face at the left and a small one at the right."""
    image = np.full((160, 320, 3), (90, 60, 40), np.uint8)
    for box in ((30, 40, 90, 110), (200, 50, 240, 100)):
        fakes.draw_face(image, box)
    cv2.imwrite(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


def test_another_video_forgets_the_chosen_face(start, tmp_path):
    drive = start(write_two_faces(str(tmp_path / "two.png")))
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: len(viewer.painting.view.faces) == 2)
    drive.key("<n>")
    drive.until(lambda: viewer.painting.chosen.box[0] > 150)
    video = viewer.painting.view.video
    viewer.open(write_two_faces(str(tmp_path / "others.png")))
    drive.until(lambda: viewer.painting.view.video != video)
    drive.until(lambda: len(viewer.painting.view.faces) == 2)
    assert viewer.painting.chosen.box[0] < 100  # the larger face
    assert viewer.engine._settings.subject.chosen is None


def test_a_click_or_a_key_chooses_another_face(start, tmp_path):
    drive = start(write_two_faces(str(tmp_path / "two.png")))
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: len(viewer.painting.view.faces) == 2)
    assert drive.status().startswith("2 faces")
    assert viewer.painting.chosen.box[0] < 100  # the larger face
    painting = viewer.painting
    x, y = (
        round(p * painting.scale + offset)
        for p, offset in zip((220, 75), painting.offset, strict=True)
    )
    viewer.window.source_panel.event_generate("<Button-1>", x=x, y=y)
    drive.until(lambda: viewer.painting.chosen.box[0] > 150)
    drive.key("<n>")
    drive.until(lambda: viewer.painting.chosen.box[0] < 100)


def test_saves_the_pictures_on_the_screen(start, clip, tmp_path, warnings):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: viewer.painting.tiles)
    for name, save in (
        ("picture.png", saving.save_picture),
        ("depth.png", saving.save_depth),
        ("face.ply", saving.save_mesh),
        ("face.obj", saving.save_mesh),
    ):
        path = tmp_path / "out" / name
        viewer.save_menu.save(
            str(path), lambda path, save=save: save(path, viewer.painting)
        )
        assert path.stat().st_size > 100
        drive.until(lambda name=name: name in drive.status())
    assert warnings == []
    depth = cv2.imread(str(tmp_path / "out/depth.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16


def test_saves_the_whole_video_in_another_process(start, clip, tmp_path, warnings):
    drive = start(clip, paused=True)
    drive.ready()
    menu = drive.viewer.save_menu
    for name in ("faces.avi", "faces.npz"):
        path = tmp_path / name
        menu.save_video(str(path))
        drive.until(lambda: "Saving" in drive.status())
        drive.until(lambda: menu.job is None)
        assert path.exists(), drive.status()
    with np.load(tmp_path / "faces.npz") as table:
        assert table["landmarks"].shape == (50, 68, 3)
    menu.save_video(str(tmp_path / "missing.xyz"))
    drive.until(lambda: menu.job is None)
    assert "error" in drive.status()
    assert warnings == []


def test_the_saved_video_looks_like_the_window(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    for name in ("points", "restored", "depth"):
        drive.viewer.sidebar.toggle(name)
    args = annotate.parser().parse_args(drive.viewer._annotate_flags("out.mp4"))
    assert list(args.videos) == [clip]
    assert list(args.beside) == ["surface"]
    assert list(args.draw) == ["edges", "boxes"]


def test_the_save_dialog_proposes_a_new_name_beside_the_video(start, clip, monkeypatch):
    drive = start(clip, paused=True)
    drive.ready()
    asked = {}
    monkeypatch.setattr(
        "gui.widgets.save_menu.filedialog.asksaveasfilename",
        lambda **options: asked.update(options) or "",
    )
    drive.viewer.save_menu.ask_video()
    assert asked["initialfile"] == "clip_annotated_video.mp4"
    assert asked["initialdir"] == os.path.dirname(clip)


def test_opens_what_the_dialogs_return(start, clip, tmp_path, monkeypatch):
    drive = start(paused=True)
    drive.ready()
    answers = {"askopenfilename": clip, "askdirectory": str(tmp_path)}
    for name, answer in answers.items():
        monkeypatch.setattr(
            f"gui.widgets.dialogs.filedialog.{name}", lambda a=answer, **_: a
        )
    viewer = drive.viewer
    viewer.window.buttons["Load Video"].invoke()
    drive.until(lambda: viewer.root.title().startswith("clip.avi"))
    viewer.window.menus["Model"].invoke("Another model …")
    drive.until(lambda: "not an exported ETHOS model" in drive.status())
    saved = str(tmp_path / "picture.png")
    monkeypatch.setattr(
        "gui.widgets.save_menu.filedialog.asksaveasfilename", lambda **_: saved
    )
    drive.key("<Control-s>")
    drive.until(lambda: os.path.exists(saved))
    # The directory now contains an image: the saved picture.
    drive.key("<Control-Shift-O>")
    drive.until(lambda: viewer.player.state.info.path == str(tmp_path))


def test_opens_the_sample_without_a_video(start):
    drive = start()
    drive.ready()
    assert drive.viewer.root.title() == "sample.mp4 – ETHOS"


def test_f1_lists_the_shortcuts(start, clip):
    drive = start(clip, paused=True)
    drive.key("<F1>")
    windows = [
        widget
        for widget in drive.viewer.root.winfo_children()
        if widget.winfo_class() == "Toplevel"
    ]
    assert len(windows) == 1
    windows[0].event_generate("<Escape>")


def test_only_the_main_thread_uses_tk(start, clip, tmp_path, monkeypatch):
    callers = set()
    create = tkinter._tkinter.create

    class Spy:
        """Tk's interpreter. Records the threads that call it."""

        def __init__(self, interpreter):
            self._interpreter = interpreter

        def __getattr__(self, name):
            value = getattr(self._interpreter, name)
            if not callable(value):
                return value

            def call(*arguments):
                callers.add(threading.current_thread().name)
                return value(*arguments)

            return call

    monkeypatch.setattr(
        tkinter._tkinter, "create", lambda *arguments: Spy(create(*arguments))
    )
    drive = start(clip)
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: drive.frame() > 10)
    viewer.open(str(tmp_path / "missing.mp4"))
    drive.until(lambda: "missing.mp4" in drive.status())
    drive.key("<Home>")
    viewer.sidebar.sliders["darkness"].set(0.5)
    viewer.changed()
    viewer.save_menu.save_video(str(tmp_path / "faces.csv"))
    drive.until(lambda: viewer.save_menu.job is None)
    viewer.load_model(str(tmp_path))
    drive.until(lambda: "not an exported" in drive.status())
    viewer.close()
    assert callers == {threading.main_thread().name}
