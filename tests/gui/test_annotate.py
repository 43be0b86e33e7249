import dataclasses
import os
import signal

import cv2
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.reader import open_video
from ethos_model.footage.sources.images import ImageSequence, Page
from gui import annotate, jobs
from tests.gui import fakes


@pytest.fixture(autouse=True)
def fake_model(monkeypatch):
    monkeypatch.setattr(annotate, "load", fakes.load)


@pytest.fixture
def clip(tmp_path):
    return fakes.write_video(str(tmp_path / "clip.avi"), 30, faceless=range(20, 30))


def test_one_video_with_everything(clip, tmp_path, capsys):
    out = tmp_path / "out"
    flags = f"--output {out}/v.mp4 --csv {out}/t.csv --json {out}/t.json"
    flags += f" --npz {out}/t.npz --stills {out}/stills --stills_every 0.4"
    status = annotate.main([clip, *flags.split(), "--mesh_format", "obj"])
    assert status == 0
    said = capsys.readouterr().out
    assert "30 frames, 20 with a face" in said
    assert f"wrote {out}/v.mp4" in said
    assert "ethos-view" in said
    with np.load(out / "t.npz") as table:
        assert table["frame"].tolist() == list(range(20))
        # The landmarks' boxes are where the faces were drawn.
        low, high = table["landmarks"].min(axis=1), table["landmarks"].max(axis=1)
        boxes = np.concatenate([low[:, :2], high[:, :2]], axis=1)
    expected = [fakes.face_box_at(index) for index in range(20)]
    assert np.abs(boxes - expected).max() < 4
    assert sorted(os.listdir(out / "stills")) == [
        "000000.png",
        "000000_face1.obj",
        "000000_face1_depth.png",
        "000000_face1_depth.png.json",
        "000010.png",
        "000010_face1.obj",
        "000010_face1_depth.png",
        "000010_face1_depth.png.json",
        "000020.png",
        "stills.json",
    ]
    with open_video(f"{out}/v.mp4") as source:
        assert sum(1 for _ in iter(source.read, None)) == 30
        width, height = source.info.size
    assert (width, height) == (720 + 240, 480)  # three times as large, and two tiles


def test_points_are_drawn_where_there_is_a_face_and_nowhere_else(clip, tmp_path):
    out = str(tmp_path / "v.avi")
    assert annotate.main([clip, "--output", out, "--beside"]) == 0
    plain = annotate.compose.resized
    with open_video(clip) as source, open_video(out) as result:
        for index in range(30):
            before, after = source.read().image, result.read().image
            large = plain(before, 3.0)
            changed = np.abs(large.astype(int) - after).max(axis=-1) > 60
            rows, columns = np.nonzero(changed[:-60])  # below it may say "no face"
            if index >= 20:
                assert len(rows) < 20
                continue
            x0, y0, x1, y1 = 3 * np.array(fakes.face_box_at(index))
            assert len(rows) > 300
            assert x0 - 40 < columns.min() < columns.max() < x1 + 40
            assert y0 - 60 < rows.min() < rows.max() < y1 + 40


def test_a_folder_goes_on_where_it_was_stopped(tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.avi", "b.avi", "deep/a.avi"):
        fakes.write_video(str(folder / name), 5)
    (folder / "broken.mp4").write_text("no video")
    flags = [str(folder), "--output", str(out), "--csv", str(out)]
    assert annotate.main(flags) == 1
    said = capsys.readouterr()
    assert "broken.mp4: not a video" in said.err
    assert "1 of 4 videos failed" in said.err
    assert sorted(os.listdir(out)) == [*("a.csv", "a.mp4", "b.csv", "b.mp4", "deep")]
    assert sorted(os.listdir(out / "deep")) == ["a.csv", "a.mp4"]
    (folder / "broken.mp4").unlink()
    (out / "b.csv").unlink()
    # One that sorts before the others does not take their names.
    (folder / "another").mkdir()
    fakes.write_video(str(folder / "another/a.avi"), 5)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    assert annotate.main(flags) == 0
    assert "2 of 4 videos are done already" in capsys.readouterr().out
    assert (out / "another/a.csv").exists()
    for path, time in before.items():
        assert (path.stat().st_mtime_ns != time) == path.name.startswith("b"), path
    assert annotate.main([*flags, "--overwrite"]) == 0
    assert "done already" not in capsys.readouterr().out


def test_lists_of_videos(tmp_path):
    for name in ("a.avi", "b.avi"):
        fakes.write_video(str(tmp_path / name), 3)
    listing = tmp_path / "videos.txt"
    listing.write_text(f"# mine\na.avi\n\n{tmp_path}/b.avi\n")
    listed = [one.path for one in jobs.expand([str(listing)])]
    assert listed == [f"{tmp_path}/a.avi", f"{tmp_path}/b.avi"]
    assert annotate.main([str(listing), "--npz", str(tmp_path / "out")]) == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["a.npz", "b.npz"]


def test_a_folder_of_images_is_one_video(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(4):
        image = np.full((160, 240, 3), (90, 60, 40), np.uint8)
        fakes.draw_face(image, fakes.face_box_at(index))
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{index}.png"), bgr)
    out = str(tmp_path / "t.npz")
    assert annotate.main([str(folder), "--npz", out]) == 0
    with np.load(out) as table:
        assert table["frame"].tolist() == [0, 1, 2, 3]


def test_the_video_can_be_degraded_first(clip, tmp_path):
    out = str(tmp_path / "v.avi")
    flags = [clip, "--output", out, "--beside", "--darkness", "0.75"]
    assert annotate.main(flags) == 0
    with open_video(clip) as source, open_video(out) as result:
        bright, dark = source.read().image.mean(), result.read().image.mean()
    assert dark == pytest.approx(0.25 * bright, rel=0.15)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["missing.mp4", "--csv", "t.csv"], "missing.mp4: no such file"),
        (["CLIP"], "Nothing to write"),
        (
            ["CLIP", "--csv", "t.csv", "--darkness", "2"],
            "--darkness must be at most",
        ),
        (["CLIP", "--output", "v.xyz"], "v.xyz: the suffix of a video must be"),
        (["CLIP", "--csv", "CLIP/t.csv"], "cannot be written"),
        (["CLIP", "--csv", "t.csv", "--model", "."], "not an exported ETHOS model"),
        ([".", "--csv", "t"], "no videos or images in this folder"),
        (["CLIP", "--csv", "t.txt"], "t.txt: --csv writes a file named *.csv"),
        (["CLIP", "--json", "t.npz"], "t.npz: --json writes a file named *.json"),
        (["CLIP", "--output", "CLIP"], "clip.avi: is the video itself"),
        (["CLIP", "--output", "FOLDER"], "is a folder; name a file in it"),
        (["CLIP", "--stills", "FOLDER"], "clip.avi lies in it; name another one"),
        (["FOLDER", "--output", "FOLDER"], "name another folder"),
        (["caf\udce9.avi", "--csv", "t.csv"], "caf\\udce9.avi: no such file"),
    ],
)
def test_expected_failures_are_one_line(
    clip, tmp_path, capsys, monkeypatch, flags, reason
):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    places = {"CLIP": clip, "FOLDER": str(tmp_path)}
    for word, place in places.items():
        flags = [flag.replace(word, place) for flag in flags]
    before = sorted(tmp_path.rglob("*"))
    assert annotate.main(flags) == 1
    assert sorted(tmp_path.rglob("*")) == before
    said = capsys.readouterr().err.splitlines()
    errors = [line for line in said if line.startswith("error: ")]
    assert len(errors) == 1
    assert reason in errors[0]
    assert os.listdir(empty) == []


def test_a_folder_that_is_none_of_stills_is_not_replaced(clip, tmp_path, capsys):
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "000000.png").write_text("a drawing of mine")
    flags = [clip, "--stills", str(folder)]
    assert annotate.main([*flags, "--overwrite"]) == 1
    assert "papers: is not replaced, because" in capsys.readouterr().err
    assert os.listdir(folder) == ["000000.png"]
    (folder / "000000.png").unlink()
    assert annotate.main(flags) == 0  # an empty one is
    assert annotate.main(flags) == 0
    assert "1 of 1 videos are done already" in capsys.readouterr().out
    (folder / "000000.png").unlink()
    assert annotate.main([*flags, "--overwrite"]) == 0
    assert {"000000.png", "stills.json"} <= set(os.listdir(folder))
    assert sorted(os.listdir(tmp_path)) == ["clip.avi", "papers"]


def test_names_never_pass_to_another_video(tmp_path):
    def names(*specs):
        found = jobs.expand([str(tmp_path / spec) for spec in specs])
        plan = {"several": True, "output": None, "stills": None}
        every = jobs.plan_jobs(found, tables={"csv": "out"}, **plan)
        return {
            os.path.relpath(job.video, tmp_path): job.tables[0][4:-4] for job in every
        }

    for name in ("x/a.mp4", "x/a.mov", "y/a.mp4", "y/b.avi", ".hidden/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "x/.a.1234.mp4").write_text("left by a killed run")
    assert names(".") == {
        "x/a.mp4": "x/a.mp4",
        "x/a.mov": "x/a.mov",
        "y/a.mp4": "y/a",
        "y/b.avi": "y/b",
    }
    assert names("x/a.mp4", "y/b.avi") == {"x/a.mp4": "a", "y/b.avi": "b"}
    assert names("x/a.mp4", "y/a.mp4") == {"x/a.mp4": "x/a.mp4", "y/a.mp4": "y/a.mp4"}
    assert names("y/b.avi", "y/b.avi") == {"y/b.avi": "b"}


def test_annotated_videos_are_none_to_annotate(clip, tmp_path, capsys):
    flags = [str(tmp_path), "--output", str(tmp_path / "annotated")]
    assert annotate.main(flags) == 0
    assert annotate.main(flags) == 0
    assert "1 of 1 videos are done already" in capsys.readouterr().out
    assert os.listdir(tmp_path / "annotated") == ["clip.mp4"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no video in this list"),
        ("caf\xe9.mp4".encode("latin-1"), "not UTF-8 text"),
    ],
)
def test_a_list_that_lists_nothing_is_named(tmp_path, text, reason):
    listing = tmp_path / "videos.txt"
    listing.write_bytes(text)
    with pytest.raises(EthosError, match=rf"videos\.txt: .*{reason}"):
        jobs.expand([str(listing)])


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path):
    listing = tmp_path / "videos.txt"
    listing.write_text("a.avi\n", encoding="utf-8-sig")
    assert [one.path for one in jobs.expand([str(listing)])] == [f"{tmp_path}/a.avi"]


def test_ctrl_c_ends_a_camera_and_keeps_what_came(tmp_path, monkeypatch, capsys):
    class Camera(ImageSequence):
        def read(self):
            if self.position == 3:
                signal.raise_signal(signal.SIGINT)
            return super().read()

    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, fakes.face_box_at(0))
    path = str(tmp_path / "frame.png")
    cv2.imwrite(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    camera = Camera("camera 0", [Page(path)] * 99)
    camera.info = dataclasses.replace(camera.info, live=True)
    monkeypatch.setattr(annotate.reader, "open_video", lambda spec: camera)
    handler = signal.getsignal(signal.SIGINT)
    out = str(tmp_path / "t.npz")
    assert annotate.main(["camera:0", "--npz", out]) == 0
    assert signal.getsignal(signal.SIGINT) is handler
    assert "Ctrl-C ends the recording" in capsys.readouterr().err
    with np.load(out) as table:
        assert table["frame"].tolist() == [0, 1, 2, 3]


def test_what_is_drawn_can_be_chosen(clip, tmp_path):
    out = str(tmp_path / "v.avi")
    assert annotate.main([clip, "--output", out, "--beside", "--draw"]) == 0
    with open_video(clip) as source, open_video(out) as result:
        large = annotate.compose.resized(source.read().image, 3.0)
        assert np.abs(large.astype(int) - result.read().image).mean() < 3


def test_a_table_that_cannot_be_written_takes_no_video_with_it(
    clip, tmp_path, monkeypatch, capsys
):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(annotate.LandmarkTable, "_csv", full)
    flags = ["--output", str(tmp_path / "v.avi"), "--csv", str(tmp_path / "t.csv")]
    assert annotate.main([clip, *flags]) == 1
    assert "t.csv: cannot be written (No space left" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["clip.avi", "v.avi"]
