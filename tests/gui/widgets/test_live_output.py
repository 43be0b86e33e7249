"""ethos-view --send."""

import socket

from pythonosc.osc_bundle import OscBundle


def test_each_processed_frame_is_sent(start, clip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        url = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
        drive = start(clip, paused=True, send=url)
        drive.ready()
        sent = {}

        def has_sent(index):
            try:
                while True:
                    frame, *faces = OscBundle(receiver.recv(65536))
                    sent[frame.params[0]] = [message.address for message in faces]
            except BlockingIOError:
                return index in sent

        drive.viewer.player.seek(20)
        drive.until(lambda: has_sent(20))
        assert "/ethos/face/1/landmarks" in sent[20]
        drive.viewer.player.seek(55)  # without a face
        drive.until(lambda: has_sent(55))
        assert sent[55] == []
