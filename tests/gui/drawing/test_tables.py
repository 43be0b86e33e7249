import csv
import json
import os

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.tracker import FaceTracker
from gui.drawing import tables
from tests.gui import fakes


@pytest.fixture
def faces():
    """The faces of three frames. The second frame has no face."""
    tracker = FaceTracker(fakes.FakePredictor(), fakes.FakeFinder())
    faces = []
    for index in range(3):
        image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
        if index != 1:
            fakes.draw_face(image, (60 + index, 30, 130 + index, 120))
        faces.append(tracker.update(image, index / 25))
    return faces


@pytest.fixture
def table(faces):
    table = tables.LandmarkTable("clip.mp4", "model")
    for index, frame_faces in enumerate(faces):
        table.add(index, index / 25, frame_faces)
    return table


def save(table, path):
    with tables.replacing_table(path) as temporary:
        table.write(temporary)


def test_every_format_contains_the_same_values(table, faces, tmp_path):
    paths = {s: str(tmp_path / f"out{s}") for s in tables.TABLE_SUFFIXES}
    for path in paths.values():
        save(table, path)
    expected = np.stack([faces[0][0].face.landmarks, faces[2][0].face.landmarks])
    sigma = np.stack([faces[0][0].face.uncertainty, faces[2][0].face.uncertainty])
    with np.load(paths[".npz"]) as arrays:
        np.testing.assert_array_equal(arrays["landmarks"], expected)
        np.testing.assert_array_equal(arrays["sigma"], sigma)
        assert arrays["frame"].tolist() == [0, 2]
        assert arrays["time_s"].tolist() == [0.0, 0.08]
    with open(paths[".csv"], newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["0", "2"]
    for row, landmarks, spread in zip(rows, expected, sigma, strict=True):
        for i in (0, 30, 67):
            stored = [float(row[f"{name}{i}"]) for name in ("x", "y", "z", "sigma")]
            np.testing.assert_allclose(stored, [*landmarks[i], spread[i]], atol=6e-4)
    with open(paths[".json"]) as file:
        document = json.load(file)
    assert document["video"] == "clip.mp4"
    assert [frame["frame"] for frame in document["frames"]] == [0, 2]
    np.testing.assert_allclose(
        document["frames"][1]["faces"][0]["landmarks"], expected[1], atol=6e-4
    )


def test_writes_a_table_without_faces(tmp_path):
    for suffix in tables.TABLE_SUFFIXES:
        save(tables.LandmarkTable(), str(tmp_path / f"none{suffix}"))
    with np.load(tmp_path / "none.npz") as arrays:
        assert arrays["landmarks"].shape == (0, 68, 3)


def test_rejects_an_unknown_suffix(table, tmp_path):
    with pytest.raises(EthosError, match=r"t\.xls: landmarks are saved as"):
        save(table, str(tmp_path / "t.xls"))
    assert os.listdir(tmp_path) == []


def test_names_the_location_that_cannot_be_written_before_any_work(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with (
        pytest.raises(EthosError, match=r"t\.csv: cannot be written"),
        tables.replacing_table(str(blocked / "t.csv")),
    ):
        pytest.fail("the block must not run")
