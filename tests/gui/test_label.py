import os

import cv2
import numpy as np
import pytest

from ethos_data.corpora import corrections, formats
from ethos_data.corpora.source import Listing
from ethos_data.errors import EthosError
from gui import label
from tests.gui import fakes


@pytest.fixture
def folder(tmp_path):
    """Three images of different sizes. The second has no face."""
    directory = tmp_path / "photos"
    directory.mkdir()
    for name, size, box in (
        ("a.png", (160, 240), (60, 40, 110, 100)),
        ("b.png", (100, 100), None),
        ("c.png", (300, 200), (40, 90, 140, 210)),
    ):
        image = np.full((*size, 3), (40, 60, 90), np.uint8)
        if box is not None:
            fakes.draw_face(image, box)
        path = str(directory / name)
        cv2.imwrite(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return str(directory)


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("missing", "missing: no such folder"),
        ("clip.avi", "clip.avi: not a folder; ethos-view opens videos"),
        ("empty", "empty: contains no images"),
    ],
)
def test_a_wrong_folder_is_reported_before_the_window_opens(
    tmp_path, monkeypatch, capsys, argument, text
):
    monkeypatch.chdir(tmp_path)
    os.mkdir("empty")
    (tmp_path / "clip.avi").write_bytes(b"")
    assert label.main([argument]) == 1
    assert capsys.readouterr().err == f"error: {text}\n"


def test_damaged_corrections_are_reported(folder):
    path = os.path.join(folder, "corrections.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("nonsense\n")
    with pytest.raises(EthosError, match=r"corrections\.csv"):
        label.check(label.LabelOptions(folder=folder))


def test_a_missing_detector_is_reported_before_the_window_opens(
    folder, monkeypatch, capsys
):
    monkeypatch.setattr(label.app, "run", lambda **_: pytest.fail("opened"))
    assert label.main([folder, "--detector", "missing.onnx"]) == 1
    assert "missing.onnx" in capsys.readouterr().err


def test_the_command_opens_the_window_in_the_correction_mode(folder, monkeypatch):
    seen = {}
    monkeypatch.setattr(label.app, "run", lambda **options: seen.update(options))
    assert label.main([folder, "--detector", "yunet"]) == 0
    assert seen["labelling"]
    assert seen["video"] == folder


def test_images_are_labelled_one_after_the_other(start, folder):
    drive = start(folder, labelling=True)
    mode = drive.viewer.correction
    drive.until(lambda: mode.is_open and mode.editor.face is not None)
    assert mode.editor.face.box[0] == pytest.approx(60, abs=0.01)
    assert not mode.panel.interpolate_box.winfo_ismapped()
    assert not drive.viewer.player.state.playing
    drive.key("<Tab>")
    drive.key("<Shift-Right>")
    drive.key("<period>")
    drive.until(lambda: mode.editor.frame == 1)
    drive.until(lambda: "no face" in mode.panel.face_label.cget("text"))
    drive.key("<period>")
    drive.until(lambda: mode.editor.frame == 2 and mode.editor.face is not None)
    drive.key("<Return>")
    drive.until(lambda: mode.panel.work_label.cget("text") == "c.png")
    # The whole face is shown in each image, whatever the size.
    box = mode.panel.canvas.zoom.to_screen(mode.editor.face.points)
    width, height = mode.panel.canvas.extent
    assert (box.min(axis=0) > 0).all()
    assert (box.max(axis=0) < (width, height)).all()
    drive.until(lambda: mode.corrections.saver.saved)
    path = os.path.join(folder, "corrections.csv")
    faces = corrections.read(path)
    assert [(f.image, f.frame, f.face) for f in faces] == [
        ("a.png", 0, 1),
        ("c.png", 2, 1),
    ]
    assert faces[0].timestamp == faces[1].timestamp == 0.0
    assert faces[0].points[0, 0] == pytest.approx(61.0, abs=0.01)
    # The labels are a corpus: one image, one face.
    listing = Listing(folder)
    assert formats.detect(listing) == "csv"
    sources = formats.find_sources(listing, "csv", None)
    assert sorted(source.pixels for source in sources) == ["a.png", "c.png"]


def test_images_that_are_added_later_do_not_move_labels(start, folder):
    drive = start(folder, labelling=True)
    mode = drive.viewer.correction
    drive.until(lambda: mode.is_open and mode.editor.face is not None)
    drive.key("<Return>")
    drive.until(lambda: mode.corrections.saver.saved)
    drive.viewer.close()
    os.replace(os.path.join(folder, "b.png"), os.path.join(folder, "0.png"))
    drive = start(folder, labelling=True)
    mode = drive.viewer.correction
    drive.until(lambda: mode.is_open)
    assert mode.corrections.document.frames() == [1]


def test_the_help_states_the_keys(capsys):
    with pytest.raises(SystemExit):
        label.main(["--help"])
    text = capsys.readouterr().out
    assert "corrections.csv" in text
