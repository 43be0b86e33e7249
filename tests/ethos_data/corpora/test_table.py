"""CSV files become rows: comments, names of any bytes, damaged files."""

from __future__ import annotations

import os

import pytest

from ethos_data.corpora import formats, table
from ethos_data.corpora.source import Listing
from tests.ethos_data.corpora import layouts

NOT_CLOSED = b'"' + b"7" * 200_000
"""A field with a quote that is not closed, longer than the limit of the parser."""


def test_only_lines_before_the_header_are_comments():
    content = b"\xef\xbb\xbf# made by ETHOS\r\n#\r\nimage,x0\r\n#1.png,4\r\n"
    assert list(table.rows_of(content)) == [["image", "x0"], ["#1.png", "4"]]
    content = b'image,x0\n"a\n#b.png",5\n'
    assert list(table.rows_of(content)) == [["image", "x0"], ["a\n#b.png", "5"]]
    assert list(table.rows_of(b"# nothing\n")) == []


def test_names_contain_the_bytes_of_the_file():
    (row,) = table.rows_of(b"caf\xe9.png,caf\xc3\xa9.png")
    assert row == [os.fsdecode(b"caf\xe9.png"), "caf\u00e9.png"]


def test_a_quote_that_is_not_closed_is_a_value_error():
    with pytest.raises(ValueError, match="is not a CSV table: field larger than"):
        list(table.rows_of(b"image,x0\n" + NOT_CLOSED))


@pytest.mark.parametrize(
    ("layout", "name", "file"),
    [
        (layouts.csv_images, "csv", "labels.csv"),
        (layouts.ethos, "video_csv", "a.csv"),
    ],
)
def test_a_damaged_table_is_rejected_with_its_reason(layout, name, file, tmp_path):
    layout(tmp_path)
    path = tmp_path / file
    path.write_bytes(path.read_bytes() + NOT_CLOSED)
    sources = formats.find_sources(Listing(str(tmp_path)), name, None)
    (problem,) = (source.problem for source in sources if source.problem)
    assert "is not a CSV table: field larger than field limit" in problem


def test_people_in_a_table_that_is_not_utf_8_stay_different(tmp_path):
    layouts.csv_images(tmp_path)
    path = tmp_path / "labels.csv"
    content = path.read_bytes().replace(b"Person 0", b"M\xfcller")
    path.write_bytes(content.replace(b"Person 1", b"M\xf6ller"))
    sources = formats.find_sources(Listing(str(tmp_path)), "csv", None)
    people = {source.person_id for source in sources}
    assert people == {"M\\xfcller", "M\\xf6ller"}
