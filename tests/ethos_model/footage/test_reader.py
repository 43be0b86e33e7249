"""Opening, numbering, seeking and timestamps of the video reader."""

import fractions
import os
import random

import numpy as np
import pytest

from ethos_model.footage.reader import VideoError, open_video
from tests.ethos_model.footage import clips

IMAGES = [clips.image(number) for number in range(60)]
GOP = {"bf": "3", "g": "12"}
TICK = fractions.Fraction(1, 1000)
UNEVEN = np.cumsum([0, *np.random.default_rng(5).integers(1, 200, 59)]).tolist()

KINDS = {
    "b_frames.mp4": {"options": GOP},
    "b_frames.mkv": {"options": GOP},
    "b_frames.ts": {"options": GOP},
    "b_frames.flv": {"options": GOP},
    "open_gop.mp4": {"options": {**GOP, "x264-params": "open-gop=1"}},
    "h264.avi": {"options": GOP},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "12"}},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "mpeg2.mpg": {
        "codec": "mpeg2video",
        "options": {"bf": "2", "g": "12", "q:v": "1"},
        # The timestamps of MPEG program streams belong to packs of 2 KiB.
        "images": [clips.noisy_image(number, (192, 128)) for number in range(60)],
    },
    "mpeg2.ts": {"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}},
    "wmv2.wmv": {"codec": "wmv2", "options": {"g": "12"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "12", "cpu-used": "8"}},
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"x265-params": "log-level=none:keyint=12", "preset": "ultrafast"},
    },
    "variable.mp4": {"options": GOP, "ticks": UNEVEN, "tick": TICK},
    "variable.mkv": {"options": GOP, "ticks": UNEVEN, "tick": TICK},
    # The ten frames before time zero are removed by the file's edit list.
    "edit_list.mp4": {
        "options": GOP,
        "ticks": [40 * (number - 10) for number in range(60)],
        "tick": TICK,
    },
    "raw.h264": {"options": GOP, "rate": 30},
}


def expected_times(name):
    if name.startswith("variable"):
        return [ticks / 1000 for ticks in UNEVEN]
    count = 50 if name == "edit_list.mp4" else 60
    return [number / (30 if name == "raw.h264" else 25) for number in range(count)]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    place = tmp_path_factory.mktemp("kinds")
    for name, options in KINDS.items():
        images = options.get("images", IMAGES)
        details = {key: options[key] for key in options if key != "images"}
        clips.write(str(place / name), images, **details)
    return place


@pytest.mark.parametrize("name", KINDS)
def test_frames_have_the_numbers_and_times_of_the_file(directory, name):
    path = str(directory / name)
    frames = clips.read_all(path)
    times = expected_times(name)
    assert [frame.index for frame in frames] == list(range(len(times)))
    # Matroska stores milliseconds.
    np.testing.assert_allclose([f.timestamp for f in frames], times, atol=1.1e-3)
    shown = [clips.number_in(frame.image) for frame in frames]
    assert shown == list(range(60 - len(times), 60))
    with open_video(path) as source:
        assert source.damage is None
        if not name.startswith("variable"):
            assert source.info.fps == pytest.approx(30 if "raw" in name else 25)


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_can_be_reached_by_a_seek(directory, name):
    path = str(directory / name)
    frames = clips.read_all(path)
    order = list(range(len(frames)))
    random.Random(0).shuffle(order)
    with open_video(path) as source:
        for index in order:
            source.seek(index)
            assert source.position == index
            assert clips.digest(source.read()) == clips.digest(frames[index])
            assert source.index_at(frames[index].timestamp) == index


@pytest.mark.parametrize("name", ["b_frames.mp4", "variable.mkv", "h264.avi"])
def test_reading_goes_on_after_a_seek(directory, name):
    path = str(directory / name)
    frames = clips.read_all(path)
    for start in (31, 7):
        with open_video(path) as source:
            source.seek(start)
            rest = list(iter(source.read, None))
            assert source.position == 60
        assert [*map(clips.digest, rest)] == [*map(clips.digest, frames[start:])]


def test_a_seek_backwards_keeps_the_numbers_of_later_frames(directory):
    path = str(directory / "variable.mp4")
    frames = clips.read_all(path)
    with open_video(path) as source:
        for _ in range(20):
            source.read()
        source.seek(3)
        rest = list(iter(source.read, None))
    assert [*map(clips.digest, rest)] == [*map(clips.digest, frames[3:])]


def test_a_seek_behind_the_end_leaves_no_frame(directory):
    with open_video(str(directory / "b_frames.mp4")) as source:
        source.seek(1000)
        assert source.read() is None
        assert source.position == 60
        source.seek(59)
        assert clips.number_in(source.read().image) == 59
        assert source.read() is None


def test_skip_passes_over_one_frame(directory):
    with open_video(str(directory / "b_frames.mp4")) as source:
        assert source.skip()
        assert source.read().index == 1
        assert source.skip()
        assert source.read().index == 3
        while source.skip():
            pass
        assert source.position == 60
        assert source.read() is None


def test_joined_recordings_keep_their_order(tmp_path):
    parts = []
    for number in range(2):
        path = clips.write(
            str(tmp_path / f"{number}.ts"), IMAGES[30 * number : 30 * number + 30]
        )
        with open(path, "rb") as file:
            parts.append(file.read())
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(parts))
    frames = clips.read_all(str(joined))
    assert [clips.number_in(frame.image) for frame in frames] == list(range(60))
    assert [frame.index for frame in frames] == list(range(60))
    steps = np.diff([frame.timestamp for frame in frames])
    np.testing.assert_allclose(steps, 0.04, atol=1e-3)


def test_names_that_look_like_urls_or_are_not_utf8(tmp_path, monkeypatch):
    clips.write(str(tmp_path / "clip.mp4"), IMAGES[:3])
    monkeypatch.chdir(tmp_path)
    names = ["12:30.mp4", b"caf\xe9 100%d.mp4".decode("utf-8", "surrogateescape")]
    for old, new in zip(["clip.mp4", *names], names, strict=False):
        os.rename(old, new)
        with open_video(new) as source:
            assert source.info.name == new
            assert len(list(iter(source.read, None))) == 3
            source.seek(1)
            assert source.read().index == 1


@pytest.mark.parametrize("name", ["film.mp4", "picture.png", "list", "notes.txt"])
def test_a_file_that_is_no_video_is_named(tmp_path, name, capfd):
    path = tmp_path / name
    for content in (b"this is not a video, whatever its name says" * 10, b""):
        path.write_bytes(content)
        with pytest.raises(VideoError, match=name) as caught:
            open_video(str(path))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_without_video_is_named(tmp_path):
    path = str(tmp_path / "sound.mp4")
    clips.write(path, IMAGES[:1], sound_seconds=0.2)
    import av

    sound = str(tmp_path / "sound.m4a")
    with av.open(path) as source, av.open(sound, "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(VideoError, match=r"sound\.m4a: contains no video"):
        open_video(sound)


def test_missing_files_and_empty_directories_are_named(tmp_path):
    with pytest.raises(VideoError, match=r"missing\.mp4: no such file"):
        open_video(str(tmp_path / "missing.mp4"))
    with pytest.raises(VideoError, match="no images in this directory"):
        open_video(str(tmp_path))
    with pytest.raises(VideoError, match="no file matches this pattern"):
        open_video(str(tmp_path / "frame%04d.png"))
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match=r"pipe\.mp4: not a regular file"):
        open_video(str(tmp_path / "pipe.mp4"))
    with pytest.raises(VideoError, match="protocol must be one of"):
        open_video("gopher://example.org/clip.mp4")


def test_file_urls_are_decoded_and_keep_the_options(tmp_path):
    place = tmp_path / "a b"
    place.mkdir()
    path = clips.write(
        str(place / "v.mpg"),
        [clips.image(number) for number in range(8)],
        codec="mpeg2video",
        options={"q:v": "2"},
        prepare=clips.interlace_mpeg2,
    )
    assert len(clips.read_all(path, fields=True)) == 16
    assert len(clips.read_all((place / "v.mpg").as_uri(), fields=True)) == 16
