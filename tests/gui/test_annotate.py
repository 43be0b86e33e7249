"""The command ethos-annotate and the annotation of one video."""

import importlib.util
import json
import os
import socket

import av
import cv2
import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from ethos_model.footage.reader import open_video
from ethos_model.footage.tables import formats
from gui import annotate, jobs
from gui.drawing import compose
from tests.ethos_model.footage import clips
from tests.gui import fakes


@pytest.fixture(autouse=True)
def fake_model(monkeypatch):
    monkeypatch.setattr(annotate, "load", fakes.load)


@pytest.fixture
def clip(tmp_path):
    return fakes.write_video(str(tmp_path / "clip.avi"), 30, faceless=range(20, 30))


def test_one_video_with_all_outputs(clip, tmp_path, capsys):
    out = tmp_path / "out"
    flags = f"--output {out}/v.mp4 --csv {out}/t.csv --json {out}/t.json"
    flags += f" --npz {out}/t.npz --stills {out}/stills --stills_every 0.4"
    status = annotate.main([clip, *flags.split(), "--mesh_format", "obj"])
    assert status == 0
    printed = capsys.readouterr().out
    assert "30 frames, 20 with a face" in printed
    assert f"wrote {out}/v.mp4" in printed
    assert "next: " in printed
    with np.load(out / "t.npz") as table:
        assert table["frame"].tolist() == list(range(20))
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
        # Enlarged three times, with two reconstructions beside the video.
        assert source.info.size == (720 + 240, 480)


def test_landmarks_are_drawn_on_the_face_only(clip, tmp_path):
    out = str(tmp_path / "v.mp4")
    assert annotate.main([clip, "--output", out, "--beside"]) == 0
    with open_video(clip) as source, open_video(out) as result:
        for index in range(30):
            before, after = source.read().image, result.read().image
            enlarged = compose.resized(before, 3.0)
            changed = np.abs(enlarged.astype(int) - after).max(axis=-1) > 60
            rows, columns = np.nonzero(changed[:-60])  # "no face" is written below
            if index >= 20:
                assert len(rows) < 20
                continue
            x0, y0, x1, y1 = 3 * np.array(fakes.face_box_at(index))
            assert len(rows) > 300
            assert x0 - 40 < columns.min() < columns.max() < x1 + 40
            assert y0 - 60 < rows.min() < rows.max() < y1 + 40


def test_a_directory_continues_where_it_was_stopped(tmp_path, capsys):
    directory, out = tmp_path / "in", tmp_path / "out"
    (directory / "deep").mkdir(parents=True)
    for name in ("a.avi", "b.avi", "deep/a.avi"):
        fakes.write_video(str(directory / name), 5)
    (directory / "broken.mp4").write_text("no video")
    flags = [str(directory), "--output", str(out), "--csv", str(out)]
    assert annotate.main(flags) == 1
    printed = capsys.readouterr().err
    assert "broken.mp4: not a video" in printed
    assert "1 of 4 videos failed" in printed
    assert sorted(os.listdir(out)) == [*("a.csv", "a.mp4", "b.csv", "b.mp4", "deep")]
    assert sorted(os.listdir(out / "deep")) == ["a.csv", "a.mp4"]
    (directory / "broken.mp4").unlink()
    (out / "b.csv").unlink()
    # A video that sorts before the others does not take their names.
    (directory / "another").mkdir()
    fakes.write_video(str(directory / "another/a.avi"), 5)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    assert annotate.main(flags) == 0
    assert "2 of 4 videos were annotated before" in capsys.readouterr().out
    assert (out / "another/a.csv").exists()
    for path, time in before.items():
        assert (path.stat().st_mtime_ns != time) == path.name.startswith("b"), path
    assert annotate.main([*flags, "--overwrite"]) == 0
    assert "annotated before" not in capsys.readouterr().out


def test_a_text_file_lists_videos(tmp_path):
    for name in ("a.avi", "b.avi"):
        fakes.write_video(str(tmp_path / name), 3)
    listing = tmp_path / "videos.txt"
    listing.write_text(f"# mine\na.avi\n\n{tmp_path}/b.avi\nrtsp://host/live\n")
    listed = [video.path for video in jobs.expand([str(listing)])]
    assert listed == [f"{tmp_path}/a.avi", f"{tmp_path}/b.avi", "rtsp://host/live"]
    listing.write_text("a.avi\nb.avi\n")
    assert annotate.main([str(listing), "--npz", str(tmp_path / "out")]) == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["a.npz", "b.npz"]


def test_a_directory_of_images_is_one_video(tmp_path):
    directory = tmp_path / "frames"
    directory.mkdir()
    for index in range(4):
        image = np.full((160, 240, 3), (90, 60, 40), np.uint8)
        fakes.draw_face(image, fakes.face_box_at(index))
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(directory / f"{index}.png"), bgr)
    out = str(tmp_path / "t.npz")
    assert annotate.main([str(directory), "--npz", out]) == 0
    with np.load(out) as table:
        assert table["frame"].tolist() == [0, 1, 2, 3]


def test_the_degradation_is_applied_before_the_model(clip, tmp_path):
    out = str(tmp_path / "v.mp4")
    flags = [clip, "--output", out, "--beside", "--darkness", "0.75"]
    assert annotate.main(flags) == 0
    with open_video(clip) as source, open_video(out) as result:
        bright, dark = source.read().image.mean(), result.read().image.mean()
    assert dark == pytest.approx(0.25 * bright, rel=0.15)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["missing.mp4", "--csv", "t.csv"], "missing.mp4: no such file"),
        (["CLIP"], "nothing to write"),
        (["CLIP", "--csv", "t.csv", "--darkness", "2"], "--darkness must be at most"),
        (["CLIP", "--output", "v.xyz"], "v.xyz: the suffix of a video must be"),
        (["CLIP", "--csv", "CLIP/t.csv"], "cannot be written"),
        (["CLIP", "--csv", "t.csv", "--model", "."], "not an exported ETHOS model"),
        ([".", "--csv", "t"], "no videos or images in this directory"),
        (["CLIP", "--csv", "t.txt"], "t.txt: the file name must end with .csv"),
        (["CLIP", "--json", "t.npz"], "t.npz: the file name must end with .json"),
        (["CLIP", "--output", "CLIP"], "clip.avi: this is the video itself"),
        (["CLIP", "--output", "DIR"], "is a directory; name a file in it"),
        (["CLIP", "--stills", "DIR"], "clip.avi is in it; name another directory"),
        (["DIR", "--output", "DIR"], "name another directory"),
        (["caf\udce9.avi", "--csv", "t.csv"], "caf\\udce9.avi: no such file"),
        (["tcp://127.0.0.1:9", "--csv", "t.csv"], "connection refused"),
        (["CLIP", "--send", "udp://host"], "udp://host: must be udp://HOST:PORT"),
    ],
)
def test_expected_failures_are_one_line(
    clip, tmp_path, capsys, monkeypatch, flags, reason
):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    places = {"CLIP": clip, "DIR": str(tmp_path)}
    for word, place in places.items():
        flags = [flag.replace(word, place) for flag in flags]
    before = sorted(tmp_path.rglob("*"))
    assert annotate.main(flags) == 1
    assert sorted(tmp_path.rglob("*")) == before
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1
    assert reason in errors[0]
    assert os.listdir(empty) == []


def test_only_directories_of_stills_are_replaced(clip, tmp_path, capsys):
    directory = tmp_path / "papers"
    directory.mkdir()
    (directory / "000000.png").write_text("a drawing of mine")
    flags = [clip, "--stills", str(directory)]
    assert annotate.main([*flags, "--overwrite"]) == 1
    assert "papers: is not replaced" in capsys.readouterr().err
    assert os.listdir(directory) == ["000000.png"]
    (directory / "000000.png").unlink()
    assert annotate.main(flags) == 0  # an empty directory is replaced
    assert annotate.main(flags) == 0
    assert "1 of 1 videos were annotated before" in capsys.readouterr().out
    (directory / "000000.png").unlink()
    assert annotate.main([*flags, "--overwrite"]) == 0
    assert {"000000.png", "stills.json"} <= set(os.listdir(directory))
    assert sorted(os.listdir(tmp_path)) == ["clip.avi", "papers"]


def test_annotated_videos_are_not_annotated_again(clip, tmp_path, capsys):
    flags = [str(tmp_path), "--output", str(tmp_path / "annotated")]
    assert annotate.main(flags) == 0
    assert annotate.main(flags) == 0
    assert "1 of 1 videos were annotated before" in capsys.readouterr().out
    assert os.listdir(tmp_path / "annotated") == ["clip.mp4"]


def test_the_drawing_can_be_left_out(clip, tmp_path):
    out = str(tmp_path / "v.mp4")
    assert annotate.main([clip, "--output", out, "--beside", "--draw"]) == 0
    with open_video(clip) as source, open_video(out) as result:
        enlarged = compose.resized(source.read().image, 3.0)
        assert np.abs(enlarged.astype(int) - result.read().image).mean() < 3


@pytest.mark.parametrize("part", ["pose", "eyes"])
def test_measures_are_drawn_if_they_are_chosen(clip, tmp_path, part):
    plain, drawn = (str(tmp_path / name) for name in ("plain.mp4", "drawn.mp4"))
    flags = [clip, "--beside", "--uncertainty", "none", "--draw"]
    assert annotate.main([*flags, "--output", plain]) == 0
    assert annotate.main([*flags, part, "--output", drawn]) == 0
    with open_video(plain) as without, open_video(drawn) as result:
        first, second = without.read().image, result.read().image
    changed = np.abs(first.astype(int) - second).max(axis=-1) > 60
    assert 50 < changed.sum() < 0.1 * changed.size


def test_the_video_is_kept_if_a_table_cannot_be_written(
    clip, tmp_path, monkeypatch, capsys
):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(formats.WRITERS, ".csv", fail)
    flags = ["--output", str(tmp_path / "v.mp4"), "--csv", str(tmp_path / "t.csv")]
    assert annotate.main([clip, *flags]) == 1
    assert "t.csv: cannot be written (No space left" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["clip.avi", "v.mp4"]


def face_clip(path, **options):
    """A video of 30 frames whose face moves to the right."""
    images = []
    for index in range(30):
        image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
        fakes.draw_face(image, fakes.face_box_at(index))
        images.append(image)
    return clips.write(str(path), images, **options)


def test_timestamps_and_sound_of_the_video_are_kept(tmp_path):
    ticks = np.cumsum([0, *np.random.default_rng(0).integers(10, 90, 29)]).tolist()
    video = face_clip(
        tmp_path / "v.mp4",
        ticks=ticks,
        tick=clips.fractions.Fraction(1, 1000),
        sound_seconds=1.0,
    )
    out = str(tmp_path / "annotated.mp4")
    table = str(tmp_path / "t.npz")
    assert annotate.main([video, "--output", out, "--npz", table]) == 0
    times = [frame.timestamp for frame in clips.read_all(out)]
    np.testing.assert_allclose(times, np.array(ticks) / 1000, atol=1e-4)
    with np.load(table) as columns:
        np.testing.assert_allclose(columns["time_s"], times, atol=1e-4)
    with av.open(out) as container:
        assert container.streams.audio[0].codec_context.name == "aac"


def test_damage_is_reported_in_the_tables_and_by_the_exit_status(tmp_path, capsys):
    path = tmp_path / "v.avi"
    face_clip(path, codec="mjpeg", pixel_format="yuvj420p")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    out = tmp_path / "out"
    flags = f"--output {out}/v.mp4 --csv {out}/t.csv --json {out}/t.json".split()
    assert annotate.main([str(path), *flags]) == annotate.DAMAGED == 3
    warnings = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("warning: ")
    ]
    assert len(warnings) == 1
    assert "v.avi: damaged: " in warnings[0]
    text = (out / "t.csv").read_text()
    assert "\n# data loss: damaged: " in text
    assert "\nframe,time_s" in text
    damage = json.loads((out / "t.json").read_text())["damage"]
    assert damage["missing_seconds"] > 0.3
    assert damage["frames"] < 20
    intact = face_clip(tmp_path / "intact.mp4")
    assert annotate.main([intact, "--json", f"{out}/intact.json"]) == 0
    assert json.loads((out / "intact.json").read_text())["damage"] is None


def test_json_lines_go_to_the_standard_output_without_other_text(clip, capsys):
    assert annotate.main([clip, "--jsonl", "-"]) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [line["type"] for line in lines] == ["header", *["frame"] * 30, "end"]
    assert [len(line["faces"]) for line in lines[1:-1]] == [1] * 20 + [0] * 10
    assert "30 frames, 20 with a face" in printed.err


def test_faces_are_sent_as_osc_bundles(clip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        port = receiver.getsockname()[1]
        assert annotate.main([clip, "--send", f"udp://127.0.0.1:{port}"]) == 0
        for index in range(30):
            frame, *faces = OscBundle(receiver.recv(65536))
            assert frame.params[0] == index
            assert bool(faces) == (index < 20)


def test_a_missing_package_is_named_before_the_work(
    clip, tmp_path, monkeypatch, capsys
):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "pyarrow" else find_spec(name),
    )
    monkeypatch.setattr(annotate, "load", None)
    assert annotate.main([clip, "--parquet", str(tmp_path / "t.parquet")]) == 1
    assert capsys.readouterr().err == (
        "error: the package pyarrow is not installed: "
        "pip install 'ethos-faces[parquet]'\n"
    )


def test_several_runs_give_the_same_files(clip, tmp_path):
    contents = []
    for number in range(2):
        out = tmp_path / str(number)
        flags = f"--output {out}/v.mp4 --csv {out}/t.csv --stills {out}/s".split()
        assert annotate.main([clip, *flags, "--noise", "20"]) == 0
        files = sorted(path for path in out.rglob("*") if path.is_file())
        contents.append({str(f.relative_to(out)): f.read_bytes() for f in files})
    assert contents[0] == contents[1]
