"""Tables with the columns of OpenFace 2, read as programs for OpenFace read them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ethos_model.footage import FaceTracker, open_video
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.tables.recording import Header
from ethos_model.footage.tables.writer import TableWriter
from ethos_model.footage.tracks import measured
from ethos_model.predict import FacePredictor
from gui.sample import SAMPLE

COUNT = 5
"""Number of frames with a face. One frame without a face follows."""


@pytest.fixture(scope="module")
def faces():
    """The face of a rendered head in five frames. It is unsure in the last one."""
    predictor = FacePredictor()
    tracker = FaceTracker(predictor, FaceFinder(predictor=predictor))
    faces = []
    with open_video(SAMPLE) as source:
        for _ in range(COUNT):
            frame = source.read()
            (face,) = tracker.update(frame.image, frame.timestamp)
            faces.append(measured(frame.image, face))
        width, height = source.info.size
    assert (width, height) == (320, 320)
    return [*faces[:-1], dataclasses.replace(faces[-1], unsure=True)]


@pytest.fixture(scope="module")
def path(faces, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("openface") / "t.csv")
    header = Header("sample.mp4", "model", (320, 320))
    with TableWriter([path], header, csv_format="openface") as tables:
        for index, face in enumerate(faces):
            tables.add(index, index / 25, [face])
        tables.add(COUNT, COUNT / 25, [])
        tables.finish()
    return path


@pytest.fixture(scope="module")
def table(path):
    return pd.read_csv(path)


def test_the_first_line_contains_the_columns_of_openface(path):
    with open(path) as file:
        first = file.readline().rstrip("\n")
    numbers = range(68)
    expected = "frame,face_id,timestamp,confidence,success,"
    expected += "pose_Tx,pose_Ty,pose_Tz,pose_Rx,pose_Ry,pose_Rz,"
    expected += ",".join(f"x_{i}" for i in numbers) + ","
    expected += ",".join(f"y_{i}" for i in numbers) + ","
    expected += ",".join(f"X_{i}" for i in numbers) + ","
    expected += ",".join(f"Y_{i}" for i in numbers) + ","
    expected += ",".join(f"Z_{i}" for i in numbers)
    assert first == expected


def test_every_frame_has_a_line(table, faces):
    assert table["frame"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["face_id"].tolist() == [0] * 6
    np.testing.assert_allclose(table["timestamp"], np.arange(6) / 25)
    assert table["success"].tolist() == [1, 1, 1, 1, 0, 0]
    expected = [round(face.measures.quality, 2) for face in faces]
    assert table["confidence"].tolist() == [*expected, 0]
    assert (table.iloc[-1, 3:] == 0).all()


def test_the_landmarks_in_space_are_on_their_lines_of_sight(table):
    """The camera of OpenFace: 500 pixels of focal length at 640 x 480 pixels."""
    focal = (500 * 320 / 640 + 500 * 320 / 480) / 2
    found = table[:COUNT]
    for i in range(68):
        for axis in "xy":
            in_space = found[f"{axis.upper()}_{i}"] / found[f"Z_{i}"]
            expected = focal * in_space + 159.5
            np.testing.assert_allclose(found[f"{axis}_{i}"], expected, atol=0.03)


def test_the_landmarks_in_space_have_the_size_of_a_head(table):
    def eye(row, first):
        return [
            np.mean([row[f"{axis}_{i}"] for i in range(first, first + 6)])
            for axis in "XYZ"
        ]

    for _, row in table[:COUNT].iterrows():
        right, left = np.array(eye(row, 36)), np.array(eye(row, 42))
        assert np.linalg.norm(left - right) == pytest.approx(63, abs=6)
        center = [np.mean([row[f"{axis}_{i}"] for i in range(68)]) for axis in "XYZ"]
        position = row[["pose_Tx", "pose_Ty", "pose_Tz"]].to_numpy(float)
        np.testing.assert_allclose(center, position, atol=40)
        # The tip of the nose is nearer to the camera than the ears.
        assert row["Z_30"] < min(row["Z_0"], row["Z_16"]) - 40


def test_the_rotation_is_that_of_the_measures(table, faces):
    for (_, row), face in zip(table[:COUNT].iterrows(), faces, strict=True):
        stored = row[["pose_Rx", "pose_Ry", "pose_Rz"]].to_numpy(float)
        np.testing.assert_allclose(stored, face.measures.pose.openface()[3:], atol=6e-5)


def test_a_face_that_was_not_measured_counts_as_lost(faces, tmp_path):
    path = str(tmp_path / "t.csv")
    face = dataclasses.replace(faces[0], measures=None, id=3)
    with TableWriter([path], Header(size=(320, 320)), csv_format="openface") as tables:
        tables.add(0, 0.0, [face])
        tables.finish()
    table = pd.read_csv(path)
    assert table["face_id"].tolist() == [2]
    assert table["success"].tolist() == [0]
