"""Network streams: reading, interruptions, timestamps, and files on a server."""

import pathlib
import socket
import time

import numpy as np
import pytest

from ethos_model.footage.reader import VideoError, open_video
from tests.ethos_model.footage import clips, servers

LIMIT = 9
"""Maximum time in seconds on a busy machine. It is less than any default."""


def test_an_interrupted_tcp_stream_is_opened_again():
    parts = [servers.transport_stream(0, 40), servers.transport_stream(100, 30)]
    with (
        servers.tcp_server(parts, pause=0.4) as url,
        open_video(url, reconnect_seconds=3) as source,
    ):
        assert source.info.live
        assert source.info.size == clips.SIZE
        assert source.info.frame_count is None
        frames = list(iter(source.read, None))
        damage = source.damage
    numbers = [clips.number_in(frame.image) for frame in frames]
    assert numbers == [*range(40), *range(100, 130)]
    assert [frame.index for frame in frames] == list(range(70))
    steps = np.diff([frame.timestamp for frame in frames])
    np.testing.assert_allclose(np.delete(steps, 39), 0.04, atol=1e-3)
    assert 0.3 < steps[39] < LIMIT  # the interruption
    assert damage.errors == 1
    assert 0.3 < damage.missing_seconds < LIMIT


def test_a_stream_that_ends_is_given_up_after_the_stated_time():
    with (
        servers.tcp_server([servers.transport_stream(0, 20)]) as url,
        open_video(url, reconnect_seconds=1) as source,
    ):
        assert len(list(iter(source.read, None))) == 20
        started = time.monotonic()
        assert source.read() is None
        assert time.monotonic() - started < LIMIT
        assert source.damage is None


def test_http_streams_are_live_and_http_files_can_be_searched(tmp_path):
    path = clips.write(
        str(tmp_path / "v.mp4"),
        [clips.image(number) for number in range(30)],
        options={"g": "10"},
        muxer_options={"movflags": "faststart"},
    )
    content = {
        "/file.mp4": [pathlib.Path(path).read_bytes()],
        "/live": [servers.transport_stream(0, 20), servers.transport_stream(50, 20)],
    }
    with servers.http_server(content) as url:
        with open_video(f"{url}/file.mp4") as source:
            assert not source.info.live
            assert source.info.frame_count == 30
            for index in (25, 3, 14):
                source.seek(index)
                assert clips.number_in(source.read().image) == index
        with open_video(f"{url}/live", reconnect_seconds=1) as source:
            assert source.info.live
            frames = list(iter(source.read, None))
            numbers = [clips.number_in(frame.image) for frame in frames]
            assert numbers == [*range(20), *range(50, 70)]
        with pytest.raises(VideoError, match=r"/missing: .*404"):
            open_video(f"{url}/missing")


def test_udp_streams():
    port = servers.free_port()
    target = f"udp://127.0.0.1:{port}?pkt_size=1316"
    with (
        servers.sender(target, "mpegts", pause_at=60, pause=1.0),
        open_video(f"udp://127.0.0.1:{port}", reconnect_seconds=5) as source,
    ):
        frames = [source.read() for _ in range(80)]
        numbers = [clips.number_in(frame.image) for frame in frames]
    steps = servers.differences(numbers)
    assert np.median(steps) == 1
    assert (steps >= 1).all()
    assert (np.diff([frame.timestamp for frame in frames]) >= 0).all()


def test_an_interrupted_rtsp_stream_is_opened_again():
    server = servers.RtspServer()
    url = f"rtsp://127.0.0.1:{server.port}/live"
    target = f"rtp://127.0.0.1:{server.rtp_port}?pkt_size=1200"
    with (
        servers.sender(target, "rtp"),
        open_video(url, reconnect_seconds=5) as source,
    ):
        assert source.info.live
        first = [source.read() for _ in range(20)]
        connections = server.connections
        server.interrupt()
        second = [source.read() for _ in range(60)]
    server.close()
    assert server.connections == connections + 1
    times = [frame.timestamp for frame in (*first, *second)]
    assert (np.diff(times) >= 0).all()
    numbers = [clips.number_in(frame.image) for frame in first]
    assert (servers.differences(numbers) == 1).all()
    numbers = [clips.number_in(frame.image) for frame in second[-20:]]
    assert (servers.differences(numbers) == 1).all()
    assert source.damage.errors >= 1


class FakeCapture:
    """Replaces cv2.VideoCapture: a camera that delivers three images."""

    def __init__(self, number):
        self.left = 3 if number == 0 else 0
        self.released = False

    def read(self):
        if not self.grab():
            return False, None
        return True, np.full((48, 64, 3), (10, 20, 30), np.uint8)

    def grab(self):
        self.left -= 1
        return self.left >= 0

    def get(self, _):
        return 30.0

    def release(self):
        self.released = True


@pytest.mark.parametrize("spec", ["camera:0", "camera0", "0", "/dev/video0"])
def test_a_camera_is_live(monkeypatch, spec):
    monkeypatch.setattr("cv2.VideoCapture", FakeCapture)
    with open_video(spec) as source:
        assert source.info.live
        assert source.info.size == (64, 48)
        assert source.info.fps == 30
        frame = source.read()
        assert frame.image[0, 0].tolist() == [30, 20, 10]
        assert frame.index == 0
        source.seek(0)
        assert source.read().timestamp >= frame.timestamp
        assert source.skip()
        assert source.position == 3
        assert source.read() is None


def test_a_missing_camera_is_named(monkeypatch):
    monkeypatch.setattr("cv2.VideoCapture", FakeCapture)
    with pytest.raises(VideoError, match="camera 7: no such camera"):
        open_video("camera:7")


def test_an_address_without_a_server_is_named():
    url = f"tcp://127.0.0.1:{servers.free_port()}"
    started = time.monotonic()
    with pytest.raises(VideoError, match="connection refused"):
        open_video(url)
    assert time.monotonic() - started < LIMIT


def test_a_silent_server_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(VideoError, match=url):
            open_video(url, reconnect_seconds=1)
        assert time.monotonic() - started < LIMIT


def test_interlaced_streams_have_the_timestamps_of_files(tmp_path):
    path = clips.write(
        str(tmp_path / "v.ts"),
        [clips.image(number) for number in range(12)],
        codec="mpeg2video",
        options={"g": "6"},
        muxer="mpegts",
        prepare=clips.interlace_mpeg2,
    )
    content = pathlib.Path(path).read_bytes()
    with servers.tcp_server([content]) as url, open_video(url) as source:
        times = [source.read().timestamp for _ in range(10)]
    np.testing.assert_allclose(times, np.arange(10) / 25, atol=1e-3)
