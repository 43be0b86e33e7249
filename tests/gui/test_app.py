"""The real window, on a real (virtual) display, with the real threads and processes."""

import json
import os
import sys
import threading
import time

import cv2
import numpy as np

from gui import annotate
from gui.viewer import saving
from tests.gui import fakes


def test_opens_plays_pauses_steps_and_seeks(start, clip):
    drive = start(clip)
    drive.ready()
    drive.until(lambda: drive.frame() > 3)  # it plays by itself
    assert "1 face" in drive.says()
    drive.key("<space>")
    drive.until(lambda: not drive.app.player.state.playing)
    drive.app.player.seek(20)
    drive.show(20)
    drive.key("<Right>")
    drive.show(21)
    drive.key("<Left>")
    drive.key("<Left>")
    drive.show(19)
    # Time and frame entry.
    entry = drive.app.transport.time_entry
    entry.delete(0, "end")
    entry.insert(0, "0:01.20")
    entry.event_generate("<Return>")
    drive.app.root.update()
    drive.app.transport._enter_time(None)
    drive.show(30)
    assert drive.app.root.title() == "clip.avi – ETHOS"


def test_the_slider_goes_where_it_is_dragged(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    slider = drive.app.transport.slider
    y = slider.winfo_height() // 2
    width = slider.winfo_width()
    drive.drag(slider, (width // 3, y), (width // 2, y))
    drive.until(lambda: 26 <= drive.frame() <= 34)


def test_says_when_there_is_no_face(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    drive.app.player.seek(55)
    drive.show(55)
    drive.until(lambda: drive.says().startswith("No face"))
    assert drive.app.painting.tiles == {}
    drive.app.player.seek(10)
    drive.until(lambda: drive.says().startswith("1 face"))


def test_plays_to_the_end_and_loops(start, clip):
    drive = start(clip)
    drive.app.transport.set_loop(True)
    drive.app.transport.set_speed(4.0)
    drive.ready()
    drive.app.player.seek(50)
    drive.until(lambda: drive.frame() > 50)
    drive.until(lambda: drive.frame() < 40)
    drive.app.transport.set_loop(False)
    drive.until(lambda: drive.app.player.state.ended)
    assert not drive.app.player.state.playing
    drive.key("<space>")  # and again from the start
    drive.until(lambda: drive.app.player.state.playing and drive.frame() < 40)


def test_toggles_change_the_picture_and_nothing_else(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    app = drive.app
    drive.until(lambda: app.painting.tiles)
    drawn = app.painting.source.copy()
    for toggle in ("points", "edges", "boxes"):
        app.sidebar.toggle(toggle)
    app.sidebar.uncertainty.set("Hidden")
    app.changed()
    drive.until(lambda: (app.painting.source != drawn).any())
    for _ in range(20):  # of several changes in a row the last one counts
        app.root.update()
        time.sleep(0.02)
    plain = app.painting
    # What is left is the frame itself, enlarged.
    left, top = plain.offset
    rows, columns = (round(plain.scale * n) for n in plain.view.image.shape[:2])
    shown = plain.source[top : top + rows, left : left + columns]
    expected = cv2.resize(plain.view.image, (columns, rows))
    assert np.abs(shown.astype(int) - expected).max() <= 1
    kinds = set(plain.tiles)
    app.sidebar.toggle("depth")
    drive.until(lambda: set(app.painting.tiles) == kinds - {"depth"})
    app.sidebar.toggle("shaded")
    drive.until(lambda: "shaded" in app.painting.tiles)


def test_the_surface_turns_with_the_mouse_and_back(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    app = drive.app
    drive.until(lambda: "surface" in app.painting.tiles)
    before = app.painting.tiles["surface"].copy()
    panel = app.window.tiles["surface"]
    drive.drag(panel, (40, 40), (110, 60))
    drive.until(lambda: (app.painting.tiles["surface"] != before).any())
    for _ in range(2):
        panel.event_generate("<ButtonPress-1>", x=5, y=5)
        panel.event_generate("<ButtonRelease-1>", x=5, y=5)
    drive.until(lambda: (app.painting.tiles["surface"] == before).all())


def test_a_slider_spoils_the_video_live_and_says_what_moved(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    app = drive.app
    scale = app.sidebar.sliders["low_resolution"]
    middle = scale.winfo_height() // 2
    drive.drag(scale, (4, middle), (scale.winfo_width() // 2, middle))
    drive.until(lambda: app.painting.view.compared and app.painting.view.faces)
    factor = app.sidebar.degradation.low_resolution
    assert factor > 3
    view = app.painting.view
    assert (view.image != view.frame.image).any()
    assert len(view.reference) == 1
    drive.until(lambda: "landmarks moved by" in drive.says())
    drive.key("<r>")
    drive.until(lambda: not app.painting.view.compared)
    assert app.sidebar.degradation.is_identity


def test_several_faces_and_a_chosen_one(start, tmp_path):
    image = np.full((160, 320, 3), (90, 60, 40), np.uint8)
    for box in ((30, 40, 90, 110), (200, 50, 240, 100)):
        fakes.draw_face(image, box)
    path = str(tmp_path / "two.png")
    cv2.imwrite(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    drive = start(path)
    drive.ready()
    app = drive.app
    drive.until(lambda: len(app.painting.view.faces) == 2)
    assert drive.says().startswith("2 faces")
    assert app.painting.chosen.box[0] < 100  # the larger one
    painting = app.painting
    x, y = (
        round(p * painting.scale + offset)
        for p, offset in zip((220, 75), painting.offset, strict=True)
    )
    app.window.source_panel.event_generate("<Button-1>", x=x, y=y)
    drive.until(lambda: app.painting.chosen.box[0] > 150)
    drive.key("<n>")
    drive.until(lambda: app.painting.chosen.box[0] < 100)


def test_saves_what_is_on_the_screen(start, clip, tmp_path, warnings):
    drive = start(clip, paused=True)
    drive.ready()
    app = drive.app
    drive.until(lambda: app.painting.tiles)
    for name, save in (
        ("picture.png", saving.save_picture),
        ("depth.png", saving.save_depth),
        ("face.ply", saving.save_mesh),
        ("face.obj", saving.save_mesh),
    ):
        path = tmp_path / "out" / name
        app.save_menu.save(str(path), app.painting, save)
        assert path.stat().st_size > 100
        drive.until(lambda name=name: name in drive.says())
    assert warnings == []
    depth = cv2.imread(str(tmp_path / "out/depth.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16


def test_saves_the_whole_video_in_another_process(start, clip, tmp_path, warnings):
    drive = start(clip, paused=True)
    drive.ready()
    app = drive.app
    for name in ("faces.avi", "faces.npz"):
        path = tmp_path / name
        app.save_menu.save_video(str(path))
        drive.until(lambda: "Saving" in drive.says())
        drive.until(lambda: app.save_menu.job is None)
        assert path.exists(), drive.says()
    with np.load(tmp_path / "faces.npz") as table:
        assert table["landmarks"].shape == (50, 68, 3)
    app.save_menu.save_video(str(tmp_path / "missing.xyz"))
    drive.until(lambda: app.save_menu.job is None)
    assert "error" in drive.says()
    assert warnings == []


def test_a_saved_video_shows_what_the_window_does(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    app = drive.app
    for name in ("points", "restored", "depth"):
        app.sidebar.toggle(name)
    args = annotate.parser().parse_args(app._annotate_flags("out.mp4"))
    assert args.videos == [clip]
    assert args.beside == ["surface"]
    assert args.draw == ["edges", "boxes"]


def test_the_dialog_proposes_another_name_than_the_videos(
    start, clip, tmp_path, monkeypatch
):
    drive = start(clip, paused=True)
    drive.ready()
    asked = {}
    monkeypatch.setattr(
        "gui.widgets.save_menu.filedialog.asksaveasfilename",
        lambda **o: asked.update(o) or "",
    )
    drive.app.save_menu.ask_video()
    assert asked["initialfile"] == "clip_faces.mp4"
    assert asked["initialdir"] == os.path.dirname(clip)


def test_what_the_dialogs_choose_is_opened(start, clip, tmp_path, monkeypatch):
    drive = start(paused=True)
    drive.ready()
    answers = {"askopenfilename": clip, "askdirectory": str(tmp_path)}
    for name, answer in answers.items():
        monkeypatch.setattr(
            f"gui.widgets.choosing.filedialog.{name}", lambda a=answer, **_: a
        )
    drive.app.window.buttons["Load Video"].invoke()
    drive.until(lambda: drive.app.root.title().startswith("clip.avi"))
    drive.app.window.menus["Model"].invoke("Another model …")
    drive.until(lambda: "not an exported ETHOS model" in drive.says())
    saved = str(tmp_path / "picture.png")
    monkeypatch.setattr(
        "gui.widgets.save_menu.filedialog.asksaveasfilename", lambda **_: saved
    )
    drive.key("<Control-s>")
    drive.until(lambda: os.path.exists(saved))
    # A folder of images: the picture that was just saved.
    drive.key("<Control-Shift-O>")
    drive.until(lambda: drive.app.player.state.info.path == str(tmp_path))


def test_choices_are_remembered(start, clip, tmp_path):
    drive = start(clip, paused=True)
    drive.app.sidebar.toggle("edges")
    drive.app.switch_theme()
    drive.app.transport.set_speed(0.5)
    drive.app.close()
    stored = json.loads((tmp_path / "viewer.json").read_text())
    assert stored["edges"] is False
    again = start(clip, paused=True)
    assert again.app.window.palette.name == "light"
    assert not again.app.sidebar.values["edges"]
    assert again.app.player.state.speed == 0.5


def test_never_empty_and_keys_are_listed(start):
    drive = start()
    drive.ready()
    assert drive.app.root.title() == "sample.mp4 – ETHOS"
    drive.key("<F1>")
    windows = [
        w for w in drive.app.root.winfo_children() if w.winfo_class() == "Toplevel"
    ]
    assert len(windows) == 1
    windows[0].event_generate("<Escape>")


def test_every_key_has_a_meaning(start):
    from gui.widgets.shortcuts import SHORTCUTS

    drive = start(paused=True)
    assert set(drive.app._actions()) == {s.action for s in SHORTCUTS}


def test_the_main_thread_alone_touches_tk(start, clip, tmp_path, monkeypatch):
    import tkinter

    callers = set()
    create = tkinter._tkinter.create

    class Spy:
        """Tk's interpreter, and who calls it."""

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
    drive.until(lambda: drive.frame() > 10)
    drive.app.open(str(tmp_path / "missing.mp4"))
    drive.until(lambda: "missing.mp4" in drive.says())
    drive.key("<Home>")
    drive.app.sidebar.sliders["darkness"].set(0.5)
    drive.app.changed()
    drive.app.save_menu.save_video(str(tmp_path / "faces.csv"))
    drive.until(lambda: drive.app.save_menu.job is None)
    drive.app.load_model(str(tmp_path))
    drive.until(lambda: "not an exported" in drive.says())
    drive.app.close()
    assert callers == {threading.main_thread().name}


def test_tensorflow_stays_out_of_the_window():
    import subprocess

    code = "import gui.app, sys; print([m for m in sys.modules if 'tensorflow' in m])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
