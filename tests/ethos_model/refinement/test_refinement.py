"""Batches and training of a refinement, with the tiny network."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ethos_data import crop, depth_codec, records, topology
from ethos_data.errors import EthosError
from ethos_model.predict import Face
from ethos_model.refinement import batches, start, teacher
from ethos_model.refinement.recipe import Recipe
from tests.ethos_model import tiny

SHIFT = 1.5


def record(seed: int, **changes) -> records.Record:
    """A record with random pixels and the landmarks of `tiny.face`."""
    rng = np.random.default_rng(seed)
    landmarks = tiny.face(rng)
    extent = np.ptp(landmarks[:, :2], axis=0) * 80
    made = records.Record(
        image=rng.integers(0, 256, (80, 80, 3), dtype=np.uint8),
        landmarks=landmarks,
        depth=np.full((records.DEPTH_SIZE, records.DEPTH_SIZE), np.nan, np.float32),
        person_id=f"p{seed}",
        video_id=f"v{seed}",
        frame=0,
        source_size=(120, 160),
        window=crop.Window(9.5, 4.5, 80),
        face_size=float(np.sqrt(extent.prod())),
    )
    return dataclasses.replace(made, **changes)


def test_decoded_records_keep_their_content():
    depth = np.full((96, 96), np.nan, np.float32)
    depth[40, 50] = 0.25
    visible = np.arange(68).astype(np.uint8) % 3
    stored = [record(0), record(1, depth=depth, visible=visible, has_z=False)]
    examples = batches.decoded(stored)
    for row, expected in enumerate(stored):
        np.testing.assert_array_equal(examples.image(row), expected.image)
        np.testing.assert_array_equal(examples.landmarks[row], expected.landmarks)
        levels = depth_codec.decode(examples.depth[row], *records.DEPTH_RANGE)
        np.testing.assert_allclose(levels, expected.depth, atol=1e-4)
    assert examples.has_z.tolist() == [True, False]
    assert (examples.visible[0] == 3).all()
    np.testing.assert_array_equal(examples.visible[1], visible)


def test_a_batch_has_its_share_of_heads_and_shows_each_face_equally_often():
    faces = batches.decoded([record(k, has_z=False) for k in range(5)])
    heads = batches.decoded([record(k) for k in range(9)])
    recipe = Recipe(batch_size=8, heads_share=0.375)
    shown = [
        batches.training_batch(faces, heads, recipe, step, image_size=32, label_shift=0)
        for step in range(4)
    ]
    for batch in shown:
        assert batch["image"].shape == (8, 32, 32, 3)
        assert batch["has_z"].tolist() == [False] * 5 + [True] * 3
    order = batches._shuffled(5, np.arange(20), (0, 0))
    assert all(sorted(order[k : k + 5]) == list(range(5)) for k in (0, 5, 10, 15))
    again = batches.training_batch(
        faces, heads, recipe, 2, image_size=32, label_shift=0
    )
    np.testing.assert_array_equal(again["image"], shown[2]["image"])
    assert not np.array_equal(shown[1]["landmarks"], shown[2]["landmarks"])


def test_errors_count_labels_only_in_percent_of_the_face():
    visible = np.full(68, 2, np.uint8)
    visible[:34] = 0
    batch = batches.evaluation_batch(
        batches.decoded([record(0), record(1, visible=visible)]), 32
    )
    offset = np.zeros((2, 68, 3))
    offset[:, 34:] = (0.03, 0.04, 9.0)
    box = topology.face_box(batch["landmarks"].astype(np.float64))
    size = topology.face_size(box)
    errors = batches.errors(batch, batch["landmarks"] + offset)
    np.testing.assert_allclose(errors, [2.5 / size[0], 5 / size[1]], rtol=1e-5)


def test_heads_get_the_landmarks_of_the_present_model():
    class Predictor:
        def predict(self, frame_rgb, boxes):
            x0, y0, x1, y1 = boxes[0]
            landmarks = np.zeros((68, 3), np.float32)
            landmarks[:] = ((x0 + x1) / 2, (y0 + y1) / 2, 8)
            none = np.zeros((1, 1), np.float32)
            return [Face(landmarks, landmarks[:, 0], none, none, crop.Window(0, 0, 1))]

    first = record(0)
    (relabelled,) = teacher.relabelled([first], Predictor())
    low, high = first.landmarks[:, :2].min(axis=0), first.landmarks[:, :2].max(axis=0)
    expected = np.append((low + high) / 2, 0.1)
    np.testing.assert_allclose(relabelled.landmarks, np.tile(expected, (68, 1)), 1e-5)
    np.testing.assert_array_equal(relabelled.image, first.image)


def test_a_model_without_trainable_weights_is_named(tmp_path):
    (tmp_path / "ethos_model.json").write_text(
        '{"format_version": 1, "image_size": 32, "network_context": 1.3}'
    )
    with pytest.raises(EthosError, match=r"contains no model.weights.h5"):
        start.check(str(tmp_path))


@pytest.fixture(scope="module")
def tuner(tiny_network):
    from ethos_model import network
    from ethos_model.refinement.tuner import Tuner

    model = network.build(image_size=32)
    network.set_mean_face(model, np.full((68, 3), 0.5))
    recipe = Recipe(steps=10, batch_size=8, learning_rate=0.02)
    return Tuner(model, recipe, label_shift=SHIFT)


def statistics(model) -> list[np.ndarray]:
    return [v.numpy() for v in model.non_trainable_variables if "moving" in v.path]


def test_training_reduces_the_error_and_can_start_again(tuner):
    faces = batches.decoded([record(k) for k in range(6)])
    batch = batches.evaluation_batch(faces, 32)
    before, moments = tuner.errors(batch), statistics(tuner.model)
    first = [tuner.train(faces, faces) for _ in range(10)]
    tuner.set_weights(tuner.averaged_weights())
    assert tuner.errors(batch).mean() < 0.8 * before.mean()
    for value, expected in zip(statistics(tuner.model), moments, strict=True):
        np.testing.assert_array_equal(value, expected)
    tuner.restart(tuner.recipe)
    np.testing.assert_array_equal(tuner.errors(batch), before)
    again = [tuner.train(faces, faces) for _ in range(10)]
    np.testing.assert_allclose(again, first, rtol=1e-4)
    tuner.restart(tuner.recipe)


def test_labels_have_the_offset_that_the_model_learnt(tuner):
    faces = batches.decoded([record(k) for k in range(4)])
    batch = batches.evaluation_batch(faces, 32)
    outputs = tuner.predict(batch["image"])["landmarks"]
    raw = tuner.model(batch["image"], training=False)["landmarks"].numpy()
    size = topology.face_size(topology.face_box(raw))
    np.testing.assert_allclose(
        raw[..., 0] - outputs[..., 0],
        np.repeat(SHIFT / 100 * size[:, None], 68, axis=1),
        atol=1e-6,
    )


def test_the_learning_rate_rises_and_falls(tuner):
    rates = []
    for step in range(10):
        tuner.step = step
        rates.append(tuner.learning_rate())
    tuner.step = 0
    assert rates[0] == pytest.approx(0.02)  # a warm-up of a single step
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] < 0.05 * 0.02
