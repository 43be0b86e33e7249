"""The live output, received on loopback."""

import dataclasses
import importlib.util
import socket

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle

from ethos_data.errors import EthosError
from ethos_model.footage.osc import MESSAGES, OscSender
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.tracks import measured
from tests.gui import fakes

IMAGE = np.full((160, 240, 3), (40, 60, 90), np.uint8)


@pytest.fixture
def receiver():
    """A UDP socket on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        yield receiver


@pytest.fixture
def sender(receiver):
    with OscSender(f"udp://127.0.0.1:{receiver.getsockname()[1]}") as sender:
        yield sender


@pytest.fixture
def faces():
    image = IMAGE.copy()
    for x in (20, 130):
        fakes.draw_face(image, (x, 30, x + 60, 110))
    tracker = FaceTracker(fakes.FakePredictor(), fakes.FakeFinder())
    return [measured(image, face) for face in tracker.update(image, 0.0)]


def received(receiver):
    """The messages of the next bundle: arguments by address."""
    bundle = OscBundle(receiver.recv(65536))
    return {message.address: message.params for message in bundle}


def test_a_bundle_contains_all_faces_of_a_frame(receiver, sender, faces):
    sender.send(7, 0.28, IMAGE, faces)
    messages = received(receiver)
    assert messages["/ethos/frame"] == [7, pytest.approx(0.28), 240, 160, 2]
    assert len(messages) == 1 + 2 * len(MESSAGES)
    for face in faces:
        prefix = f"/ethos/face/{face.id}"
        assert messages[f"{prefix}/state"] == [pytest.approx(0.99), 0]
        np.testing.assert_allclose(messages[f"{prefix}/box"], face.box)
        pose = face.measures.pose
        assert messages[f"{prefix}/pose"][:3] == pytest.approx(
            [pose.yaw, pose.pitch, pose.roll], rel=1e-5
        )
        landmarks = np.reshape(messages[f"{prefix}/landmarks"], (68, 3))
        np.testing.assert_array_equal(landmarks, face.face.landmarks)
        np.testing.assert_array_equal(
            messages[f"{prefix}/sigma"], face.face.uncertainty
        )


def test_a_face_that_was_not_measured_has_no_pose(receiver, sender, faces):
    sender.send(0, 0.0, IMAGE, [dataclasses.replace(faces[0], measures=None)])
    messages = received(receiver)
    assert "/ethos/face/1/landmarks" in messages
    assert "/ethos/face/1/pose" not in messages


def test_a_frame_without_faces_is_sent(receiver, sender):
    sender.send(0, 0.0, IMAGE, [])
    assert received(receiver) == {"/ethos/frame": [0, 0.0, 240, 160, 0]}


def test_a_crowd_is_sent_without_landmarks(receiver, sender, faces):
    sender.send(0, 0.0, IMAGE, faces * 40)
    messages = received(receiver)
    assert messages["/ethos/frame"][-1] == 80
    assert {address.rsplit("/", 1)[1] for address in messages} == {
        "frame",
        *(message.name for message in MESSAGES if not message.is_long),
    }


def test_frames_that_nobody_receives_are_dropped(receiver, sender, faces):
    receiver.close()
    for index in range(20):
        sender.send(index, index / 25, IMAGE, faces)


def test_an_unreachable_network_is_reported_once(sender, monkeypatch, capsys):
    class Unreachable:
        def sendto(self, *_):
            raise OSError(101, "Network is unreachable")

        def close(self):
            pass

    monkeypatch.setattr(sender, "_socket", Unreachable())
    for _ in range(3):
        sender.send(0, 0.0, IMAGE, [])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("cannot be sent (Network is unreachable)")


@pytest.mark.parametrize(
    "url",
    ["host:9000", "udp://host", "udp://host:port", "tcp://host:1", "udp://:9", "udp:"],
)
def test_rejects_an_address_that_is_not_udp(url):
    with pytest.raises(EthosError, match="must be udp://HOST:PORT"):
        OscSender(url)


def test_an_unknown_host_is_named():
    with pytest.raises(EthosError, match=r"^udp://host\.invalid:9000: "):
        OscSender("udp://host.invalid:9000")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError) as raised:
        OscSender("udp://127.0.0.1:9000")
    assert raised.value.name == "pythonosc"
