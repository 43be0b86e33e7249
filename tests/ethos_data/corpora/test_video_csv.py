"""Each video gets its own table, and never that of another video."""

from __future__ import annotations

import pytest

from ethos_data.corpora import formats, video_csv
from ethos_data.corpora.source import Listing


def tables(directory, names):
    """Returns the table of each video in a directory with empty files."""
    for name in names.split():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).touch()
    return video_csv._pairs(Listing(str(directory)))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("clip1.mp4 clip10.csv", {"clip1.mp4": None}),
        (
            "clip1.mp4 clip10.mp4 clip10.csv",
            {"clip1.mp4": None, "clip10.mp4": "clip10.csv"},
        ),
        ("clip.mp4 clip_faces.csv", {"clip.mp4": None}),
        ("clip.mp4 clipDLC_net_1.csv", {"clip.mp4": "clipDLC_net_1.csv"}),
        ("clip.mp4 clipDLC_net_1.csv clip.csv", {"clip.mp4": "clip.csv"}),
        (
            "clip.mp4 clipDLC_net_1_filtered.csv clipDLC_net_1.csv",
            {"clip.mp4": "clipDLC_net_1.csv"},
        ),
        (
            "a.mp4 aDLC.mp4 aDLC.csv aDLCDLC_net.csv",
            {"a.mp4": None, "aDLC.mp4": "aDLC.csv"},
        ),
        (
            "a.mp4 aDLC.mp4 aDLCDLC_net.csv",
            {"a.mp4": None, "aDLC.mp4": "aDLCDLC_net.csv"},
        ),
        ("a.mp4 aDLC/b.csv DLC_net.csv", {"a.mp4": None}),
        ("x/a.mp4 a.csv x/a.b.csv", {"x/a.mp4": None}),
        ("x/a.b.mp4 x/a.b.csv", {"x/a.b.mp4": "x/a.b.csv"}),
        (
            "a.mp4 a.csv a.corrections.csv corrections.csv",
            {"a.mp4": "a.corrections.csv"},
        ),
    ],
)
def test_a_table_belongs_to_the_video_with_its_name(names, expected, tmp_path):
    assert tables(tmp_path, names) == expected


def test_a_video_without_a_table_is_rejected(tmp_path):
    tables(tmp_path, "clip1.mp4 clip10.csv")
    (source,) = formats.find_sources(Listing(str(tmp_path)), "video_csv", None)
    assert source.problem == "has no table clip1.csv"
