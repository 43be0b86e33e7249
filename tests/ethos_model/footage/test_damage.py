"""Truncated and corrupted files: what was read and what was lost."""

import fractions
import os
import subprocess
import sys

import pytest

from ethos_model.footage.reader import open_video
from ethos_model.footage.sources.damage import DamageMeter
from tests.ethos_model.footage import clips

IMAGES = [clips.noisy_image(number) for number in range(100)]
KINDS = {
    "v.mp4": {"muxer_options": {"movflags": "faststart"}},
    "v.mkv": {},
    "v.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "v.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "g": "10"}},
}


def write(path, **options):
    options.setdefault("options", {"g": "10", "bf": "2"} | options.get("options", {}))
    if options.get("codec") == "mjpeg":
        options["options"] = {}
    return clips.write(str(path), IMAGES, **options)


def read(path):
    with open_video(str(path)) as source:
        return list(iter(source.read, None)), source.damage


@pytest.mark.parametrize("name", KINDS)
def test_a_truncated_file_is_read_to_its_end(tmp_path, name):
    path = tmp_path / name
    write(path, **KINDS[name])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    frames, damage = read(path)
    assert 35 < len(frames) < 75
    numbers = [clips.number_in(frame.image) for frame in frames]
    assert numbers[:-2] == list(range(len(frames) - 2))
    assert damage.frames == len(frames)
    assert damage.missing_seconds == pytest.approx((100 - len(frames)) / 25, abs=0.13)


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_part_is_counted_and_the_rest_is_read(tmp_path, name):
    path = tmp_path / name
    write(path, **KINDS[name])
    data = bytearray(path.read_bytes())
    start = len(data) // 2
    data[start : start + len(data) // 10] = bytes(len(data) // 10)
    path.write_bytes(data)
    frames, damage = read(path)
    assert 60 < len(frames) <= 100
    # An AVI file has no timestamps, so the frames after the damage move forward.
    for frame in frames[3:4] if name == "v.avi" else (frames[3], frames[-1]):
        assert clips.number_in(frame.image) == round(25 * frame.timestamp)
    assert damage.errors > 0 or damage.missing_seconds > 0
    lost = 100 - len(frames)
    assert damage.missing_seconds == pytest.approx(lost / 25, abs=0.3)


def test_lost_frames_leave_gaps_in_the_numbers(tmp_path):
    path = tmp_path / "v.mp4"
    write(path, codec="mjpeg", pixel_format="yuvj420p")
    data = bytearray(path.read_bytes())
    start = len(data) // 2
    data[start : start + len(data) // 20] = bytes(len(data) // 20)
    path.write_bytes(data)
    frames, damage = read(path)
    indices = [frame.index for frame in frames]
    assert len(frames) < 100
    assert indices[-1] == 99
    assert indices == [round(25 * frame.timestamp) for frame in frames]
    assert damage.errors > 0
    with open_video(str(path)) as source:
        source.seek(90)  # the numbers are the same after a seek
        assert clips.digest(source.read()) == clips.digest(frames[indices.index(90)])


def test_an_intact_file_has_no_damage(tmp_path):
    for name, options in KINDS.items():
        write(tmp_path / name, **options)
        assert read(tmp_path / name)[1] is None


def test_sound_that_is_longer_than_the_video_is_no_damage(tmp_path):
    for name in ("v.mkv", "v.mp4"):
        path = clips.write(str(tmp_path / name), IMAGES[:10], sound_seconds=2.0)
        assert read(path)[1] is None


def test_a_recording_that_starts_between_key_frames_is_no_damage(tmp_path):
    path = tmp_path / "v.ts"
    write(path)
    data = path.read_bytes()
    path.write_bytes(data[188 * (len(data) // 188 // 3) :])
    frames, damage = read(path)
    assert 40 < len(frames) < 80
    assert frames[0].index == 0
    assert frames[0].timestamp == 0
    assert damage is None


def test_the_damage_is_one_line():
    meter = DamageMeter(25)
    for index in (0, 1, 5, 6):
        meter.add_frame(index, index / 25)
    meter.add_error(0.1)
    meter.finish(1.28)
    text = "damaged: 4 frames decoded, 1 decoding errors, 1.12 s missing"
    assert str(meter.damage) == text


@pytest.mark.parametrize("distance", [0.1, 5.0])
def test_a_gap_counts_only_near_an_error(distance):
    meter = DamageMeter(25)
    for time in (0, 0.04, 1.04, 1.08):
        meter.add_frame(round(25 * time) if time < 1 else round(25 * time) - 24, time)
    meter.add_error(1.08 + distance)
    expected = 0.96 if distance < 1 else 0
    assert meter.damage.missing_seconds == pytest.approx(expected)


def test_damaged_files_of_all_kinds_cause_no_crash():
    # The acceptance test reads 2,000: ETHOS_FUZZ=2000 (about half a minute).
    count = os.environ.get("ETHOS_FUZZ", "150")
    result = subprocess.run(
        [sys.executable, "-m", "tests.ethos_model.footage.fuzz", "--count", count],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert "'failed': 0" in result.stdout


@pytest.mark.parametrize("start", [0, 20, 1000])
def test_a_matroska_file_that_starts_later_is_complete(tmp_path, start):
    path = clips.write(
        str(tmp_path / "v.mkv"),
        [clips.image(number) for number in range(50)],
        ticks=[1000 * start + 40 * number for number in range(50)],
        tick=fractions.Fraction(1, 1000),
    )
    with open_video(path) as source:
        assert source.info.frame_count == pytest.approx(50, abs=1)
    frames, damage = read(path)
    assert len(frames) == 50
    assert damage is None
