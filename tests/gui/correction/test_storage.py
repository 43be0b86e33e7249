import os
import time

import cv2
import numpy as np
import pytest

from ethos_data.corpora import corrections
from ethos_data.errors import EthosError
from gui.correction import storage
from gui.correction.storage import Saver, Stored
from tests.gui.correction.faces import face
from tests.waiting import wait_until


@pytest.fixture
def saver(tmp_path):
    saver = Saver(Stored(str(tmp_path / "clip.corrections.csv")))
    saver.start()
    yield saver
    saver.close()


def write_images(folder, names):
    for name in names:
        cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), np.uint8))


def test_what_is_saved_is_read(saver, tmp_path):
    faces = [face(3, 1), face(3, 2, x=90.0)]
    saver.save(faces)
    wait_until(lambda: saver.saved)
    stored = storage.read(str(tmp_path / "clip.mp4"))
    assert [(f.frame, f.face) for f in stored.faces] == [(3, 1), (3, 2)]
    assert np.abs(stored.faces[1].points - faces[1].points).max() <= 0.0005


def test_a_missing_file_contains_nothing(tmp_path):
    stored = storage.read(str(tmp_path / "clip.mp4"))
    assert stored.faces == ()
    assert stored.path.endswith("clip.corrections.csv")


def test_no_file_is_created_without_corrections(saver):
    saver.save([])
    wait_until(lambda: saver.saved)
    assert not os.path.exists(saver.path)


def test_removing_the_last_correction_empties_the_file(saver):
    saver.save([face(0)])
    wait_until(lambda: saver.saved)
    saver.save([])
    wait_until(lambda: saver.saved)
    assert corrections.read(saver.path) == []


def test_close_writes_what_waits(tmp_path):
    saver = Saver(Stored(str(tmp_path / "a.csv")))
    saver.start()
    for count in range(20):
        saver.save([face(count)])
    saver.close()
    assert [f.frame for f in corrections.read(saver.path)] == [19]


def test_a_file_that_cannot_be_written_is_reported_in_one_line(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    saver = Saver(Stored(str(tmp_path / "file" / "clip.corrections.csv")))
    saver.start()
    saver.save([face(7)])
    wait_until(lambda: saver.error)
    assert "clip.corrections.csv" in saver.error
    assert "\n" not in saver.error
    assert not saver.saved
    # The user chooses another path. Nothing is lost.
    saver.move_to(str(tmp_path / "elsewhere.csv"))
    wait_until(lambda: saver.saved)
    assert [f.frame for f in corrections.read(saver.path)] == [7]
    saver.close()


def test_a_damaged_file_is_not_replaced(tmp_path):
    path = tmp_path / "clip.corrections.csv"
    path.write_text("frame,face\n1,2\n")
    with pytest.raises(EthosError, match=r"clip\.corrections\.csv"):
        storage.read(str(tmp_path / "clip.mp4"))


def test_unfinished_files_of_a_killed_viewer_are_removed(tmp_path):
    old = tmp_path / "clip.corrections.tmp-0123456789ab.csv"
    old.write_text("half")
    yesterday = time.time() - 86_400
    os.utime(old, (yesterday, yesterday))
    # Another viewer writes this file now.
    (tmp_path / "clip.corrections.tmp-ba9876543210.csv").write_text("half")
    storage.read(str(tmp_path / "clip.mp4"))
    assert os.listdir(tmp_path) == ["clip.corrections.tmp-ba9876543210.csv"]


def test_images_are_found_by_name_when_others_were_added(tmp_path):
    write_images(tmp_path, ["b.png", "d.png"])
    faces = [face(0, image="b.png"), face(1, image="d.png")]
    corrections.write(str(tmp_path / "corrections.csv"), faces)
    write_images(tmp_path, ["a.png", "c.png"])
    (tmp_path / "d.png").unlink()
    stored = storage.read(str(tmp_path))
    assert stored.images == ("a.png", "b.png", "c.png")
    assert [(f.frame, f.image) for f in stored.faces] == [(1, "b.png")]
    assert stored.image(2) == "c.png"
    # The correction of the image that is gone stays in the file.
    saver = Saver(stored)
    saver.start()
    saver.save(stored.faces)
    saver.close()
    images = {f.image for f in corrections.read(stored.path)}
    assert images == {"b.png", "d.png"}


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that is full until the list is emptied."""
    full = [True]

    def write(path, faces, write=corrections.write):
        if full:
            raise OSError(28, "No space left on device", path)
        write(path, faces)

    monkeypatch.setattr(corrections, "write", write)
    return full


def test_a_failed_write_is_tried_again_at_the_end(saver, full_disk):
    saver.save([face(7)])
    wait_until(lambda: saver.error)
    assert "No space left" in saver.finish()
    full_disk.clear()
    assert saver.finish() == ""
    assert [f.frame for f in corrections.read(saver.path)] == [7]


def test_close_tries_a_failed_write_again(saver, full_disk):
    saver.save([face(7)])
    wait_until(lambda: saver.error)
    full_disk.clear()
    saver.close()
    assert [f.frame for f in corrections.read(saver.path)] == [7]
    assert saver.saved


def test_an_unexpected_error_is_reported_and_the_thread_goes_on(saver, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(corrections, "write", lambda *_: "\udcff".encode())
        saver.save([face(7)])
        wait_until(lambda: saver.error)
    assert "clip.corrections.csv: UnicodeEncodeError" in saver.error
    assert "\n" not in saver.error
    assert saver.worker.is_alive()
    saver.save([face(8)])
    wait_until(lambda: saver.saved)
    assert [f.frame for f in corrections.read(saver.path)] == [8]


def test_changes_of_another_program_are_not_overwritten(tmp_path):
    path = str(tmp_path / "clip.corrections.csv")
    corrections.write(path, [face(1)])
    os.utime(path, ns=(0, 1_000_000_000))
    stored = storage.read(str(tmp_path / "clip.mp4"))
    saver = Saver(stored)
    saver.start()
    for frame in (2, 3):  # its own changes are no reason to stop
        saver.save([face(frame)])
        wait_until(lambda: saver.saved)
    corrections.write(path, [face(99)])
    os.utime(path, ns=(0, 2_000_000_000))
    saver.save([face(4)])
    wait_until(lambda: saver.error)
    assert f"{path}: changed by another program" in saver.error
    saver.save([face(5)])
    assert saver.finish() == saver.error != ""
    assert [f.frame for f in corrections.read(path)] == [99]
    other = str(tmp_path / "mine.csv")
    corrections.write(other, [])  # the dialog has asked whether to replace it
    saver.move_to(other)
    assert saver.finish() == ""
    assert [f.frame for f in corrections.read(other)] == [5]
    saver.move_to(path)  # the user replaces the file knowingly
    assert saver.finish() == ""
    assert [f.frame for f in corrections.read(path)] == [5]
    saver.close()


def test_a_file_that_was_deleted_is_written_again(saver):
    saver.save([face(1)])
    wait_until(lambda: saver.saved)
    os.remove(saver.path)
    saver.save([face(2)])
    assert saver.finish() == ""
    assert [f.frame for f in corrections.read(saver.path)] == [2]


@pytest.mark.parametrize("own", ["clip.mp4", "clip.jpg"])
def test_two_videos_with_the_same_file_of_corrections_are_refused(tmp_path, own):
    for name in (own, "clip.AVI", "clip.jpg", "clip2.avi"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(EthosError, match=r"clip\.AVI has the same") as caught:
        storage.read(str(tmp_path / own))
    assert own in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_photo_with_the_name_of_the_video_is_no_conflict(tmp_path):
    for name in ("clip.mov", "clip.jpg", "clip.heic", "clip.corrections.csv"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "clip.avi").mkdir()
    corrections.write(str(tmp_path / "clip.corrections.csv"), [face(3)])
    assert [f.frame for f in storage.read(str(tmp_path / "clip.mov")).faces] == [3]
