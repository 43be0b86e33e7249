import os

import cv2
import numpy as np
import pytest

from ethos_data.corpora import corrections
from ethos_data.errors import EthosError
from gui.correction import storage
from gui.correction.storage import Saver
from tests.gui.correction.faces import face
from tests.waiting import wait_until


@pytest.fixture
def saver(tmp_path):
    saver = Saver(str(tmp_path / "clip.corrections.csv"))
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
    saver = Saver(str(tmp_path / "a.csv"))
    saver.start()
    for count in range(20):
        saver.save([face(count)])
    saver.close()
    assert [f.frame for f in corrections.read(saver.path)] == [19]


def test_a_file_that_cannot_be_written_is_reported_in_one_line(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    saver = Saver(str(tmp_path / "file" / "clip.corrections.csv"))
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
    (tmp_path / "clip.corrections.tmp-0123456789ab.csv").write_text("half")
    storage.read(str(tmp_path / "clip.mp4"))
    assert os.listdir(tmp_path) == []


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
    saver = Saver(stored.path, stored.absent)
    saver.start()
    saver.save(stored.faces)
    saver.close()
    images = {f.image for f in corrections.read(stored.path)}
    assert images == {"b.png", "d.png"}
