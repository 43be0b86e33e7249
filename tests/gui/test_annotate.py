import os

import cv2
import numpy as np
import pytest

from gui import annotate, jobs
from gui.video import open_source
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
    assert "next: ethos-view" in said
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
    ]
    with open_source(f"{out}/v.mp4") as source:
        assert sum(1 for _ in iter(source.read, None)) == 30
        width, height = source.info.size
    assert (width, height) == (720 + 240, 480)  # three times as large, and two tiles


def test_points_are_drawn_where_there_is_a_face_and_nowhere_else(clip, tmp_path):
    out = str(tmp_path / "v.avi")
    assert annotate.main([clip, "--output", out, "--beside"]) == 0
    plain = annotate.compose.enlarged
    with open_source(clip) as source, open_source(out) as result:
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
    assert sorted(os.listdir(out)) == [
        *("a.csv", "a.mp4", "a_2.csv", "a_2.mp4", "b.csv", "b.mp4")
    ]
    (folder / "broken.mp4").unlink()
    (out / "b.csv").unlink()
    before = {name: os.stat(out / name).st_mtime_ns for name in os.listdir(out)}
    assert annotate.main(flags) == 0
    assert "2 of 3 videos are done already" in capsys.readouterr().out
    for name, time in before.items():
        again = os.stat(out / name).st_mtime_ns
        assert (again != time) == name.startswith("b"), name
    assert annotate.main([*flags, "--overwrite"]) == 0
    assert "done already" not in capsys.readouterr().out


def test_lists_of_videos(tmp_path):
    for name in ("a.avi", "b.avi"):
        fakes.write_video(str(tmp_path / name), 3)
    listing = tmp_path / "videos.txt"
    listing.write_text(f"# mine\na.avi\n\n{tmp_path}/b.avi\n")
    assert jobs.expand([str(listing)]) == [f"{tmp_path}/a.avi", f"{tmp_path}/b.avi"]
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
    with open_source(clip) as source, open_source(out) as result:
        bright, dark = source.read().image.mean(), result.read().image.mean()
    assert dark == pytest.approx(0.25 * bright, rel=0.15)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["missing.mp4", "--csv", "t.csv"], "missing.mp4: there is no such file"),
        (["CLIP"], "Nothing to write"),
        (["CLIP", "--csv", "t.csv", "--darkness", "2"], "--darkness is from 0 to 0.98"),
        (["CLIP", "--output", "v.xyz"], "v.xyz: videos are written as"),
        (["CLIP", "--csv", "CLIP/t.csv"], "cannot be written"),
        (["CLIP", "--csv", "t.csv", "--model", "."], "not an exported ETHOS model"),
        ([".", "--csv", "t"], "no videos or images in this folder"),
    ],
)
def test_expected_failures_are_one_line(
    clip, tmp_path, capsys, monkeypatch, flags, reason
):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert annotate.main([flag.replace("CLIP", clip) for flag in flags]) == 1
    said = capsys.readouterr().err.splitlines()
    errors = [line for line in said if line.startswith("error: ")]
    assert len(errors) == 1
    assert reason in errors[0]
    assert os.listdir(empty) == []
