"""A window as narrow as it can be: each button is visible, and Tab reaches it."""

from tkinter import ttk

import pytest

from gui.widgets.window import MIN_SIZE
from tests.gui.widgets.correction.steps import Mode

BUTTONS = (ttk.Button, ttk.Menubutton, ttk.Checkbutton, ttk.Combobox)


def shown(parent):
    """The buttons, check boxes and selections that are on the screen."""
    found = []
    for child in parent.winfo_children():
        if isinstance(child, BUTTONS) and child.winfo_viewable():
            found.append(child)
        found += shown(child)
    return found


def text(widget):
    return widget.get() if isinstance(widget, ttk.Combobox) else widget.cget("text")


def cut_off(drive, row):
    """Texts of the buttons of a row that are not completely visible and on top."""
    drive.viewer.root.update()
    left, right = row.winfo_rootx(), row.winfo_rootx() + row.winfo_width()
    texts = []
    for widget in shown(row):
        x, y = widget.winfo_rootx(), widget.winfo_rooty()
        width, height = widget.winfo_width(), widget.winfo_height()
        corners = [(x + 2, y + 2), (x + width - 3, y + height - 3)]
        on_top = all(row.winfo_containing(*corner) is widget for corner in corners)
        enough = width >= widget.winfo_reqwidth() and left <= x <= x + width <= right
        if not (on_top and enough):
            texts.append(text(widget))
    return texts


def tabs(drive, count):
    """Texts of the buttons to which Tab moves, after F6."""
    drive.key("<F6>")
    texts = []
    for _ in range(count):
        widget = drive.viewer.root.focus_get()
        texts.append(text(widget) if isinstance(widget, BUTTONS) else "")
        widget.event_generate("<Tab>")
        drive.viewer.root.update()
    return texts


@pytest.fixture
def narrow(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    width, height = map(drive.viewer.window.px, MIN_SIZE)
    assert MIN_SIZE[0] <= 720
    drive.viewer.root.geometry(f"{width}x{height}")
    drive.until(lambda: drive.viewer.root.winfo_width() == width)
    return drive


def test_no_button_of_the_toolbar_is_cut_off(narrow):
    toolbar = narrow.viewer.window.toolbar
    assert {"Load Video", "Save", "?"} <= set(map(text, shown(toolbar)))
    assert cut_off(narrow, toolbar) == []
    assert cut_off(narrow, narrow.viewer.transport) == []


def test_a_long_model_name_moves_the_buttons_to_another_line(narrow):
    window = narrow.viewer.window
    window.model_label.configure(text=50 * "m")
    narrow.until(lambda: cut_off(narrow, window.toolbar) == [])
    assert window.toolbar.winfo_height() > 2 * window.model_label.winfo_height()


def test_no_button_of_the_correction_mode_is_cut_off(narrow):
    Mode(narrow).open()
    panel = narrow.viewer.correction.panel
    assert {"Undo", "Remove", "Train …", "Done"} <= set(map(text, shown(panel.tools)))
    assert cut_off(narrow, panel.tools) == []
    assert panel.canvas.winfo_height() > 100
    # A window that is wide enough shows the reconstructions beside the panel.
    narrow.viewer.root.geometry("1400x800")
    frame = narrow.viewer.window.source_panel
    narrow.until(lambda: panel.winfo_width() == frame.winfo_width() > 500)
    assert cut_off(narrow, panel.tools) == []


def test_tab_reaches_each_button_and_space_presses_it(narrow):
    viewer = narrow.viewer
    toolbar = viewer.window.toolbar
    count = len(shown(viewer.root)) + len(viewer.sidebar.sliders) + 2
    reached = tabs(narrow, count)
    assert reached[:6] == ["Load Video", "Camera", "People", "Correct", "Model", "Save"]
    assert set(map(text, shown(viewer.root))) <= set(reached)
    button = next(w for w in shown(toolbar) if text(w) == "Light")
    button.focus_set()
    button.event_generate("<space>")
    viewer.root.update()
    assert viewer.window.palette.name == "light"
    assert not viewer.player.state.playing
    button.event_generate("<Escape>")
    viewer.root.update()
    assert viewer.root.focus_get() is viewer.root
    narrow.key("<space>")
    narrow.until(lambda: viewer.player.state.playing)


def test_arrow_keys_move_a_slider(narrow):
    viewer = narrow.viewer
    narrow.key("<Home>")
    name, slider = next(iter(viewer.sidebar.sliders.items()))
    slider.focus_set()
    viewer.root.update()
    low, high = (float(slider.cget(end)) for end in ("from", "to"))
    for key, share in (("<Right>", 0.05), ("<Up>", 0.1), ("<Left>", 0.05)):
        slider.event_generate(key)
        viewer.root.update()
        expected = low + share * (high - low)
        assert getattr(viewer.sidebar.degradation, name) == pytest.approx(expected)
    for _ in range(3):
        slider.event_generate("<Down>")
    assert getattr(viewer.sidebar.degradation, name) == low
    assert viewer.player.state.index == 0
    slider.event_generate("<Escape>")
    viewer.root.update()
    assert viewer.root.focus_get() is viewer.root


def test_a_click_does_not_move_the_focus(narrow):
    viewer = narrow.viewer
    narrow.key("<Home>")
    box = next(w for w in shown(viewer.sidebar) if text(w) == "Head pose")
    before = viewer.sidebar.values["pose"]
    for event in ("<Enter>", "<ButtonPress-1>", "<ButtonRelease-1>"):
        box.event_generate(event, x=5, y=5)
    viewer.root.update()
    assert viewer.sidebar.values["pose"] != before
    assert viewer.root.focus_get() is viewer.root


def test_tab_reaches_the_buttons_of_the_correction_mode(narrow):
    mode = Mode(narrow)
    mode.open()
    narrow.key("<Tab>")  # selects a landmark
    assert len(mode.editor.selected) == 1
    tools = shown(mode.mode.panel.tools)
    reached = tabs(narrow, len(tools))
    assert sorted(reached) == sorted(map(text, tools))
    narrow.viewer.root.focus_get().event_generate("<Escape>")  # back to the face
    narrow.viewer.root.update()
    assert mode.mode.is_open
    narrow.key("<Escape>")
    assert not mode.mode.is_open
