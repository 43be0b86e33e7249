"""Writing video files: timestamps, sound, colours, failures."""

import fractions
import os
import resource

import av
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.reader import open_video
from ethos_model.footage.writer import OUTPUT_SUFFIXES, VideoRecorder
from tests.ethos_model.footage import clips


def record(path, times, *, fps=25, size=clips.SIZE, **options):
    """Writes one numbered frame for each time and returns the frames read back."""
    with VideoRecorder(str(path), fps, **options) as recorder:
        for number, time in enumerate(times):
            recorder.write(clips.image(number, size), time)
    return clips.read_all(str(path))


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_frames_are_written_as_they_are(tmp_path, suffix):
    frames = record(tmp_path / f"v{suffix}", [k / 25 for k in range(40)])
    assert [clips.number_in(frame.image) for frame in frames] == list(range(40))
    times = [frame.timestamp for frame in frames]
    np.testing.assert_allclose(times, np.arange(40) / 25, atol=1e-3)
    for number, frame in enumerate(frames):
        # The area below the number has no sharp edges.
        error = frame.image[24:].astype(float) - clips.image(number)[24:]
        assert np.abs(error).mean() < 3
        assert abs(error.mean()) < 1.5


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_variable_frame_rate_is_kept(tmp_path, suffix):
    times = [0, 0.013, 0.2, 0.21, 1.5, 1.54, 61.54, 61.58]
    frames = record(tmp_path / f"v{suffix}", [7 + time for time in times])
    assert [clips.number_in(frame.image) for frame in frames] == list(range(8))
    seen = [frame.timestamp for frame in frames]
    np.testing.assert_allclose(seen, times, atol=1e-3 if suffix == ".mkv" else 2e-5)


def test_web_browsers_can_play_an_mp4_file(tmp_path):
    path = tmp_path / "v.mp4"
    record(path, [k / 25 for k in range(10)])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.color_range, stream.colorspace) == (1, 6)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays before it is complete


def test_odd_sizes_are_enlarged_by_one_pixel(tmp_path):
    frames = record(tmp_path / "v.mp4", [0, 0.04], size=(97, 65))
    assert frames[0].image.shape == (66, 98, 3)
    assert clips.number_in(frames[1].image) == 1


def test_frames_of_another_size_are_resized(tmp_path):
    path = str(tmp_path / "v.mp4")
    with VideoRecorder(path, 25) as recorder:
        recorder.write(clips.image(0), 0.0)
        recorder.write(clips.image(1, (192, 128)), 0.04)
    frames = clips.read_all(path)
    assert frames[1].image.shape == (64, 96, 3)
    assert clips.number_in(frames[1].image) == 1


def shown(path, times, fps):
    """Numbers of the frames of an AVI file, which has a constant frame rate."""
    return [clips.number_in(frame.image) for frame in record(path, times, fps=fps)]


def test_an_avi_file_repeats_frames_until_the_next_one_is_due(tmp_path):
    seen = shown(tmp_path / "v.avi", [0.0, 0.04, 0.2, 0.24], 25)
    assert seen == [0, 1, 1, 1, 1, 2, 3]


def test_an_avi_file_leaves_out_frames_that_are_too_many(tmp_path):
    slow = [k / 5 for k in range(15)]
    fast = [3 + k / 60 for k in range(120)]  # two seconds
    seen = shown(tmp_path / "v.avi", slow + fast, 12.5)
    assert len(seen) == pytest.approx(5 * 12.5, abs=3)
    first_fast = next(k for k, number in enumerate(seen) if number >= 15)
    assert first_fast == pytest.approx(37.5, abs=2)


def test_an_avi_file_cuts_long_gaps(tmp_path):
    times = [0, 0.1, 0.2, 60.2, 60.3, 60.8]  # a minute, then half a second
    assert len(shown(tmp_path / "v.avi", times, 10)) == 10


def sound_in(path):
    """Codec, start, end in seconds, and loudness of the sound of a file."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        name = stream.codec_context.name
        frames = list(container.decode(stream))
    samples = [np.abs(frame.to_ndarray().astype(float)).max() for frame in frames]
    last = frames[-1]
    return name, frames[0].time, last.time + last.samples / last.sample_rate, samples


def loud_times(path):
    """Times in seconds at which the sound of a file is loud."""
    with av.open(path) as container:
        return [
            frame.time
            for frame in container.decode(audio=0)
            if np.abs(frame.to_ndarray()).max() > 0.1
        ]


def copy(source_path, path):
    """Writes all frames of a video, and its sound."""
    with (
        open_video(str(source_path)) as source,
        VideoRecorder(path, 25, sound_of=source.info) as recorder,
    ):
        for frame in iter(source.read, None):
            recorder.write(frame.image, frame.timestamp)


SOUNDS = {
    "aac.mp4": "aac",
    "aac.ts": "aac",
    "mp3.avi": "libmp3lame",
    "mp3.mkv": "libmp3lame",
    "opus.mkv": "libopus",
    "pcm.mov": "pcm_s16le",
    "ac3.mkv": "ac3",
    "mp2.mpg": "mp2",
}


@pytest.fixture(scope="module")
def sounding(tmp_path_factory):
    """Videos of one second with a tone, in several codecs."""
    place = tmp_path_factory.mktemp("sound")
    images = [clips.image(number) for number in range(25)]
    for name, codec in SOUNDS.items():
        video = "mpeg2video" if name.endswith("mpg") else "libx264"
        clips.write(
            str(place / name),
            images,
            codec=video,
            sound_seconds=1.0,
            sound_codec=codec,
        )
    return place


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
@pytest.mark.parametrize("name", SOUNDS)
def test_the_sound_of_the_source_is_kept(sounding, tmp_path, name, suffix):
    source_path, path = str(sounding / name), str(tmp_path / f"v{suffix}")
    copy(source_path, path)
    codec, start, end, loudness = sound_in(path)
    assert start == pytest.approx(0, abs=0.06)
    assert end == pytest.approx(1, abs=0.1)
    assert np.median(loudness) > 0
    if (name, suffix) in {("mp3.avi", ".avi"), ("mp3.mkv", ".mp4")}:
        assert codec == "mp3float"  # copied
    playable = {"aac", "mp3", "mp3float", "opus", "flac"}
    assert suffix != ".mp4" or codec in playable
    frames = clips.read_all(path)
    assert [clips.number_in(frame.image) for frame in frames] == list(range(25))


def test_the_channels_of_the_sound_may_change(tmp_path):
    """A recording of television: stereo, then 5.1."""
    source_path, path = str(tmp_path / "tv.ts"), str(tmp_path / "v.mp4")
    times = np.arange(48000) / 48000
    tone = 0.3 * np.sin(2 * np.pi * 440 * times)
    packets = []
    for number, layout in enumerate(("stereo", "5.1")):
        encoder = av.CodecContext.create("ac3", "w")
        encoder.sample_rate, encoder.layout, encoder.format = 48000, layout, "fltp"
        samples = np.stack([tone] * encoder.layout.nb_channels).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(samples, "fltp", layout)
        sound.sample_rate, sound.pts = 48000, 0
        part = [
            packet
            for piece in av.AudioResampler("fltp", layout, 48000, 1536).resample(sound)
            for packet in encoder.encode(piece)
        ]
        for packet in part:
            packet.pts = packet.dts = packet.pts + 48000 * number
        packets += part
    with av.open(source_path, "w", format="mpegts") as container:
        video = container.add_stream("libx264", rate=25)
        video.height, video.width = clips.image(0).shape[:2]
        stream = container.add_stream("ac3", rate=48000, layout="stereo")
        for number in range(50):
            shown = av.VideoFrame.from_ndarray(clips.image(number))
            shown.pts, shown.time_base = number, fractions.Fraction(1, 25)
            container.mux(video.encode(shown))
        container.mux(video.encode(None))
        for packet in packets:
            packet.time_base = fractions.Fraction(1, 48000)
            packet.stream = stream
            container.mux(packet)
    copy(source_path, path)
    _, start, end, loudness = sound_in(path)
    assert start == pytest.approx(0, abs=0.06)
    assert end == pytest.approx(2, abs=0.1)
    assert min(loudness[5:-5]) > 0.05


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_the_sound_of_joined_recordings_stays_in_step(tmp_path, suffix):
    """The second recording begins at time 0 again; its tone begins after 0.5 s."""
    source_path, path = tmp_path / "joined.ts", str(tmp_path / f"v{suffix}")
    for number, starts in enumerate((2.0, 0.5)):
        part = str(tmp_path / f"{number}.ts")
        images = [clips.image(50 * number + k) for k in range(50)]
        clips.write(part, images, sound_seconds=2.0, sound_starts=starts)
        with open(source_path, "ab") as joined, open(part, "rb") as file:
            joined.write(file.read())
    copy(source_path, path)
    loud = loud_times(path)
    assert loud[0] == pytest.approx(2.5, abs=0.12)
    assert loud[-1] == pytest.approx(4.0, abs=0.12)


def test_sound_and_image_stay_in_step_when_the_video_starts_later(tmp_path):
    """The source's first frame is half a second after the start of its sound."""
    source_path, path = str(tmp_path / "late.mkv"), str(tmp_path / "v.mp4")
    clips.write(
        source_path,
        [clips.image(number) for number in range(25)],
        ticks=[500 + 40 * number for number in range(25)],
        tick=fractions.Fraction(1, 1000),
        sound_seconds=1.5,
        sound_starts=0.8,
    )
    with open_video(source_path) as source:
        assert source.info.start == pytest.approx(0.5, abs=0.01)
        with VideoRecorder(path, 25, sound_of=source.info) as recorder:
            for frame in iter(source.read, None):
                recorder.write(frame.image, frame.timestamp)
    loud = loud_times(path)
    assert loud[0] == pytest.approx(0.3, abs=0.05)  # 0.8 - 0.5


def test_a_source_without_sound_gives_a_file_without_sound(tmp_path):
    source_path = clips.write(str(tmp_path / "s.mp4"), [clips.image(0)] * 3)
    with open_video(source_path) as source:
        path = str(tmp_path / "v.mp4")
        with VideoRecorder(path, 25, sound_of=source.info) as recorder:
            recorder.write(clips.image(0), 0.0)
    with av.open(path) as container:
        assert not container.streams.audio


def test_damaged_sound_does_not_stop_the_video(sounding, tmp_path):
    data = bytearray((sounding / "mp3.mkv").read_bytes())
    for place in np.random.default_rng(0).integers(3000, len(data), 200):
        data[place] ^= 255
    (tmp_path / "damaged.mkv").write_bytes(data)
    with open_video(str(sounding / "mp3.mkv")) as source:
        info = source.info
    info = type(info)(str(tmp_path / "damaged.mkv"), info.size, 25, 50)
    for suffix in (".mp4", ".avi"):
        frames = record(
            tmp_path / f"v{suffix}", [k / 25 for k in range(25)], sound_of=info
        )
        assert len(frames) == 25


def test_nothing_is_left_when_recording_fails_or_nothing_is_recorded(tmp_path):
    def fail():
        with VideoRecorder(str(tmp_path / "v.mp4"), 25) as recorder:
            recorder.write(np.zeros((32, 48, 3), np.uint8), 0.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with VideoRecorder(str(tmp_path / "v.mp4"), 25):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize("frames", [3, 60])
def test_a_full_disk_is_reported_in_one_line(tmp_path, suffix, frames):
    path = str(tmp_path / f"v{suffix}")
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)

    def write():
        with VideoRecorder(path, 25) as recorder:
            for number in range(frames):
                recorder.write(np.roll(noise, 9 * number, axis=0), number / 25)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
    try:
        with pytest.raises(EthosError, match=rf"v\{suffix}: .*\(File too large\)"):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


def test_places_that_cannot_be_written_are_named_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EthosError, match=r"v\.mp4: cannot be written"):
        VideoRecorder(str(tmp_path / "file" / "v.mp4"), 25)
    with pytest.raises(EthosError, match=r"v\.exe: the suffix of a video must be"):
        VideoRecorder(str(tmp_path / "v.exe"), 25)


def test_names_that_are_not_utf8(tmp_path):
    name = b"caf\xe9 12:30.mp4".decode("utf-8", "surrogateescape")
    frames = record(tmp_path / name, [0, 0.04])
    assert len(frames) == 2
