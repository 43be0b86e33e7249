import json
import os
import pathlib

import pytest

from gui.viewer import settings
from gui.viewer.settings import Settings


def test_stores_and_reads_settings(tmp_path):
    path = str(tmp_path / "deep" / "viewer.json")
    assert settings.read(path) == Settings()
    chosen = Settings(theme="light", edges=False, speed=0.5, geometry="800x600+-5+0")
    settings.write(path, chosen)
    assert settings.read(path) == chosen
    assert os.listdir(tmp_path / "deep") == ["viewer.json"]


@pytest.mark.parametrize("text", ["{", "[]", "7", "", "\xff", "[" * 100_000])
def test_a_damaged_file_gives_the_defaults_and_a_log_line(tmp_path, caplog, text):
    path = tmp_path / "viewer.json"
    path.write_bytes(text.encode("latin-1"))
    assert settings.read(str(path)) == Settings()
    assert len(caplog.records) == 1
    assert str(path) in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("speed", 0, "speed must be at least 0.1. Received: 0"),
        ("speed", float("inf"), "speed must be finite"),
        ("speed", 10**400, "speed must be of type float"),
        ("speed", True, "speed must be of type float"),
        ("speed", "fast", "speed must be of type float"),
        ("theme", "pink", "theme must be one of dark, light"),
        ("theme", 7, "theme must be of type str"),
        ("uncertainty", "loud", "uncertainty must be one of color, size, none"),
        ("edges", "no", "edges must be of type bool"),
        ("edges", 1, "edges must be of type bool"),
        ("geometry", "-5x-5+0+0", "geometry must be WxH+X+Y"),
        ("folder", "/tmp/\0", "folder contains control characters"),
        ("model", "/tmp/\udce9", "model contains control characters"),
    ],
)
def test_an_invalid_value_is_dropped_with_a_log_line(
    tmp_path, caplog, name, value, reason
):
    path = tmp_path / "viewer.json"
    path.write_text(json.dumps({name: value, "points": False}))
    assert settings.read(str(path)) == Settings(points=False)
    assert len(caplog.records) == 1
    assert reason in caplog.text


def test_a_whole_number_is_a_valid_speed_and_unknown_names_are_ignored(tmp_path):
    path = tmp_path / "viewer.json"
    path.write_text('{"speed": 2, "colour": "red"}')
    assert settings.read(str(path)) == Settings(speed=2.0)


def test_a_location_that_cannot_be_written_gives_one_log_line(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    settings.write(str(blocked / "viewer.json"), Settings())
    settings.write("", Settings())
    assert [r.getMessage() for r in caplog.records] == [
        f"settings are not stored: {blocked / 'viewer.json'}: File exists",
        "settings are not stored: there is no home directory",
    ]


def test_the_location_follows_the_convention_of_the_system(monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert settings.default_path() == "/config/ethos/viewer.json"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # invalid in the specification
    monkeypatch.setenv("HOME", "/home/user")
    assert settings.default_path() == "/home/user/.config/ethos/viewer.json"


def test_without_a_home_there_is_no_location(monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert settings.default_path() == ""
    assert settings.read("") == Settings()
    assert not pathlib.Path("~").exists()
