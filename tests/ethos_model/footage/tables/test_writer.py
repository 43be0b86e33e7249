"""The tables, read back with pandas, numpy and json."""

import contextlib
import dataclasses
import io
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

import ethos_data
from ethos_data.errors import EthosError
from ethos_model.footage.sources.source import Damage
from ethos_model.footage.tables import columns
from ethos_model.footage.tables.recording import Header
from ethos_model.footage.tables.writer import (
    STDOUT,
    TABLE_SUFFIXES,
    JsonLines,
    TableWriter,
)
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.tracks import measured
from tests.gui import fakes

HEADER = Header("clip #1.mp4", "model", (240, 160))
DAMAGE = Damage(frames=3, errors=2, missing_seconds=0.5)


@pytest.fixture
def faces():
    """The faces of three frames. The second frame has no face."""
    tracker = FaceTracker(fakes.FakePredictor(), fakes.FakeFinder())
    faces = []
    for index in range(3):
        image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
        if index != 1:
            fakes.draw_face(image, (60 + index, 30, 130 + index, 120))
        tracked = tracker.update(image, index / 25)
        faces.append([measured(image, face) for face in tracked])
    return faces


@pytest.fixture
def paths(faces, tmp_path):
    """Path of a table of `faces` in each format, by its suffix."""
    paths = {s: str(tmp_path / f"out{s}") for s in TABLE_SUFFIXES}
    with TableWriter(list(paths.values()), HEADER) as tables:
        for index, frame_faces in enumerate(faces):
            tables.add(index, index / 25, frame_faces)
        tables.finish(DAMAGE, ["frame 1: a face may be visible"])
    return paths


def json_lines(path):
    """Reads JSON Lines with pandas: the table of faces, the header and the end."""
    lines = pd.read_json(path, lines=True)
    frames = lines[lines["type"] == "frame"].to_dict("records")
    table = pd.json_normalize(frames, "faces", ["frame", "time_s"])
    return table, lines.iloc[0], lines.iloc[-1]


def json_faces(path):
    with open(path) as file:
        document = json.load(file)
    return pd.json_normalize(document["frames"], "faces", ["frame", "time_s"])


def npz_faces(path):
    with np.load(path) as arrays:
        return pd.DataFrame(
            {
                name: list(arrays[name])
                for name in arrays
                if name not in ("header", "damage")
            }
        )


READERS = {
    ".csv": lambda path: pd.read_csv(path, comment="#"),
    ".parquet": pd.read_parquet,
    ".json": json_faces,
    ".jsonl": lambda path: json_lines(path)[0],
    ".npz": npz_faces,
}


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_pandas_reads_every_format(paths, faces, suffix):
    table = READERS[suffix](paths[suffix])
    assert table["frame"].tolist() == [0, 2]
    assert table["time_s"].tolist() == [0.0, 0.08]
    assert table["face"].tolist() == [faces[0][0].id, faces[2][0].id]
    assert table["unsure"].tolist() == [False, False]
    np.testing.assert_allclose(table["score"].astype(float), 0.99, atol=1e-3)
    measures = faces[2][0].measures
    stored = table.iloc[1]
    assert stored["yaw"] == pytest.approx(measures.pose.yaw, abs=1e-3)
    assert stored["head_z"] == pytest.approx(measures.pose.position[2], abs=0.1)
    assert stored["mouth_open"] == pytest.approx(measures.openness.mouth, abs=1e-3)
    assert stored["quality"] == pytest.approx(measures.quality, abs=1e-3)
    if suffix != ".jsonl":
        assert table["blink"].tolist() == [False, False]
    for (_, row), face in zip(
        table.iterrows(), (faces[0][0], faces[2][0]), strict=True
    ):
        predicted = face.face
        expected = np.column_stack(
            [predicted.landmarks, predicted.uncertainty, predicted.visible]
        )
        if "landmarks" in table:
            others = [row["sigma"], row["visibility"]]
            stored = np.column_stack([np.stack(row["landmarks"]), *others])
        else:
            stored = row[list(columns.NAMES[-68 * 5 :])].to_numpy(float).reshape(68, 5)
        np.testing.assert_allclose(stored, expected, atol=6e-4)


def test_csv_and_parquet_have_the_documented_columns(paths):
    table = pd.read_csv(paths[".csv"], comment="#")
    assert tuple(table.columns) == columns.NAMES
    table = pd.read_parquet(paths[".parquet"])
    assert tuple(table.columns) == columns.NAMES
    for column in columns.COLUMNS:
        assert table[column.name].dtype == column.dtype


def test_every_format_contains_the_header(paths):
    with np.load(paths[".npz"]) as arrays:
        in_npz = json.loads(str(arrays["header"]))
    in_parquet = json.loads(parquet.read_schema(paths[".parquet"]).metadata[b"ethos"])
    with open(paths[".json"]) as file:
        in_json = json.load(file)
    _, first, last = json_lines(paths[".jsonl"])
    in_lines = {**first, **last[["damage", "doubts"]]}
    for header in (in_npz, in_parquet, in_json, in_lines):
        assert header["schema"] == 1
        assert header["version"] == ethos_data.__version__
        assert header["video"] == HEADER.video
        assert header["model"] == "model"
        assert header["frame_size"] == [240, 160]
        assert header["units"]["time_s"] == "s"
        assert header["units"]["sigma"] == "source pixels"
        assert header["damage"]["missing_seconds"] == 0.5
        assert header["doubts"] == ["frame 1: a face may be visible"]
    with open(paths[".csv"], newline="") as file:
        lines = [line for line in file.read().split("\r\n") if line.startswith("#")]
    assert lines == [
        f"# ETHOS table, schema 1, version {ethos_data.__version__}",
        "# video: clip #1.mp4",
        "# model: model",
        "# frame size: 240 x 160 pixels",
        "# unit s: time_s",
        "# unit degrees: yaw yaw_sigma pitch pitch_sigma roll roll_sigma",
        "# unit mm: head_x head_y head_z",
        "# unit source pixels: face_size x y z sigma",
        "# unit grey levels: brightness noise",
        "# data loss: damaged: 3 frames decoded, 2 decoding errors, 0.50 s missing",
        "# doubt: frame 1: a face may be visible",
    ]


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_writes_a_table_without_faces(tmp_path, suffix):
    path = str(tmp_path / f"none{suffix}")
    with TableWriter([path]) as tables:
        tables.add(0, 0.0, [])
        tables.finish()
    assert len(READERS[suffix](path) if suffix != ".jsonl" else []) == 0
    if suffix == ".npz":
        with np.load(path) as arrays:
            assert arrays["landmarks"].shape == (0, 68, 3)


def test_values_of_a_face_that_was_not_measured_are_missing(faces, tmp_path):
    face = dataclasses.replace(faces[0][0], measures=None)
    for suffix, read in READERS.items():
        path = str(tmp_path / f"t{suffix}")
        with TableWriter([path]) as tables:
            tables.add(0, 0.0, [face])
            tables.finish()
        table = read(path)
        assert table["yaw"].isna().tolist() == [True]
        assert table["score"].notna().tolist() == [True]


def test_frames_inside_a_blink_are_marked(faces, tmp_path):
    """The eyes of the first person blink once, those of the second person never."""
    path = str(tmp_path / "t.csv")
    face = faces[0][0]
    with TableWriter([path]) as tables:
        for index in range(75):
            level = 0.2 if 40 <= index < 45 else 0.75
            openness = dataclasses.replace(
                face.measures.openness,
                **dict.fromkeys(("left_eye", "right_eye"), level),
                **dict.fromkeys(("left_eye_sigma", "right_eye_sigma"), 0.02),
            )
            measures = dataclasses.replace(face.measures, openness=openness)
            blinking = dataclasses.replace(face, measures=measures)
            tables.add(index, index / 25, [blinking, dataclasses.replace(face, id=2)])
        tables.finish()
    table = pd.read_csv(path, comment="#")
    marked = table[table["blink"] == 1]
    assert marked["face"].unique().tolist() == [1]
    assert marked["frame"].tolist() == list(range(40, 45))


def test_json_lines_are_flushed_frame_by_frame(faces):
    class Pipe(io.StringIO):
        """Stores what has been flushed."""

        flushed = ""

        def flush(self):
            self.flushed = self.getvalue()

    pipe = Pipe()
    table = JsonLines(pipe, "pipe")
    table.start(HEADER)
    assert json.loads(pipe.flushed)["type"] == "header"
    for index, frame_faces in enumerate(faces):
        table.add(index, index / 25, frame_faces)
        frame = json.loads(pipe.flushed.splitlines()[-1])
        assert (frame["frame"], len(frame["faces"])) == (index, len(frame_faces))
    table.finish(HEADER)
    assert json.loads(pipe.flushed.splitlines()[-1]) == {
        "type": "end",
        "frames": 3,
        "damage": None,
        "doubts": [],
    }


def test_a_dash_stands_for_the_standard_output(faces, capsys):
    with TableWriter([STDOUT]) as tables:
        tables.add(0, 0.0, faces[0])
        tables.finish()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["header", "frame", "end"]


def test_the_name_of_a_video_cannot_break_the_header(tmp_path):
    path = str(tmp_path / "t.csv")
    with TableWriter([path], Header("two\nlines \udce9.mp4")) as tables:
        tables.finish()
    assert len(pd.read_csv(path, comment="#")) == 0
    with open(path, encoding="utf-8") as file:
        assert "# video: two lines \\udce9.mp4\n" in file.read()


def test_no_file_remains_after_a_failure(faces, tmp_path):
    paths = [str(tmp_path / f"t{suffix}") for suffix in TABLE_SUFFIXES]
    with contextlib.suppress(ZeroDivisionError), TableWriter(paths) as tables:
        tables.add(0, 0.0, faces[0])
        assert len(os.listdir(tmp_path)) == len(paths)
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_rejects_an_unknown_suffix():
    with pytest.raises(EthosError, match=r"t\.xls: tables are saved as \.csv, "):
        TableWriter(["t.xls"])


def test_names_the_location_that_cannot_be_written_before_any_work(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with (
        pytest.raises(EthosError, match=r"t\.csv: cannot be written"),
        TableWriter([str(blocked / "t.csv")]),
    ):
        pytest.fail("the block must not run")


def test_a_closed_pipe_is_not_an_error_of_a_file():
    class Closed(io.StringIO):
        def flush(self):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        JsonLines(Closed(), "stdout").start(HEADER)


def test_optional_packages_are_imported_only_when_they_are_used():
    modules = "gui.annotate, gui.app, ethos_model.footage.following"
    code = f"import {modules}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    optional = {"matplotlib", "pandas", "pyarrow", "pythonosc"}
    assert not optional & set(done.stdout.split())
