import os
import pathlib

import cv2
import numpy as np
import pytest

from ethos_model.footage import reader
from tests.gui import fakes


def read_all(path):
    with reader.open_source(str(path)) as source:
        frames = []
        while (frame := source.read()) is not None:
            frames.append(frame)
        return source.info, frames


def face_left(image):
    return fakes.skin_boxes(image)[0][0]


@pytest.mark.parametrize("name", ["a.avi", "b.mkv"])
def test_frames_in_order_with_their_times(tmp_path, name):
    path = fakes.write_video(str(tmp_path / name), 30)
    info, frames = read_all(path)
    assert info.size == (240, 160)
    assert info.fps == pytest.approx(25)
    assert [frame.index for frame in frames] == list(range(30))
    times = [frame.timestamp for frame in frames]
    np.testing.assert_allclose(times, np.arange(30) / 25, atol=1e-3)
    for frame in frames:
        expected = fakes.face_box_at(frame.index)[0]
        assert face_left(frame.image) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mp4v"), ("avi", "MJPG")])
def test_seeking_reaches_the_frame(tmp_path, suffix, codec):
    path = fakes.write_video(str(tmp_path / f"v.{suffix}"), 80, codec=codec)
    with reader.open_source(path) as source:
        for index in (70, 3, 0, 75, 40, 41, 12, 79):
            source.seek(index)
            frame = source.read()
            assert frame.index == index
            # The face may leave the picture to the right: compare its left edge.
            expected = fakes.face_box_at(index)[0]
            assert face_left(frame.image) == pytest.approx(expected, abs=2)
            assert frame.timestamp == pytest.approx(index / 25, abs=1e-3)
        assert source.read() is None


def test_skipping_is_reading_without_looking(tmp_path):
    path = fakes.write_video(str(tmp_path / "v.avi"), 10)
    with reader.open_source(path) as source:
        assert source.skip()
        assert source.read().index == 1
        assert source.skip()
        assert source.read().index == 3
        while source.skip():
            pass
        assert source.read() is None


def test_folders_of_images_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        image = np.full((20, 30, 3), 20 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"frame {number}.png"), image)
    (tmp_path / "frame 3.png").write_bytes(b"damaged")
    (tmp_path / "notes.txt").write_text("no image")
    info, frames = read_all(tmp_path)
    assert info.frame_count == 4
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [20, 40, 200]


def test_a_damaged_image_is_passed_over_also_the_first(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no image")
    for number in (2, 3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((8, 12, 3), np.uint8))
    with reader.open_source(str(tmp_path)) as source:
        assert source.info.size == (12, 8)
        assert [frame.index for frame in iter(source.read, None)] == [1, 2]


def test_names_that_mislead_opencv(tmp_path, monkeypatch):
    clip = fakes.write_video(str(tmp_path / "clip.avi"), 3)
    monkeypatch.chdir(tmp_path)
    os.rename(clip, "12:30.avi")  # not a protocol called 12
    with reader.open_source("12:30.avi") as source:
        assert source.info.name == "12:30.avi"
    name = b"caf\xe9.avi".decode("utf-8", "surrogateescape")
    os.rename("12:30.avi", name)  # OpenCV crashes on it
    with pytest.raises(reader.VideoError, match=r"caf\\udce9\.avi: .*rename it"):
        reader.open_source(name)


def test_one_image_in_colour_whatever_its_kind(tmp_path):
    path = tmp_path / "grey ö.png"
    data = cv2.imencode(".png", np.full((12, 16), 40000, np.uint16))[1]
    path.write_bytes(data.tobytes())
    info, frames = read_all(path)
    assert info.size == (16, 12)
    assert len(frames) == 1
    assert frames[0].image.dtype == np.uint8
    assert frames[0].image.shape == (12, 16, 3)
    assert frames[0].image[0, 0].tolist() == [156, 156, 156]  # 40000 / 65536 * 256


@pytest.mark.parametrize("name", ["film.mp4", "picture.png", "list"])
def test_what_is_no_video_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"this is not a video, whatever its name says" * 10)
    with pytest.raises(reader.VideoError, match=name):
        reader.open_source(str(path))
    with pytest.raises(reader.VideoError, match="no such file"):
        reader.open_source(str(tmp_path / "missing.mp4"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(reader.VideoError, match="without images"):
        reader.open_source(str(empty))


def test_a_video_cut_short_gives_what_is_there(tmp_path):
    whole = fakes.write_video(str(tmp_path / "whole.avi"), 40)
    data = pathlib.Path(whole).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 2])
    _, frames = read_all(cut)
    assert 5 < len(frames) < 40


def test_natural_order():
    names = ["b2", "a10", "a2", "a", "2", "10", "1"]
    ordered = sorted(names, key=reader.natural)
    assert ordered == ["1", "2", "10", "a", "a2", "a10", "b2"]


def boxes_of(data, start, end):
    """(type, start, end) of the boxes of an MP4 file between two offsets."""
    while start < end:
        size = int.from_bytes(data[start : start + 4], "big")
        yield data[start + 4 : start + 8], start, start + size
        start += size


def replaced(data, path, change):
    """MP4 bytes with the content of a box changed; parents' sizes follow.

    The index (moov) stands behind the pictures, so that no offset in it changes.
    """
    for name, start, end in boxes_of(data, 0, len(data)):
        if name == path[0]:
            inside = data[start + 8 : end]
            inside = replaced(inside, path[1:], change) if path[1:] else change(inside)
            head = (len(inside) + 8).to_bytes(4, "big") + name
            return data[:start] + head + inside + data[end:]
    raise AssertionError(path)


def test_a_phones_turned_video_stands_upright(tmp_path):
    path = pathlib.Path(fakes.write_video(str(tmp_path / "v.mp4"), 3, codec="mp4v"))

    def turn(header):  # the matrix of ISO 14496-12, 8.3.2: a quarter turn clockwise
        matrix = [0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30]
        packed = b"".join(v.to_bytes(4, "big", signed=True) for v in matrix)
        return header[:40] + packed + header[76:]

    path.write_bytes(replaced(path.read_bytes(), [b"moov", b"trak", b"tkhd"], turn))
    info, frames = read_all(path)
    assert info.size == (160, 240)  # 240 x 160 as stored
    x0, y0, x1, y1 = fakes.face_box_at(0)
    # (x, y) of the stored picture, 160 high, comes to (159 - y, x).
    upright = fakes.skin_boxes(frames[0].image)[0]
    np.testing.assert_allclose(upright, [159 - y1, x0, 159 - y0, x1], atol=2)


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    path = pathlib.Path(fakes.write_video(str(tmp_path / "v.mp4"), 10, codec="mp4v"))

    def hasten(table):  # stts: the last five frames stay half as long
        step = int.from_bytes(table[12:16], "big")
        entries = [(5, step), (5, step // 2)]
        packed = b"".join(v.to_bytes(4, "big") for pair in entries for v in pair)
        return table[:4] + (2).to_bytes(4, "big") + packed

    boxes = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"]
    path.write_bytes(replaced(path.read_bytes(), boxes, hasten))
    _, frames = read_all(path)
    gaps = np.diff([frame.timestamp for frame in frames])
    np.testing.assert_allclose(gaps, [0.04] * 5 + [0.02] * 4, atol=2e-3)


def test_seeking_is_exact_at_a_variable_frame_rate(tmp_path):
    path = pathlib.Path(fakes.write_video(str(tmp_path / "v.mp4"), 200, codec="mp4v"))

    def hasten(table):
        step = int.from_bytes(table[12:16], "big")
        entries = [(60, step), (140, step // 3)]
        packed = b"".join(v.to_bytes(4, "big") for pair in entries for v in pair)
        return table[:4] + (2).to_bytes(4, "big") + packed

    boxes = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"]
    path.write_bytes(replaced(path.read_bytes(), boxes, hasten))
    _, frames = read_all(path)
    with reader.open_source(str(path)) as source:
        while source.skip():  # what was seen once is known
            pass
        assert source.position == 200
        for index in (150, 20, 199, 75, 0, 120):
            source.seek(index)
            frame = source.read()
            assert frame.index == index
            assert frame.timestamp == pytest.approx(frames[index].timestamp, abs=1e-3)
            assert np.abs(frame.image.astype(int) - frames[index].image).max() < 3
            assert source.index_at(frame.timestamp) == index
