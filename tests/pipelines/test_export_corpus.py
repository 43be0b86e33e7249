"""Export and import give equal landmarks in each format."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from ethos_data import visibility
from ethos_data.corpora import export, formats
from ethos_data.corpora.source import Listing
from ethos_data.errors import EthosError
from pipelines import convert, export_corpus, inspect
from pipelines.conversion.options import ConversionOptions
from tests.ethos_data import videos
from tests.ethos_data.corpora import layouts

ROUNDING = 0.51 * 10**-export.DECIMALS
FORMATS = sorted(export.WRITERS)


@pytest.fixture(scope="module", params=["complete", "coco", "csv"])
def converted(request, tmp_path_factory):
    """A data set with complete labels, one with missing labels, and one with z."""
    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "complete":
        videos.write_corpus(directory / "corpus", people=3, videos=2)
    elif request.param == "coco":
        layouts.coco(directory / "corpus")
    else:
        layouts.csv_images(directory / "corpus")
    result = convert.convert(
        corpus_dir=str(directory / "corpus"),
        data_dir=str(directory / "data"),
        options=ConversionOptions(image_size=64),
    )
    return result.data_dir


def stored_faces(data_dir: str) -> list[export.Face]:
    data = inspect.find(data_dir)
    return list(export_corpus.read_faces(data, list(data.splits)))


@pytest.mark.parametrize("name", FORMATS)
def test_export_and_import_give_equal_landmarks(converted, name, tmp_path, capsys):
    corpus_dir = tmp_path / "corpus"
    flags = ["--format", name, "--output", str(corpus_dir)]
    assert export_corpus.main([converted, *flags]) == 0
    faces = stored_faces(converted)
    output = capsys.readouterr().out
    assert f"wrote {len(faces)} faces" in output
    listing = Listing(str(corpus_dir))
    assert formats.detect(listing) == name
    pattern = export_corpus.PTS_PERSON_PATTERN if name == "pts" else None
    sources = formats.find_sources(listing, name, pattern)
    assert not any(source.problem for source in sources)
    read = formats.FORMATS[name].read
    results = [
        (source.person_id, part.frames[row], part.landmarks[row], part, row)
        for source in sources
        for part in read(str(corpus_dir), source, 1, None)
        for row in range(len(part.frames))
    ]
    assert len(results) == len(faces)
    for face in faces:
        expected, side = face.landmarks, len(face.record.image)
        matches = [
            result
            for result in results
            if result[0].replace("/", "_") == face.record.person_id.replace("/", "_")
            if result[1][:side, :side].shape == face.record.image.shape
            if (result[1][:side, :side] == face.record.image).all()
        ]
        assert len(matches) == 1
        _, _, points, part, row = matches[0]
        if name in ("pts", "coco"):
            expected[:, 2] = np.nan
        np.testing.assert_allclose(points, expected, atol=ROUNDING + 2e-5)
        if part.visible is not None and name != "pts":
            codes = face.visible
            if name == "coco":  # has no value for UNSTATED
                codes = np.minimum(codes, visibility.VISIBLE)
            np.testing.assert_array_equal(part.visible[row], codes)


def test_an_exported_corpus_can_be_converted(converted, tmp_path):
    corpus_dir = tmp_path / "corpus"
    flags = ["--format", "npz", "--output", str(corpus_dir)]
    assert export_corpus.main([converted, *flags]) == 0
    result = convert.convert(
        corpus_dir=str(corpus_dir),
        data_dir=str(tmp_path / "data"),
        options=ConversionOptions(image_size=64),
    )
    assert not result.rejected
    assert result.frames == len(stored_faces(converted))
    people = {face.record.person_id for face in stored_faces(result.data_dir)}
    assert len(people) == len(
        {face.record.person_id for face in stored_faces(converted)}
    )


def test_some_splits_can_be_exported(converted, tmp_path):
    output = str(tmp_path / "corpus")
    flags = ["--format", "pts", "--output", output, "--splits", "train"]
    assert export_corpus.main([converted, *flags]) == 0
    assert [path.name for path in pathlib.Path(output).iterdir()] == ["train"]


def test_wrong_arguments_change_nothing(converted, tmp_path, capsys):
    (tmp_path / "file").touch()
    flags = ["--format", "pts", "--output", str(tmp_path)]
    assert export_corpus.main([converted, *flags]) != 0
    assert "is not empty" in capsys.readouterr().err
    flags = ["--format", "pts", "--output", str(tmp_path / "new"), "--splits", "exam"]
    assert export_corpus.main([converted, *flags]) != 0
    assert "there is no split 'exam'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(EthosError, match="no finished conversion"):
        inspect.find(str(tmp_path))
