"""The file with corrections: exact round trip, damaged files, and its readers."""

from __future__ import annotations

import csv
import dataclasses
import os

import numpy as np
import pytest

from ethos_data.corpora import corrections, formats
from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.corpora.source import Listing
from ethos_data.errors import EthosError
from ethos_data.visibility import HIDDEN, UNLABELLED, VISIBLE
from tests.ethos_data.corpora import layouts
from tests.ethos_data.corpora.test_formats import read_all


def corrected(frame: int, face: int = 0, **details) -> CorrectedFace:
    """Returns a correction with the landmarks of `layouts.image(frame)`."""
    visible = np.full(68, VISIBLE, np.uint8)
    points = layouts.landmarks(frame)[:, :2]
    timestamp = details.pop("timestamp", frame / 25)
    return CorrectedFace(frame, timestamp, face, points, visible, False, **details)


def assert_equal(face: CorrectedFace, expected: CorrectedFace) -> None:
    for field in dataclasses.fields(CorrectedFace):
        value, other = getattr(face, field.name), getattr(expected, field.name)
        np.testing.assert_array_equal(value, other)


def test_faces_are_read_as_they_were_written(tmp_path):
    first = corrected(7)
    first.points[3] = np.nan
    first.visible[3], first.visible[60] = UNLABELLED, HIDDEN
    second = dataclasses.replace(corrected(2, face=1), interpolated=True)
    third = corrected(2, face=0)
    path = corrections.sidecar_path(str(tmp_path / "a.b.mp4"))
    assert path == str(tmp_path / "a.b.corrections.csv")
    corrections.write(path, [first, second, third])
    faces = corrections.read(path)
    assert len(faces) == 3
    for face, expected in zip(faces, (third, second, first), strict=True):
        assert_equal(face, expected)
        assert face.points.dtype == np.float64
        assert face.visible.dtype == np.uint8


def test_columns_are_those_of_the_documentation(tmp_path):
    path = tmp_path / "clip.corrections.csv"
    corrections.write(str(path), [corrected(1)])
    header, row = csv.reader(path.read_text().splitlines())
    expected = ["frame", "timestamp", "face", "interpolated"]
    expected += [f"{axis}{i}" for i in range(68) for axis in "xy"]
    assert header == expected + [f"visible{i}" for i in range(68)]
    assert row[:4] == ["1", "0.040", "0", "0"]
    assert row[4] == f"{layouts.landmarks(1)[0, 0]:.3f}"


def test_a_folder_names_the_images(tmp_path):
    path = corrections.sidecar_path(str(tmp_path))
    assert path == str(tmp_path / "corrections.csv")
    # The index of an image changes when images are added, its name does not.
    faces = [corrected(0, image="b, c.png"), corrected(0, image="a.png")]
    corrections.write(path, faces)
    read = corrections.read(path)
    assert [face.image for face in read] == ["a.png", "b, c.png"]


def test_no_correction_is_a_valid_file(tmp_path):
    path = str(tmp_path / "clip.corrections.csv")
    corrections.write(path, [])
    assert corrections.read(path) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("frame,", "number,", "has no column frame"),
        ("visible67", "seen67", "has no column visible67"),
        ("x4,", "u4,", "has no column x4"),
        ("0.040", "soon", "line 2: could not convert"),
        ("0.040,0,0", "0.040,0,yes", "line 2: interpolated is 'yes'"),
        ("\n1,", "\n-1,", "line 2: .* must not be negative"),
        ("2,2,2\n", "2,2,7\n", "line 2: visible67 is 7"),
        ("2,2,2\n", "2,2\n", "line 2: has 207 columns, not 208"),
        ("0.040,0,0,", "0.040,0,0,,", "line 2: has 209 columns"),
    ],
)
def test_damaged_files_are_named_with_the_line(old, new, reason, tmp_path):
    path = tmp_path / "clip.corrections.csv"
    corrections.write(str(path), [corrected(1)])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(EthosError, match=f"clip.corrections.csv: {reason}"):
        corrections.read(str(path))


def test_a_label_needs_a_position(tmp_path):
    face = corrected(1)
    path = tmp_path / "clip.corrections.csv"
    corrections.write(str(path), [face])
    x, y = (f"{value:.3f}" for value in face.points[9])
    path.write_text(path.read_text().replace(f",{x},{y},", f",{x},,"))
    with pytest.raises(EthosError, match="line 2: landmark 9 has no position"):
        corrections.read(str(path))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_landmark_without_a_position_is_written_as_missing(value, tmp_path):
    face = corrected(1)
    face.points[9, 1] = value
    path = str(tmp_path / "clip.corrections.csv")
    corrections.write(path, [face])
    face.points[9] = np.nan
    face.visible[9] = UNLABELLED
    (read,) = corrections.read(path)
    assert_equal(read, face)


@pytest.mark.parametrize("name", ["#1.png", "# a.png", os.fsdecode(b"caf\xe9.png")])
def test_images_may_have_any_name(name, tmp_path):
    layouts.write_image(tmp_path / "1.png", 1)
    (tmp_path / "1.png").rename(tmp_path / name)  # OpenCV does not write any name
    faces = [corrected(0, image=name), corrected(1, image="b.png")]
    corrections.write(str(tmp_path / "corrections.csv"), faces)
    read = corrections.read(str(tmp_path / "corrections.csv"))
    assert [face.image for face in read] == [name, "b.png"]
    sources = formats.find_sources(Listing(str(tmp_path)), "csv", None)
    assert [(s.pixels, s.problem) for s in sources] == [
        (name, ""),
        ("", "the image b.png does not exist"),
    ]
    (video,) = formats.FORMATS["csv"].read(str(tmp_path), sources[0], 1, None)
    np.testing.assert_array_equal(video.frames[0], layouts.image(1))


def test_a_quote_that_is_not_closed_is_named(tmp_path):
    path = tmp_path / "clip.corrections.csv"
    corrections.write(str(path), [corrected(1)])
    path.write_text(path.read_text() + '"' + "7" * 200_000)
    with pytest.raises(EthosError, match=r"corrections\.csv: is not a CSV table: "):
        corrections.read(str(path))


def test_repeated_and_missing_files_are_named(tmp_path):
    path = str(tmp_path / "clip.corrections.csv")
    corrections.write(path, [corrected(1), corrected(1)])
    with pytest.raises(EthosError, match="line 3: repeats face 0 of frame 1"):
        corrections.read(path)
    with pytest.raises(EthosError, match="no such file"):
        corrections.read(str(tmp_path / "other.corrections.csv"))
    (tmp_path / "empty.corrections.csv").touch()
    with pytest.raises(EthosError, match="is empty"):
        corrections.read(str(tmp_path / "empty.corrections.csv"))


def test_corrections_of_a_video_have_precedence(tmp_path):
    layouts.ethos(tmp_path)  # a.avi, b.avi and c.avi with a.csv, b.csv and c.csv
    faces = [corrected(2), corrected(1, face=5), corrected(3)]
    faces[0].visible[4] = HIDDEN
    corrections.write(str(tmp_path / "a.corrections.csv"), faces)
    assert formats.detect(Listing(str(tmp_path))) == "video_csv"
    by_id = {video.video_id: video for video in read_all(tmp_path, "video_csv")}
    assert by_id.keys() == {"a-face0", "a-face5", "b", "c"}
    video = by_id["a-face0"]
    assert video.frame_numbers.tolist() == [2, 3]
    assert not video.has_z.any()
    assert video.visible[0, 4] == HIDDEN
    assert (video.visible == VISIBLE).sum() == 2 * 68 - 1
    for row, number in enumerate((2, 3)):
        np.testing.assert_array_equal(video.frames[row], layouts.image(number))
        np.testing.assert_allclose(
            video.landmarks[row, :, :2], layouts.landmarks(number)[:, :2], atol=1e-4
        )


def test_corrections_belong_to_the_video_with_exactly_their_name(tmp_path):
    layouts.write_video(tmp_path / "a.avi", 2)
    layouts.write_video(tmp_path / "ab.avi", 2)
    corrections.write(str(tmp_path / "ab.corrections.csv"), [corrected(1)])
    sources = formats.find_sources(Listing(str(tmp_path)), "video_csv", None)
    assert [(s.path, s.problem) for s in sources] == [
        ("a.avi", "has no table a.csv"),
        ("ab.avi", ""),
    ]


def test_corrections_of_images_have_precedence(tmp_path):
    layouts.csv_images(tmp_path)  # photos/0.png to photos/3.png in labels.csv
    face = dataclasses.replace(corrected(1, image="1.png"))
    face.points[:] += 2
    corrections.write(str(tmp_path / "photos" / "corrections.csv"), [face])
    listing = Listing(str(tmp_path))
    assert formats.detect(listing) == "csv"
    sources = formats.find_sources(listing, "csv", None)
    usable = {s.path for s in sources if not s.problem}
    expected = {"labels.csv#1", "labels.csv#3", "labels.csv#4"}
    assert usable == expected | {"photos/corrections.csv#1"}
    (rejected,) = (s for s in sources if s.problem)
    assert rejected.path == "labels.csv#2"
    assert rejected.problem == "corrections.csv contains labels of this image"
    (source,) = (s for s in sources if s.path.startswith("photos"))
    (video,) = formats.FORMATS["csv"].read(str(tmp_path), source, 1, None)
    np.testing.assert_array_equal(video.frames[0], layouts.image(1))
    np.testing.assert_allclose(video.landmarks[0, :, :2], face.points, atol=1e-4)


def test_corrections_that_a_format_does_not_read_are_listed(tmp_path):
    layouts.pts(tmp_path)
    path = tmp_path / "helen" / "trainset" / "corrections.csv"
    corrections.write(str(path), [corrected(0, image="0_1.png")])
    sources = formats.find_sources(Listing(str(tmp_path)), "pts", None)
    (unread,) = (source for source in sources if source.problem)
    assert unread.path == "helen/trainset/corrections.csv"
    assert unread.problem == "--corpus_format pts does not read it; csv does"
