"""The plot below the play bar, the window with the people, and what they save."""

import dataclasses
import os

import numpy as np
import pytest

from gui.drawing.contact_sheet import CELL
from gui.widgets.plot_panel import HEIGHT
from gui.widgets.window import MIN_SIZE
from tests.gui import fakes


@pytest.fixture
def played(start, clip):
    """A viewer that has seen every third frame of a clip of 60.

    A busy machine skips frames when it plays, so each frame is shown on its own.
    """
    drive = start(clip, paused=True)
    drive.ready()
    for index in range(0, 60, 3):
        drive.viewer.player.seek(index)
        drive.show(index)
    return drive


def shown(drive):
    """The picture on the canvas of the plot; None before the first."""
    return drive.viewer.window.plot.canvas._photo


def test_the_plot_shows_what_was_seen_and_follows_the_video(played):
    drive, plot = played, played.viewer.window.plot
    drive.until(lambda: shown(drive) is not None)
    (series,) = drive.viewer.history.series(["yaw"])
    assert series.id == 1
    assert series.frames[-1] < 50  # the last frames have no face
    drive.viewer.player.seek(30)
    drive.show(30)
    slider = drive.viewer.transport.slider
    x = plot.canvas.coords(plot._cursor)[0] + plot.canvas.winfo_x()
    handle = slider.coords(30)[0] + slider.winfo_x()
    assert abs(x - handle) <= 2


def test_a_click_and_a_drag_in_the_plot_seek(played):
    drive, plot = played, played.viewer.window.plot
    drive.until(lambda: shown(drive) is not None)
    options = plot.options(drive.viewer.player.state)
    x = options.left + round(options.width * 20 / 59)
    plot.canvas.event_generate("<Button-1>", x=x, y=20)
    drive.until(lambda: abs(drive.frame() - 20) <= 1)
    drive.drag(plot.canvas, (x, 20), (options.left - 20, 20))
    drive.until(lambda: drive.frame() == 0)
    before = drive.viewer.player.state.index
    legend = options.left + options.width + 30
    plot.canvas.event_generate("<Button-1>", x=legend, y=20)
    drive.viewer.root.update()
    assert drive.viewer.player.state.index == before


def test_the_plot_of_a_live_source_shows_the_last_minute(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    plot, state = drive.viewer.window.plot, drive.viewer.player.state
    live = dataclasses.replace(
        state, info=dataclasses.replace(state.info, live=True), index=4000
    )
    options = plot.options(live)
    assert (options.first, options.last) == (4000 - 60 * 25, 4000)
    plot.refresh(live)
    right = plot.canvas.coords(plot._cursor)[0]
    assert abs(right - (options.left + options.width - 1)) <= 1


def test_the_measure_is_selected_and_remembered(start, clip):
    drive = start(clip, paused=True)
    plot = drive.viewer.window.plot
    assert plot.name == "yaw"
    plot.lane.set("Quality")
    plot.lane.event_generate("<<ComboboxSelected>>")
    assert plot.options(drive.viewer.player.state).lane == "quality"
    drive.viewer.close()
    again = start(clip, paused=True)
    assert again.viewer.window.plot.name == "quality"


def test_the_plot_can_be_hidden(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    plot = drive.viewer.window.plot
    height = drive.viewer.window.source_panel.winfo_height()
    assert plot.winfo_ismapped()
    drive.key("<g>")
    drive.until(lambda: not plot.winfo_ismapped())
    panel = drive.viewer.window.source_panel
    drive.until(lambda: panel.winfo_height() >= height + HEIGHT)
    assert plot.options(drive.viewer.player.state).size == (0, 0)


def test_axes_and_eyes_are_drawn_when_they_are_switched_on(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    drive.until(lambda: viewer.painting.view.faces)
    assert not viewer.sidebar.overlay.pose
    assert not viewer.sidebar.overlay.eyes
    for key in ("<h>", "<y>"):
        before = viewer.painting.source.copy()
        drive.key(key)
        drive.until(lambda before=before: (viewer.painting.source != before).any())


def test_the_people_window_shows_them_and_goes_to_their_best_frame(played):
    drive, viewer = played, played.viewer
    drive.key("<Control-p>")
    people = viewer.people_window
    drive.until(lambda: people.people)
    (person,) = people.people
    assert person.id == 1
    assert person.seconds == pytest.approx(2.0, abs=0.3)
    viewer.player.seek(59)
    drive.show(59)
    people.sheet.event_generate("<Button-1>", x=CELL // 2, y=CELL // 2)
    drive.show(person.frame)
    assert viewer.people_window is people
    viewer.show_people()  # the same window
    assert viewer.people_window is people
    viewer.switch_theme()
    people.event_generate("<Escape>")
    drive.until(lambda: viewer.people_window is None)


def test_the_people_window_without_people(start, tmp_path):
    clip = fakes.write_video(str(tmp_path / "none.avi"), 10, faceless=range(10))
    drive = start(clip, paused=True)
    drive.ready()
    drive.viewer.show_people()
    assert drive.viewer.people_window.people == []
    assert "Nobody" in drive.viewer.people_window._hint.cget("text")


@pytest.mark.parametrize(
    ("action", "name"),
    [("ask_people", "people.png"), ("ask_plot", "plot.png"), ("ask_plot", "plot.csv")],
)
def test_the_people_and_the_plot_are_saved(
    played, tmp_path, monkeypatch, action, name, warnings
):
    path = str(tmp_path / name)
    monkeypatch.setattr(
        "gui.widgets.save_menu.filedialog.asksaveasfilename", lambda **_: path
    )
    getattr(played.viewer.save_menu, action)()
    assert os.path.getsize(path) > 500
    played.until(lambda: name in played.status())
    assert warnings == []


def test_nothing_to_save_is_explained(start, tmp_path, monkeypatch, warnings):
    clip = fakes.write_video(str(tmp_path / "none.avi"), 10, faceless=range(10))
    drive = start(clip, paused=True)
    drive.ready()
    monkeypatch.setattr(
        "gui.widgets.save_menu.filedialog.asksaveasfilename",
        lambda **_: str(tmp_path / "people.png"),
    )
    drive.viewer.save_menu.ask_people()
    assert "Nobody was seen" in warnings[0]


@pytest.mark.parametrize("name", ["t.csv", "t.json", "t.jsonl", "t.npz", "t.parquet"])
def test_each_table_of_ethos_annotate_can_be_saved(
    start, clip, tmp_path, monkeypatch, name
):
    drive = start(clip, paused=True)
    drive.ready()
    asked = {}

    def answer(**options):
        asked.update(options)
        return str(tmp_path / name)

    monkeypatch.setattr("gui.widgets.save_menu.filedialog.asksaveasfilename", answer)
    menu = drive.viewer.save_menu
    menu.ask_table()
    assert name[1:] in [pattern[1:] for _, pattern in asked["filetypes"]]
    drive.until(lambda: menu.job is None)
    assert (tmp_path / name).exists(), drive.status()


def test_the_openface_table(start, clip, tmp_path, monkeypatch):
    drive = start(clip, paused=True)
    drive.ready()
    path = tmp_path / "openface.csv"
    monkeypatch.setattr(
        "gui.widgets.save_menu.filedialog.asksaveasfilename", lambda **_: str(path)
    )
    menu = drive.viewer.save_menu
    menu.ask_openface()
    drive.until(lambda: menu.job is None)
    assert "pose_Rx" in path.read_text()


def test_everything_fits_into_the_smallest_window(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    window = drive.viewer.window
    width, height = map(window.px, MIN_SIZE)
    drive.viewer.root.geometry(f"{width}x{height}")
    drive.until(lambda: drive.viewer.root.winfo_width() == width)
    drive.until(lambda: shown(drive) is not None)
    assert drive.viewer.transport.slider.winfo_width() >= 100
    bottom = window.status_label.winfo_rooty() + window.status_label.winfo_height()
    assert bottom <= drive.viewer.root.winfo_rooty() + height
    assert window.tile_size > 0
    assert np.isfinite(window.plot.canvas.coords(window.plot._cursor)).all()
