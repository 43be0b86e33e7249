"""What goes wrong is said in the window, and the window goes on."""

from gui.viewer import saving
from tests.gui import fakes
from tests.gui.driver import left_behind


def test_a_place_that_cannot_be_written_is_said(start, clip, tmp_path, warnings):
    drive = start(clip, paused=True)
    drive.ready()
    drive.until(lambda: drive.app.painting.tiles)
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    path = str(blocked / "picture.png")
    drive.app.save_menu.save(path, drive.app.painting, saving.save_picture)
    assert len(warnings) == 1
    assert "cannot be written" in warnings[0]
    assert path in warnings[0]


def test_a_file_that_is_no_video_is_said_and_the_old_one_stays(start, clip, tmp_path):
    drive = start(clip, paused=True)
    drive.ready()
    bad = tmp_path / "letter.mp4"
    bad.write_text("Dear Sir or Madam")
    drive.app.open(str(bad))
    drive.until(lambda: "letter.mp4" in drive.says())
    assert "not a video" in drive.says()
    drive.app.player.seek(7)
    drive.show(7)


def test_a_video_cut_short_plays_what_is_there_and_says_so(start, tmp_path):
    whole = fakes.write_video(str(tmp_path / "whole.avi"), 60)
    with open(whole, "rb") as file:
        data = file.read()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 2])
    drive = start(str(cut))
    drive.app.transport.set_loop(False)
    drive.ready()
    drive.until(lambda: drive.app.player.state.ended)
    read = drive.frame() + 1
    assert 5 < read < 50


def test_a_folder_that_is_no_model_is_refused_and_the_old_one_works(
    start, clip, tmp_path
):
    drive = start(clip, paused=True)
    drive.ready()
    drive.app.load_model(str(tmp_path))
    drive.until(lambda: "not an exported ETHOS model" in drive.says())
    drive.until(lambda: "1 face" in drive.says())  # the reason does not hide it
    drive.app.player.seek(12)
    drive.show(12)
    drive.until(lambda: len(drive.app.painting.view.faces) == 1)
    good = tmp_path / "good"
    good.mkdir()
    (good / "fake.txt").write_text("")
    drive.app.load_model(str(good))
    drive.until(lambda: drive.app.engine.model == "good")
    drive.until(lambda: "1 face" in drive.says())
    drive.app.window.menus["Model"].invoke("The model that ships")
    drive.until(lambda: drive.app.engine.loaded.model_dir is None)
    drive.until(lambda: "1 face" in drive.says())


def test_a_model_that_dies_is_said_and_can_be_started_again(start, clip):
    drive = start(clip, paused=True)
    drive.ready()
    drive.app.engine._process.kill()
    drive.until(lambda: "process ended" in drive.says())
    drive.app.engine.load(drive.app.engine.loaded)
    drive.until(lambda: "1 face" in drive.says())


def test_without_a_display_there_is_one_line(monkeypatch, capsys, tmp_path):
    from gui import app

    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert app.main([]) == 1
    assert capsys.readouterr().err.startswith("error: no window can be opened")
    assert left_behind() == []
