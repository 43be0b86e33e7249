"""Failures are reported in the window, and the window stays usable."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from gui.viewer import painter as painter_module
from gui.viewer import saving, watched_process
from tests.gui import fakes
from tests.gui.driver import kill_thread
from tests.waiting import wait_until


def failing_load(setup):
    """A factory whose model fails on frames without a face."""
    loaded = fakes.load(setup)
    find = loaded.finder.find

    def fail(frame, regions=None):
        faces = find(frame, regions)
        if not faces:
            raise ZeroDivisionError("division by zero")
        return faces

    loaded.finder.find = fail
    return loaded


def crashing_load(setup):
    """A factory whose process ends."""
    os.kill(os.getpid(), signal.SIGKILL)


def model_process():
    (child,) = multiprocessing.active_children()
    return child


def test_reports_a_location_that_cannot_be_written(start, clip, tmp_path, warnings):
    drive = start(clip, paused=True)
    drive.ready()
    drive.until(lambda: drive.viewer.painting.tiles)
    blocked = tmp_path / "file"
    blocked.write_text("")
    path = str(blocked / "picture.png")
    painting = drive.viewer.painting
    drive.viewer.save_menu.save(path, lambda p: saving.save_picture(p, painting))
    assert len(warnings) == 1
    assert "cannot be written" in warnings[0]
    assert path in warnings[0]


def test_a_file_that_is_not_a_video_leaves_the_current_video(start, clip, tmp_path):
    drive = start(clip, paused=True)
    drive.ready()
    bad = tmp_path / "letter.mp4"
    bad.write_text("Dear Sir or Madam")
    drive.viewer.open(str(bad))
    drive.until(lambda: "letter.mp4" in drive.status())
    assert "not a video" in drive.status()
    drive.viewer.player.seek(7)
    drive.show(7)


def test_plays_a_truncated_video_to_its_end(start, tmp_path):
    with open(fakes.write_video(str(tmp_path / "complete.avi"), 60), "rb") as file:
        data = file.read()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 2])
    drive = start(str(cut))
    drive.viewer.transport.set_loop(False)
    drive.ready()
    drive.until(lambda: not drive.viewer.player.state.playing)
    assert 5 < drive.frame() + 1 < 50


def test_a_directory_without_a_model_leaves_the_current_model(start, clip, tmp_path):
    drive = start(clip, paused=True)
    drive.ready()
    viewer = drive.viewer
    viewer.load_model(str(tmp_path))
    drive.until(lambda: "not an exported ETHOS model" in drive.status())
    drive.until(lambda: "1 face" in drive.status())
    viewer.player.seek(12)
    drive.show(12)
    drive.until(lambda: len(viewer.painting.view.faces) == 1)
    good = tmp_path / "good"
    good.mkdir()
    (good / "fake.txt").write_text("")
    viewer.load_model(str(good))
    drive.until(lambda: viewer.engine.state.model == "good")
    drive.until(lambda: "1 face" in drive.status())
    viewer.window.menus["Model"].invoke("The shipped model")
    drive.until(lambda: viewer.engine.state.setup.model_dir is None)
    drive.until(lambda: "1 face" in drive.status())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_restarts_the_models_process_after_a_signal(start, clip, number):
    drive = start(clip)
    drive.ready()
    os.kill(model_process().pid, number)
    drive.until(lambda: f"killed by {number.name}" in drive.status())
    drive.ready()
    drive.until(lambda: drive.status().startswith("1 face"))
    frame = drive.frame()
    drive.until(lambda: drive.frame() != frame)


def test_restarts_the_models_process_while_it_loads(start, clip):
    drive = start(clip, paused=True)
    drive.until(multiprocessing.active_children)
    model_process().kill()
    drive.ready()
    drive.until(lambda: drive.status().startswith("1 face"))


def test_gives_up_a_model_whose_process_always_ends(start, clip, monkeypatch):
    monkeypatch.setattr("gui.viewer.engine.MAX_RESTARTS", 1)
    drive = start(clip, paused=True, factory=crashing_load)
    drive.until(lambda: "repeatedly. Choose a model" in drive.status())
    assert drive.viewer.engine.state.phase == "no model"
    assert multiprocessing.active_children() == []
    # The user can try again.
    failures = drive.viewer.engine.state.failures
    drive.viewer.load_model(None)
    drive.until(lambda: drive.viewer.engine.state.failures > failures)


def test_restarts_a_process_that_does_not_answer(start, clip, monkeypatch):
    drive = start(clip)
    drive.ready()
    monkeypatch.setattr("gui.viewer.status.WAITING_SECONDS", 0.2)
    os.kill(model_process().pid, signal.SIGSTOP)
    drive.until(lambda: drive.status().startswith("Waiting for the model"))
    monkeypatch.setattr("gui.viewer.engine.REPLY_SECONDS", 0.5)
    drive.until(lambda: "did not answer" in drive.status())
    monkeypatch.setattr("gui.viewer.engine.REPLY_SECONDS", 60.0)
    drive.ready()
    drive.until(lambda: drive.status().startswith("1 face"))


def test_reports_a_model_that_fails_on_a_frame(start, clip):
    drive = start(clip, paused=True, factory=failing_load)
    drive.ready()
    drive.viewer.player.seek(55)
    drive.until(lambda: "failed on this frame: ZeroDivisionError" in drive.status())
    drive.viewer.player.seek(10)
    drive.until(lambda: drive.status().startswith("1 face"))
    assert drive.viewer.engine.state.failures == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("player", "Playback failed (SystemExit). Press Space to continue."),
        ("engine", "The model's thread failed (SystemExit)."),
        ("painter", "Drawing failed (SystemExit)."),
    ],
)
def test_restarts_a_thread_that_was_killed(start, clip, name, text):
    drive = start(clip)
    drive.viewer.transport.set_loop(True)
    drive.ready()
    worker = getattr(drive.viewer, name).worker
    killed = worker.thread
    kill_thread(worker)
    drive.until(lambda: text in drive.status())
    drive.until(lambda: worker.is_alive() and worker.thread is not killed)
    if name == "player":
        assert not drive.viewer.player.state.playing
        drive.key("<space>")
    drive.ready()
    frame = drive.frame()
    drive.until(lambda: drive.frame() != frame)


def test_reports_a_drawing_that_fails(start, clip, monkeypatch):
    drive = start(clip, paused=True)
    drive.ready()
    paint = painter_module.paint

    def fail(view, options):
        raise MemoryError("no memory")

    monkeypatch.setattr(painter_module, "paint", fail)
    drive.viewer.player.seek(3)
    drive.until(lambda: "Drawing failed (MemoryError: no memory)" in drive.status())
    monkeypatch.setattr(painter_module, "paint", paint)
    drive.until(drive.viewer.painter.worker.is_alive)
    drive.viewer.player.seek(5)
    drive.show(5)


def test_an_error_in_the_main_thread_does_not_freeze_the_window(
    start, clip, monkeypatch
):
    drive = start(clip)
    drive.viewer.transport.set_loop(True)
    drive.ready()
    calls = []
    with monkeypatch.context() as patch:
        patch.setattr("gui.viewer.status.stages", lambda *_: calls.append(0) or 1 // 0)
        drive.until(lambda: calls)
    drive.until(lambda: "Unexpected error (ZeroDivisionError" in drive.status())
    frame = drive.frame()
    drive.until(lambda: drive.frame() != frame)


SLEEP = (sys.executable, "-c", "import time; print('x'); time.sleep(60)")


def test_reports_that_the_saving_process_was_killed(start, clip, tmp_path):
    drive = start(clip, paused=True, annotate_command=SLEEP)
    drive.ready()
    menu = drive.viewer.save_menu
    menu.save_video(str(tmp_path / "faces.mp4"))
    drive.until(lambda: menu.job._process is not None)
    menu.job._process.kill()
    drive.until(lambda: "faces.mp4 failed (killed by SIGKILL)" in drive.status())
    assert menu.job is None


def test_reports_that_saving_was_stopped(start, clip, tmp_path):
    drive = start(clip, paused=True, annotate_command=SLEEP)
    drive.ready()
    menu = drive.viewer.save_menu
    menu.save_video(str(tmp_path / "faces.mp4"))
    drive.until(lambda: menu.job._process is not None)
    drive.viewer.window.menus["Save"].invoke("Stop saving the video")
    drive.until(lambda: "Saving faces.mp4 was stopped." in drive.status())


def test_reports_a_saving_command_that_is_missing(start, clip, tmp_path):
    drive = start(clip, paused=True, annotate_command=(str(tmp_path / "none"),))
    drive.ready()
    drive.viewer.save_menu.save_video(str(tmp_path / "faces.mp4"))
    drive.until(lambda: "faces.mp4 failed (FileNotFoundError" in drive.status())


def test_closing_ends_a_saving_process_that_ignores_signals(
    start, clip, tmp_path, monkeypatch
):
    monkeypatch.setattr(watched_process, "STOP_SECONDS", 1.0)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "import sys; print('ready', file=sys.stderr, flush=True); time.sleep(60)"
    )
    drive = start(clip, paused=True, annotate_command=(sys.executable, "-c", code))
    drive.ready()
    menu = drive.viewer.save_menu
    menu.save_video(str(tmp_path / "faces.mp4"))
    drive.until(lambda: "ready" in menu.job.progress)
    process = menu.job._process
    menu.job.cancel()
    started = time.monotonic()
    drive.viewer.close()
    assert time.monotonic() - started < 50  # The process would end after 60 s.
    assert process.poll() is not None


def test_the_models_process_ends_with_a_viewer_that_is_killed(display, clip, tmp_path):
    code = (
        "import multiprocessing, sys, time\n"
        "from gui.widgets.controller import Controller\n"
        "from tests.gui import fakes\n"
        f"viewer = Controller(video={clip!r}, factory=fakes.load,\n"
        f"                    settings_path={str(tmp_path / 's.json')!r})\n"
        "while viewer.painting is None or not viewer.painting.view.faces:\n"
        "    viewer.root.update(); time.sleep(0.01)\n"
        "print(multiprocessing.active_children()[0].pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    viewer = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    child = int(viewer.stdout.readline())
    viewer.kill()
    viewer.wait()
    viewer.stdout.close()
    wait_until(lambda: not os.path.exists(f"/proc/{child}"))
