import json
import os
import pathlib

import cv2
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.tracker import FaceTracker
from gui.drawing import export, surface
from tests.gui import fakes


@pytest.fixture
def face():
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, (60, 30, 130, 120))
    tracker = FaceTracker(fakes.FakePredictor(), fakes.FakeFinder())
    return tracker.update(image, 0.0)[0].face


def test_the_depth_png_and_its_scale_give_the_depth(face, tmp_path):
    path = str(tmp_path / "depth.png")
    export.save_depth_png(path, face)
    level = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    assert level.dtype == np.uint16
    with open(f"{path}.json") as file:
        scale = json.load(file)
    mask = surface.face_mask(face)
    np.testing.assert_array_equal(level > 0, mask)
    low, high = scale["low"], scale["high"]
    depth = low + (level.astype(float) - 1) / 65534 * (high - low)
    step = (high - low) / 65534
    np.testing.assert_allclose(depth[mask], face.depth[mask], atol=step)


def test_rejects_unknown_suffixes(face, tmp_path):
    image = np.zeros((8, 8, 3), np.uint8)
    for save in (
        lambda: export.save_png(str(tmp_path / "t.gif"), image),
        lambda: export.save_mesh(str(tmp_path / "t.stl"), face, image),
    ):
        with pytest.raises(EthosError, match=r"t\.\w+: "):
            save()
    assert os.listdir(tmp_path) == []


def test_names_the_location_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(EthosError, match=r"p\.png: cannot be written \("):
        export.save_png(str(blocked / "p.png"), np.zeros((4, 4, 3), np.uint8))


def test_stills_replace_only_a_directory_of_stills(tmp_path):
    path = tmp_path / "stills"
    path.mkdir()
    (path / "letter.txt").write_text("Dear Sir or Madam")

    def write(name):
        with export.replacing_directory(
            str(path), export.STILLS, {"video": "v"}
        ) as temporary:
            pathlib.Path(temporary, name).write_text("")

    with pytest.raises(EthosError, match="not a directory of stills"):
        write("0.png")
    assert os.listdir(path) == ["letter.txt"]
    (path / "letter.txt").unlink()
    write("0.png")
    write("1.png")
    assert sorted(os.listdir(path)) == ["1.png", "stills.json"]
    assert os.listdir(tmp_path) == ["stills"]
