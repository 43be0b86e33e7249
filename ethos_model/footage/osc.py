"""Sends the faces of each frame as an OSC bundle over UDP.

Open Sound Control (OSC 1.0) is understood by programs for sound, light and animation,
for example Max, Pure Data, TouchDesigner and Blender. The package python-osc is needed
only when a sender is created: `pip install 'ethos-faces[osc]'`.
"""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import socket
import sys
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_model.footage.measures import FaceMeasures
from ethos_model.footage.tracks import TrackedFace

FRAME_ADDRESS: Final = "/ethos/frame"
FACE_ADDRESS: Final = "/ethos/face/{id}"

FRAME_ARGUMENTS: Final = (
    "number of the frame (int), time in s, width and height in pixels (int), number of "
    "faces (int)"
)
"""Arguments of `FRAME_ADDRESS`, the first message of each bundle."""


@dataclasses.dataclass(frozen=True)
class Message:
    """One message about a face.

    Attributes:
      name: Last part of the address.
      arguments: What the arguments are, in Markdown. They are floats if no type is
        given.
      values: Returns the arguments.
      is_long: Whether the message is left out if the bundle does not fit into a
        datagram.
    """

    name: str
    arguments: str
    values: Callable[[TrackedFace], Iterable[Any]]
    is_long: bool = False


def _measures(
    values: Callable[[FaceMeasures], Iterable[float]],
) -> Callable[[TrackedFace], Iterable[float]]:
    """Values of the measures. A face that was not measured has no values."""
    return lambda face: () if face.measures is None else values(face.measures)


MESSAGES: Final = (
    Message(
        "state",
        "confidence of the detector, 0 to 1; whether it may not be a face, 0 or 1 "
        "(int)",
        lambda face: (float(face.score), int(face.unsure)),
    ),
    Message(
        "box",
        "left, top, right and bottom of the 68 landmarks, in pixels",
        lambda face: face.box,
    ),
    Message(
        "quality",
        "probability that the mean error of the landmarks is at most 3 % of the face "
        "size",
        _measures(lambda m: (m.quality,)),
    ),
    Message(
        "pose",
        "yaw, pitch and roll, and one standard deviation of each, in degrees",
        _measures(
            lambda m: (
                *(m.pose.yaw, m.pose.pitch, m.pose.roll),
                *(m.pose.yaw_sigma, m.pose.pitch_sigma, m.pose.roll_sigma),
            )
        ),
    ),
    Message(
        "position",
        "x, y and z of the head relative to the camera, in mm",
        _measures(lambda m: m.pose.position),
    ),
    Message(
        "openness",
        "openness of the right eye, the left eye and the mouth, 0 to 1, and one "
        "standard deviation of each",
        _measures(
            lambda m: (
                *(m.openness.right_eye, m.openness.left_eye, m.openness.mouth),
                *(m.openness.right_eye_sigma, m.openness.left_eye_sigma),
                m.openness.mouth_sigma,
            )
        ),
    ),
    Message(
        "landmarks",
        "x, y and z of landmark 0, of landmark 1, and so on: 204 values in pixels",
        lambda face: face.face.landmarks.ravel(),
        is_long=True,
    ),
    Message(
        "sigma",
        "one standard deviation of each landmark: 68 values in pixels",
        lambda face: face.face.uncertainty,
        is_long=True,
    ),
)
"""The messages about each face, after the message about the frame."""


class OscSender:
    """Sends bundles to one address.

    Example:
      with OscSender("udp://127.0.0.1:9000") as sender:
          sender.send(frame.index, frame.timestamp, frame.image, people)
    """

    def __init__(self, url: str) -> None:
        """Looks up the address.

        Args:
          url: "udp://HOST:PORT".

        Raises:
          EthosError: The URL is not valid, or the host is unknown.
          ModuleNotFoundError: python-osc is not installed.
        """
        host, port = check_url(url)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            self._socket = socket.socket(family, kind, protocol)
        except OSError as error:
            raise EthosError(f"{url}: {error.strerror or error}") from None
        self._socket.setblocking(False)
        self._url, self._address = url, address
        self._has_failed = False

    def send(
        self,
        index: int,
        timestamp: float,
        image: np.ndarray,
        faces: Sequence[TrackedFace],
    ) -> None:
        """Sends the bundle of a frame.

        A bundle that cannot be sent is dropped. The first time, a warning is printed.

        Args:
          index: Number of the frame, from 0.
          timestamp: Seconds since the first frame.
          image: (H, W, 3), the frame.
          faces: The faces in it.
        """
        height, width = image.shape[:2]
        frame = (int(index), float(timestamp), width, height, len(faces))
        for messages in (MESSAGES, [m for m in MESSAGES if not m.is_long]):
            try:
                self._socket.sendto(_bundle(frame, faces, messages), self._address)
                return
            except BlockingIOError:  # the network is slower than the video
                return
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    self._warn(error)
                    return

    def _warn(self, error: OSError) -> None:
        if not self._has_failed:
            self._has_failed = True
            reason = error.strerror or error
            print(f"warning: {self._url}: cannot be sent ({reason})", file=sys.stderr)

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def __enter__(self) -> OscSender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_url(url: str) -> tuple[str, int]:
    """Checks that bundles can be sent, before anything slow begins.

    Args:
      url: "udp://HOST:PORT".

    Returns:
      Host and port.

    Raises:
      EthosError: The URL is not valid.
      ModuleNotFoundError: python-osc is not installed.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # the port is not a number
        host = port = None
    if not host or not port or parts.scheme != "udp" or parts.path not in ("", "/"):
        raise EthosError(f"{url}: must be udp://HOST:PORT, for example udp://host:9000")
    if importlib.util.find_spec("pythonosc") is None:
        raise ModuleNotFoundError(name="pythonosc")
    return host, port


def _bundle(
    frame: tuple[int, float, int, int, int],
    faces: Sequence[TrackedFace],
    messages: Sequence[Message],
) -> bytes:
    """The datagram of a frame."""
    from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder

    builder = OscBundleBuilder(IMMEDIATELY)
    builder.add_content(_message(FRAME_ADDRESS, frame))
    for face in faces:
        prefix = FACE_ADDRESS.format(id=face.id)
        for message in messages:
            if values := list(message.values(face)):
                builder.add_content(_message(f"{prefix}/{message.name}", values))
    return builder.build().dgram


def _message(address: str, values: Iterable[Any]) -> Any:
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for value in values:
        if isinstance(value, int):
            builder.add_arg(value, OscMessageBuilder.ARG_TYPE_INT)
        else:
            builder.add_arg(float(value), OscMessageBuilder.ARG_TYPE_FLOAT)
    return builder.build()
