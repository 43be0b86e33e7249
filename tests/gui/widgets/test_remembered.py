"""Choices that the viewer stores when it is closed."""

import json
import os

import pytest

from gui.viewer.engine import READY


def read(tmp_path):
    return json.loads((tmp_path / "viewer.json").read_text())


def test_restores_the_choices(start, clip, tmp_path):
    drive = start(clip, paused=True)
    drive.viewer.sidebar.toggle("edges")
    drive.viewer.switch_theme()
    drive.viewer.transport.set_speed(0.5)
    drive.viewer.close()
    assert read(tmp_path)["edges"] is False
    again = start(clip, paused=True)
    assert again.viewer.window.palette.name == "light"
    assert not again.viewer.sidebar.values["edges"]
    assert again.viewer.player.state.speed == 0.5


@pytest.mark.parametrize(
    "stored",
    [
        {"speed": 0, "theme": "pink", "uncertainty": "loud", "edges": "no"},
        {"speed": float("nan"), "geometry": "-5x-5+0+0", "folder": "/tmp/\0"},
        {"geometry": "99999x800+0+0"},
    ],
    ids=str,
)
def test_damaged_choices_do_not_stop_the_video(start, clip, tmp_path, stored):
    (tmp_path / "viewer.json").write_text(json.dumps(stored))
    drive = start(clip)
    drive.ready()
    drive.until(lambda: drive.frame() > 3)


@pytest.mark.parametrize("damage", ["missing", "no card"])
def test_uses_the_shipped_model_if_the_remembered_model_is_unusable(
    start, clip, tmp_path, damage
):
    model = tmp_path / "old_model"
    if damage == "no card":
        model.mkdir()
    (tmp_path / "viewer.json").write_text(json.dumps({"model": str(model)}))
    drive = start(clip, paused=True)
    drive.until(lambda: "The shipped model is used" in drive.status())
    drive.ready()
    drive.until(lambda: drive.status().startswith("1 face"))
    assert drive.viewer.engine.state.setup.model_dir is None
    drive.viewer.close()
    assert read(tmp_path)["model"] == ""


def test_remembers_the_model_in_use(start, clip, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "fake.txt").write_text("")
    drive = start(clip, paused=True)
    drive.ready()
    drive.viewer.load_model(str(model))
    drive.until(lambda: drive.viewer.engine.state.model == "model")
    drive.viewer.close()
    assert read(tmp_path)["model"] == str(model)
    again = start(clip, paused=True)
    again.viewer.close()  # before the model is loaded
    assert read(tmp_path)["model"] == str(model)


def test_starts_without_a_place_for_the_choices(start, clip, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    drive = start(clip, paused=True, settings_path=str(blocked / "viewer.json"))
    drive.ready()
    assert drive.viewer.engine.state.phase == READY
    drive.viewer.close()
    lines = [r.getMessage() for r in caplog.records if "not stored" in r.getMessage()]
    assert len(lines) == 1
    assert os.listdir(tmp_path).count("viewer.json") == 0
