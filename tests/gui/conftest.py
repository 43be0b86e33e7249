"""A display for the window tests, and the window on it with a model that is none."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.gui import fakes

ANNOTATE = (sys.executable, "-m", "tests.gui.fake_annotate")


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """The name of an X display. Starts Xvfb on a free one when there is none."""
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    if shutil.which("Xvfb") is None:
        pytest.fail(
            "No display and no Xvfb: install it (apt-get install xvfb) for these tests",
            pytrace=False,
        )
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    if not number:
        pytest.fail("Xvfb did not start", pytrace=False)
    os.environ["DISPLAY"] = f":{number}"
    yield os.environ["DISPLAY"]
    del os.environ["DISPLAY"]
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture
def warnings(monkeypatch):
    """What message boxes said, instead of message boxes."""
    said = []
    monkeypatch.setattr(
        "gui.widgets.save_menu.messagebox.showwarning",
        lambda _, text, **__: said.append(text),
    )
    return said


@pytest.fixture
def start(display, tmp_path, monkeypatch):
    """Starts viewers and closes them."""
    # Here: the other tests of the package need no Tk.
    from gui.app import App
    from tests.gui.driver import Driver, left_behind

    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    apps = []

    def run(video=None, **options):
        options.setdefault("settings_path", str(tmp_path / "viewer.json"))
        app = App(video=video, factory=fakes.load, annotate_command=ANNOTATE, **options)
        apps.append(app)
        app.root.update()
        return Driver(app)

    yield run
    for app in apps:
        app.close()
    # Tk aborts the process if its interpreter is collected in another thread.
    del app
    apps.clear()
    gc.collect()
    assert left_behind() == []


@pytest.fixture
def clip(tmp_path):
    return fakes.write_video(str(tmp_path / "clip.avi"), 60, faceless=range(50, 60))
