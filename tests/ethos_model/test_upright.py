"""Turned faces, compared with OpenCV, numpy and a frame that is turned beforehand."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest

from ethos_data import crop, topology
from ethos_model import predict, upright
from tests.gui import fakes

SIDE = 160
CENTER = np.array([82.0, 76.0])
CONTEXT = crop.NETWORK_CONTEXT


def turn(points: np.ndarray, degrees: float) -> np.ndarray:
    """Turns x and y around `CENTER` from x towards y."""
    angle = math.radians(degrees)
    numbers = (points[:, 0] - CENTER[0] + 1j * (points[:, 1] - CENTER[1])) * (
        math.cos(angle) + 1j * math.sin(angle)
    )
    result = np.array(points, np.float64)
    result[:, :2] = np.stack([numbers.real, numbers.imag], -1) + CENTER
    return result


def face(degrees: float) -> np.ndarray:
    """A face of 60 x 72 pixels around `CENTER`, float64 (68, 3)."""
    landmarks = fakes.template() * (60, 72, 60)
    box = topology.face_box(landmarks)
    landmarks[:, :2] += CENTER - (box[:2] + box[2:]) / 2
    return turn(landmarks, degrees)


@pytest.mark.parametrize("degrees", [0, 25, -70, 90, 135, 180, -135])
def test_the_angle_is_that_by_which_a_face_was_turned(degrees):
    start = upright.angle_of(face(0))
    found = math.degrees(upright.angle_of(face(degrees)) - start)
    assert (found - degrees + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("degrees", [0, 30, -35])
def test_a_nearly_upright_face_has_no_turned_window(degrees):
    assert upright.turned_window(face(degrees), CONTEXT) is None


@pytest.mark.parametrize("degrees", [60, 90, 180, -120])
def test_the_window_shows_the_upright_face(degrees):
    """Positions and pixels, compared with cv2.warpAffine of the whole frame."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3)).astype(np.uint8)
    frame = cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    window = upright.turned_window(face(degrees), CONTEXT)
    assert window is not None
    box = topology.face_box(face(0))
    longer = (box[2:] - box[:2]).max()
    assert window.size == pytest.approx(CONTEXT * longer, rel=0.02)

    inside = np.random.default_rng(2).uniform(0, 1, (20, 3))
    places = window.to_source(inside)
    angle = window.angle
    axes = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    back = np.linalg.solve(axes, (places[:, :2] - window.center).T).T
    np.testing.assert_allclose(back / window.size + 0.5, inside[:, :2], atol=1e-9)
    np.testing.assert_allclose(places[:, 2], window.size * inside[:, 2])

    size = 64
    image = window.image(frame, size).astype(float)
    at = (np.arange(size) + 0.5) / size
    grid = np.stack([*np.meshgrid(at, at), np.zeros((size, size))], -1).reshape(-1, 3)
    x, y = window.to_source(grid)[:, :2].astype(np.float32).T.reshape(2, size, size)
    expected = cv2.remap(frame, x, y, cv2.INTER_LINEAR).astype(float)
    assert np.abs(image - expected).mean() < 3  # areas instead of points


def test_a_map_is_turned_back_into_the_window_of_the_face():
    window = upright.turned_window(face(90), CONTEXT)
    assert window is not None
    side = 48
    at = (np.arange(side) + 0.5) / side
    plane = (0.3 * at + 0.7 * at[:, None]).astype(np.float32)
    straight = crop.window_around(topology.face_box(face(90)), CONTEXT)
    moved = window.map_in(straight, plane)
    for column, row in ((10, 30), (24, 24), (35, 12)):
        place = straight.to_source(np.array([[at[column], at[row]]]))[0]
        x, y = (place - window.center) @ window.axes / window.size + 0.5
        assert moved[row, column] == pytest.approx(0.3 * x + 0.7 * y, abs=0.01)


class Reader:
    """A network that sees the landmarks that a frame shows as bright pixels.

    Upside down it is inexact, as a real network is.
    """

    def __init__(self, upright_points: np.ndarray):
        self.points = upright_points
        self.calls = 0

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.calls += 1
        count, side = len(images), images.shape[1]
        landmarks = np.zeros((count, 68, 3), np.float32)
        for k, image in enumerate(images):
            # The brightest half tells whether the face is upside down.
            is_upright = image[: side // 2].mean() > image[side // 2 :].mean()
            points = self.points.copy()
            if not is_upright:
                points[:, :2] = 1 - points[:, :2]
                points[36:42, 0] += 0.04  # the eyes, towards each other
                points[42:48, 0] -= 0.04
            landmarks[k] = points
        return {
            "landmarks": landmarks,
            "uncertainty": np.full((count, 68), 0.02, np.float32),
            "visible": np.full((count, 68), 0.9, np.float32),
            "depth": np.zeros((count, 8, 8, 1), np.float32),
            "restored": np.zeros((count, 8, 8, 1), np.float32),
        }


def test_an_upside_down_face_is_predicted_again(tmp_path, monkeypatch):
    card = {"format_version": 1, "image_size": 32, "network_context": CONTEXT}
    (tmp_path / predict.CARD).write_text(json.dumps(card))
    true = face(180)
    box = topology.face_box(true)
    window = crop.window_around(box, CONTEXT)
    points = window.to_normalized(turn(true, 180)).astype(np.float32)
    points[:, 2] = 0
    reader = Reader(points)
    monkeypatch.setattr(predict, "load_network", lambda *_: ("litert", reader))
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    frame[int(CENTER[1]) :] = 200  # the top of the face is below
    found = predict.FacePredictor(str(tmp_path)).predict(frame, [box])[0]
    assert reader.calls == 2
    error = np.abs(found.landmarks[:, :2] - true[:, :2]).max()
    assert error < 2  # the first look was wrong by 4 pixels
    assert topology.iou(topology.face_box(found.landmarks), box) > 0.9
    assert found.window == crop.window_around(
        topology.face_box(found.landmarks), CONTEXT
    )
    assert found.visible is not None
    frame = frame[::-1].copy()  # the same face upright
    assert reader.calls == 2
    predict.FacePredictor(str(tmp_path)).predict(frame, [box])
    assert reader.calls == 3
