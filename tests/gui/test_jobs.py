"""Which videos are annotated, and the names of their outputs."""

import os

import pytest

from ethos_data.errors import EthosError
from gui import jobs


def test_names_never_pass_to_another_video(tmp_path):
    def names(*specs):
        videos = jobs.expand([str(tmp_path / spec) for spec in specs])
        plan = jobs.plan_jobs(videos, jobs.OutputOptions(csv="out"), several=True)
        return {
            os.path.relpath(job.video, tmp_path): job.tables[0][4:-4] for job in plan
        }

    for name in ("x/a.mp4", "x/a.mov", "y/a.mp4", "y/b.avi", ".hidden/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "x/.a.1234.mp4").write_text("left behind by a killed run")
    assert names(".") == {
        "x/a.mp4": "x/a.mp4",
        "x/a.mov": "x/a.mov",
        "y/a.mp4": "y/a",
        "y/b.avi": "y/b",
    }
    assert names("x/a.mp4", "y/b.avi") == {"x/a.mp4": "a", "y/b.avi": "b"}
    assert names("x/a.mp4", "y/a.mp4") == {"x/a.mp4": "x/a.mp4", "y/a.mp4": "y/a.mp4"}
    assert names("y/b.avi", "y/b.avi") == {"y/b.avi": "b"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "this list names no video"),
        ("caf\xe9.mp4".encode("latin-1"), "not UTF-8 text"),
    ],
)
def test_an_unusable_list_is_named(tmp_path, text, reason):
    listing = tmp_path / "videos.txt"
    listing.write_bytes(text)
    with pytest.raises(EthosError, match=rf"videos\.txt: .*{reason}"):
        jobs.expand([str(listing)])


def test_a_list_may_start_with_a_byte_order_mark(tmp_path):
    listing = tmp_path / "videos.txt"
    listing.write_text("a.avi\n", encoding="utf-8-sig")
    assert [v.path for v in jobs.expand([str(listing)])] == [f"{tmp_path}/a.avi"]


def test_an_existing_file_cannot_be_the_directory_of_several_outputs(tmp_path):
    videos = [jobs.InputVideo(f"{name}.mp4", f"{name}.mp4") for name in "ab"]
    table = tmp_path / "out.csv"
    table.write_text("")
    with pytest.raises(EthosError, match=r"out.csv: is a file; with several videos"):
        jobs.plan_jobs(videos, jobs.OutputOptions(csv=str(table)), several=True)
