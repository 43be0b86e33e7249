"""A display for the window tests, and a viewer on it with a fake model."""

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
    """Name of an X display. Starts Xvfb if there is none."""
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
    """Texts of the message boxes, which are not shown."""
    texts = []
    monkeypatch.setattr(
        "gui.widgets.save_menu.messagebox.showwarning",
        lambda _, text, **__: texts.append(text),
    )
    return texts


@pytest.fixture
def start(display, tmp_path, monkeypatch):
    """Function that starts a viewer. The viewers are closed after the test."""
    # Imported here because the other tests of the package do not need Tk.
    from gui.widgets.controller import Controller
    from tests.gui.driver import Driver, left_behind

    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    viewers = []

    def run(video=None, **options):
        options.setdefault("settings_path", str(tmp_path / "viewer.json"))
        options.setdefault("factory", fakes.load)
        options.setdefault("annotate_command", ANNOTATE)
        viewer = Controller(video=video, **options)
        viewers.append(viewer)
        viewer.root.update()
        return Driver(viewer)

    yield run
    for viewer in viewers:
        viewer.close()
    # Tk aborts the process if its interpreter is collected in another thread.
    viewer = None
    viewers.clear()
    gc.collect()
    assert left_behind() == []


@pytest.fixture
def clip(tmp_path):
    """A video of 60 frames. The last 10 frames have no face."""
    return fakes.write_video(str(tmp_path / "clip.avi"), 60, faceless=range(50, 60))
