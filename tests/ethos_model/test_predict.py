"""Compares the predictor's processing of the outputs with plain numpy."""

from __future__ import annotations

import json
from concurrent import futures

import numpy as np
import pytest

from ethos_data import crop, topology
from ethos_model import predict
from tests.ethos_model.footage.world import box_at, face_of

SIZE = 48


def outputs_of(count: int) -> dict[str, np.ndarray]:
    """Outputs for some faces. The depth is a plane, so a shift changes it evenly."""
    rng = np.random.default_rng(5)
    at = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
    slope = np.float32([0.4, -0.2, 0.1])[:count, None, None]
    depth = slope * at + 0.3 * at[:, None]
    return {
        "landmarks": rng.uniform(0.2, 0.8, (count, 68, 3)).astype(np.float32),
        "uncertainty": rng.uniform(0.01, 0.1, (count, 68)).astype(np.float32),
        "depth": depth[..., None],
        "restored": rng.random((count, SIZE, SIZE, 1), np.float32),
    }


def test_without_an_offset_nothing_changes():
    outputs = outputs_of(2)
    moved = predict.without_label_shift(outputs, 0)
    assert all(moved[name] is value for name, value in outputs.items())


@pytest.mark.parametrize("shift", [1.5, -4.0])
def test_landmarks_and_depth_are_shifted_by_a_fraction_of_the_face(shift):
    outputs = outputs_of(3)
    before = {name: value.copy() for name, value in outputs.items()}
    moved = predict.without_label_shift(outputs, shift)
    extent = np.ptp(outputs["landmarks"][..., :2], axis=1)
    part = shift / 100 * np.sqrt(extent[:, 0] * extent[:, 1])
    wanted = before["landmarks"].astype(np.float64)
    wanted[..., 0] -= part[:, None]
    np.testing.assert_allclose(moved["landmarks"], wanted, atol=1e-6)
    # A plane that moves to the left rises by its slope. OpenCV's weights have 5 bits.
    inside = slice(4, -4)
    higher = (moved["depth"] - before["depth"])[:, inside, inside, 0]
    steepness = np.array([0.4, -0.2, 0.1])
    rounding = np.abs(steepness).max() / SIZE / 32
    np.testing.assert_allclose(
        higher,
        np.broadcast_to((steepness * part)[:, None, None], higher.shape),
        atol=rounding,
    )
    for name, value in before.items():
        np.testing.assert_array_equal(
            outputs[name], value
        )  # the argument is not changed
    for name in ("uncertainty", "restored"):
        np.testing.assert_array_equal(moved[name], before[name])


def test_the_predictor_removes_the_label_offset(tmp_path, monkeypatch):
    outputs = outputs_of(1)
    outputs["landmarks"][:, 48:, 1] += 0.5  # the mouth is below, the face upright
    monkeypatch.setattr(
        predict, "load_network", lambda folder, backend: ("litert", lambda _: outputs)
    )
    card = {
        "format_version": 1,
        "image_size": SIZE,
        "network_context": crop.NETWORK_CONTEXT,
    }
    frame = np.zeros((200, 200, 3), np.uint8)

    def face(**more):
        (tmp_path / "ethos_model.json").write_text(json.dumps(card | more))
        predictor = predict.FacePredictor(str(tmp_path))
        return predictor.predict(frame, [(50, 60, 130, 150)])[0]

    plain, back = face(), face(label_shift=1.5)
    size = topology.face_size(topology.face_box(plain.landmarks))
    difference = plain.landmarks - back.landmarks
    np.testing.assert_allclose(difference[:, 0], 0.015 * size, atol=1e-3)
    np.testing.assert_array_equal(difference[:, 1:], 0)
    assert (plain.depth != back.depth).any()
    np.testing.assert_array_equal(plain.restored, back.restored)


def test_several_threads_can_use_one_predictor():
    predictor = predict.FacePredictor(backend="litert")
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (6, 64, 64, 3), np.uint8)
    box = np.array([16.0, 16.0, 48.0, 48.0])

    def landmarks(frame):
        (face,) = predictor.predict(frame, [box])
        return face.landmarks

    expected = [landmarks(frame) for frame in frames]
    with futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(landmarks, np.tile(frames, (5, 1, 1, 1))))
    np.testing.assert_array_equal(found, np.tile(expected, (5, 1, 1)))


def test_the_relative_uncertainty_does_not_depend_on_the_size_of_the_face():
    for size in (20.0, 200.0):
        face = face_of(1, box_at(30, 40, size), 0.03)
        assert face.relative_uncertainty == pytest.approx(0.03, rel=1e-3)
