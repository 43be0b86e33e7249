"""The command ethos-view."""

import os
import subprocess
import sys

import pytest

from gui import app
from tests.gui.driver import left_behind


def test_reports_a_missing_display_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert app.main([]) == 1
    assert capsys.readouterr().err.startswith("error: no window can be opened")
    assert left_behind() == []


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["missing.mp4"], "missing.mp4: no such file"),
        (["--model", "missing"], "missing: "),
        (["--model", "."], "ethos_model.json"),
        (["--detector", "missing.onnx"], "missing.onnx: "),
        (["--detector", "dlib"], "dlib"),
        (["--send", "host:9000"], "host:9000: must be udp://HOST:PORT"),
    ],
)
def test_checks_paths_before_the_window_opens(
    monkeypatch, capsys, tmp_path, flags, reason
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "gui.widgets.controller", None)
    assert app.main(flags) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert reason in lines[0]


def test_accepts_a_camera_and_an_existing_path(tmp_path):
    for video in ("camera:0", "0", str(tmp_path), None):
        app.check(app.ViewOptions(video=video))


def modules_after(statement):
    """Names of the modules that a statement imports, in a fresh interpreter."""
    code = f"{statement}; import sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_the_window_and_the_model_import_no_heavy_libraries():
    heavy = {"tensorflow", "keras", "scipy", "numba", "apache_beam"}
    assert not modules_after("import gui.widgets.controller") & heavy
    assert not modules_after("import gui.app, gui.viewer.session") & (
        heavy | {"tkinter", "PIL"}
    )


def test_starts_without_a_home_directory(display):
    environment = {
        **os.environ,
        "HOME": "/proc/nonexistent",  # not even root can create it
        "LANG": "C",
        "PYTHONIOENCODING": "ascii",
    }
    environment.pop("XDG_CONFIG_HOME", None)
    code = (
        "import time, sys\n"
        "from gui.widgets.controller import Controller\n"
        "from tests.gui import fakes\n"
        "viewer = Controller(factory=fakes.load)\n"
        "while viewer.painting is None or not viewer.painting.view.faces:\n"
        "    viewer.root.update(); time.sleep(0.01)\n"
        "viewer.close()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in result.stderr.splitlines() if "not stored" in line]
    assert len(lines) == 1
