"""Servers on the loopback interface that send video streams to the reader."""

from __future__ import annotations

import contextlib
import http.server
import io
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from tests.ethos_model.footage import clips


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of this computer that nobody uses."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def transport_stream(first: int, count: int) -> bytes:
    """An MPEG transport stream that shows the numbers from `first` on."""
    file = io.BytesIO()
    images = [clips.image(number) for number in range(first, first + count)]
    clips.write(
        file,  # type: ignore[arg-type]
        images,
        muxer="mpegts",
        options={"g": "5", "tune": "zerolatency"},
    )
    return file.getvalue()


@contextlib.contextmanager
def tcp_server(parts: list[bytes], pause: float = 0.0) -> Iterator[str]:
    """Sends the first part to the first client, the second part to the second, ...

    Between two clients, the port is closed for `pause` seconds.
    """
    first = socket.create_server(("127.0.0.1", 0))
    port = first.getsockname()[1]

    def serve() -> None:
        for number, part in enumerate(parts):
            with (
                socket.create_server(("127.0.0.1", port)) if number else first
            ) as server:
                server.settimeout(10)
                client, _ = server.accept()
            with client:
                client.sendall(part)
            time.sleep(pause)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"tcp://127.0.0.1:{port}"
    thread.join(timeout=10)


@contextlib.contextmanager
def http_server(content: dict[str, list[bytes]]) -> Iterator[str]:
    """Serves files (one part) and streams (several parts, one for each request)."""
    requests: dict[str, int] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = content.get(self.path, [])
            number = requests.get(self.path, 0)
            requests[self.path] = number + 1
            if len(parts) > 1 and number < len(parts):
                self.send_response(200)
                self.send_header("Content-Type", "video/mp2t")
                self.end_headers()
                self.wfile.write(parts[number])
            elif len(parts) == 1:
                self._send_file(parts[0])
            else:
                self.send_error(404)

        def _send_file(self, data: bytes) -> None:
            wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(wanted[1]) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(data) - start))
            if wanted:
                span = f"bytes {start}-{len(data) - 1}/{len(data)}"
                self.send_header("Content-Range", span)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data[start:])

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()


@contextlib.contextmanager
def sender(
    url: str, muxer: str, rate: int = 50, pause_at: int = 0, pause: float = 0.0
) -> Iterator[None]:
    """Encodes numbered frames in real time and sends them to a URL until the end.

    Args:
      url: Where to send the stream.
      muxer: Format of the stream in FFmpeg.
      rate: Frames per second.
      pause_at: Number of the frame before which nothing is sent for a while.
      pause: Length of this interruption, in seconds.
    """
    stop = threading.Event()

    def send() -> None:
        with av.open(url, "w", format=muxer) as container:
            options = {"g": "5", "tune": "zerolatency"}
            stream: Any = container.add_stream("libx264", rate=rate, options=options)
            stream.width, stream.height = clips.SIZE
            stream.pix_fmt = "yuv420p"
            number = 0
            while not stop.wait(1 / rate):
                if pause and number == pause_at:
                    time.sleep(pause)
                pixels = clips.image(number % 256)
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
                number += 1

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


DESCRIPTION = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=test
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=control:track0
""".replace("\n", "\r\n")


class RtspServer:
    """A minimal RTSP 1.0 server (RFC 2326) that sends RTP over its TCP connection.

    It forwards RTP packets that arrive on `rtp_port`.
    """

    def __init__(self) -> None:
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind(("127.0.0.1", 0))
        self._rtp.settimeout(0.1)
        self.rtp_port: int = self._rtp.getsockname()[1]
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.connections = 0
        self._client: socket.socket | None = None
        self._playing = self._closed = False
        self._threads = [
            threading.Thread(target=target, daemon=True)
            for target in (self._accept, self._forward)
        ]
        for thread in self._threads:
            thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._client = client
            with contextlib.suppress(OSError):
                self._answer(client)
            self._playing = False

    def _answer(self, client: socket.socket) -> None:
        data = b""
        while chunk := client.recv(4096):
            data += chunk
            while b"\r\n\r\n" in data:
                request, data = data.split(b"\r\n\r\n", 1)
                client.sendall(self._response(request.decode("latin-1")))
                self._playing |= request.startswith(b"PLAY")

    def _response(self, request: str) -> bytes:
        method, url = request.split(" ")[:2]
        number = re.search(r"CSeq: *(\d+)", request)
        lines = ["RTSP/1.0 200 OK", f"CSeq: {number[1] if number else 0}"]
        body = ""
        if method == "OPTIONS":
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = DESCRIPTION
            lines += [f"Content-Base: {url}/", "Content-Type: application/sdp"]
            lines.append(f"Content-Length: {len(body)}")
        elif method == "SETUP":
            lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            lines.append("Session: 1")
        else:
            lines.append("Session: 1")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def _forward(self) -> None:
        while not self._closed:
            try:
                packet = self._rtp.recv(65536)
            except (TimeoutError, OSError):
                continue
            if self._playing and self._client is not None:
                head = b"$\0" + len(packet).to_bytes(2, "big")
                with contextlib.suppress(OSError):
                    self._client.sendall(head + packet)

    def interrupt(self) -> None:
        """Closes the connection to the client."""
        self._playing = False
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)
            self._client.close()

    def close(self) -> None:
        self._closed = True
        self.interrupt()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._rtp.close()


def differences(numbers: list[int]) -> np.ndarray:
    """Steps between frame numbers that start again after 255."""
    return np.diff(numbers) % 256
