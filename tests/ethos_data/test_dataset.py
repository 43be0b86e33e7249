"""Batches equal the predictor's crops and computations in plain numpy and OpenCV."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf

from ethos_data import crop, dataset, records, topology
from ethos_data.batches import augment
from ethos_data.errors import EthosError
from tests.ethos_data.datasets import (
    frame_and_landmarks,
    make_record,
    stored_order,
    write,
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("data")
    write(root / records.NAME / "1.0.0", [make_record(i) for i in range(21)])
    return root


@pytest.fixture(scope="module")
def numbered_dir(tmp_path_factory) -> pathlib.Path:
    """A data set whose images show their number, even after augmentation."""
    root = tmp_path_factory.mktemp("numbered")
    write(root, [make_record(i, uniform=True) for i in range(24)])
    return root


def numbers(batch) -> list[int]:
    """Returns the numbers of the examples in a batch of the numbered data set."""
    return np.round(batch["image"].numpy()[:, 56, 56, 0] / 10).astype(int).tolist()


def test_evaluation_returns_the_images_that_the_predictor_sees(data_dir):
    batches = list(dataset.load(data_dir, "train", batch_size=8))
    assert [len(batch["image"]) for batch in batches] == [8, 8, 5]
    rows = [
        {key: value[i].numpy() for key, value in batch.items()}
        for batch in batches
        for i in range(len(batch["image"]))
    ]
    for number, row in zip(stored_order(21), rows, strict=True):
        frame, landmarks = frame_and_landmarks(number)
        box = topology.face_box(landmarks)
        window = crop.window_around(box, crop.NETWORK_CONTEXT)
        expected = crop.resize(crop.cut(frame, window), 112)
        assert row["image"].dtype == np.uint8
        assert row["image"].shape == expected.shape
        # JPEG at quality 95 changes an image less than an error of one pixel, which
        # gives a difference of 5.
        assert np.abs(row["image"] - 1.0 * expected).mean() < 3
        np.testing.assert_allclose(
            row["landmarks"], window.to_normalized(landmarks), atol=1e-5
        )
        assert row["source_face_size"] == pytest.approx(topology.face_size(box))
        assert row["face_size"] == pytest.approx(
            topology.face_size(topology.face_box(row["landmarks"])), rel=1e-4
        )
        assert row["person_id"].decode() == f"Person_{number % 5}"
        assert row["video_id"].decode() == f"Person_{number % 5}_{number}"
        assert row["frame"] == number


def test_depth_is_in_sides_of_the_networks_window(data_dir):
    (batch,) = dataset.load(data_dir, "train", batch_size=21, depth_size=40)
    assert batch["depth"].shape == batch["depth_mask"].shape == (21, 40, 40, 1)
    depth, mask = batch["depth"].numpy()[0, ..., 0], batch["depth_mask"].numpy()
    assert set(np.unique(mask)) <= {0.0, 1.0}
    record = make_record(0)
    landmarks = record.window.to_source(record.landmarks)
    window = crop.window_around(topology.face_box(landmarks), crop.NETWORK_CONTEXT)
    at = (np.arange(40) + 0.5) / 40 * window.size
    x = (at + window.left - record.window.left) / record.window.size
    y = (at + window.top - record.window.top)[:, None] / record.window.size
    expected = (0.2 * y - 0.1 * x) * record.window.size / window.size
    known = np.broadcast_to(y > 21.5 / 96, expected.shape)
    assert (mask[0, ..., 0][known] == 1).all()
    np.testing.assert_allclose(depth[known], expected[known], atol=1e-4)


def test_an_image_that_the_conversion_shrank_is_sampled_at_the_right_place(tmp_path):
    examples = [make_record(i, image_size=64) for i in range(8)]
    write(tmp_path, examples)
    (batch,) = dataset.load(tmp_path, "train", batch_size=8)
    for row, number in enumerate(stored_order(8)):
        record = examples[number]
        landmarks = record.window.to_source(record.landmarks)
        window = crop.window_around(topology.face_box(landmarks), crop.NETWORK_CONTEXT)
        stored = records.decode(records.encode(record)).image  # with JPEG artefacts
        # OpenCV samples the stored image through the same affine map.
        scale = record.image.shape[0] / record.window.size
        step = window.size * scale / 112
        left = (window.left - record.window.left) * scale
        top = (window.top - record.window.top) * scale
        matrix = np.array(
            [[step, 0, left + step / 2 - 0.5], [0, step, top + step / 2 - 0.5]]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        expected = cv2.warpAffine(stored, matrix, (112, 112), flags=flags)
        difference = np.abs(batch["image"].numpy()[row] - 1.0 * expected)
        assert difference.mean() < 0.5


def test_training_moves_image_and_landmarks_together(tmp_path):
    examples = []
    for number in range(6):
        record = make_record(number + 4)
        size = record.image.shape[0]
        at = (np.arange(size) + 0.5) / size
        # A round spot on the chin (landmark 8) is the only bright part of the image.
        x, y = record.landmarks[8, :2]
        spot = np.exp(-((at - x) ** 2 + (at[:, None] - y) ** 2) / (2 * 0.03**2))
        image = np.repeat((20 + 220 * spot)[..., None], 3, axis=-1).astype(np.uint8)
        examples.append(dataclasses.replace(record, image=image))
    write(tmp_path, examples)
    gentle = augment.Augmentation(rotation=30, scale=(1, 1.2), shift=0.02)
    batches = dataset.load(
        tmp_path, "train", training=True, batch_size=12, augmentation=gentle
    )
    for batch in batches.take(3):
        for image, landmarks in zip(
            batch["image"].numpy(), batch["landmarks"].numpy(), strict=True
        ):
            weight = np.maximum(image[..., 0] - 60.0, 0)
            at = (np.arange(112) + 0.5) / 112
            centroid = np.array([weight.sum(0) @ at, weight.sum(1) @ at])
            centroid /= weight.sum()
            x, y = landmarks[8, :2]
            if max(abs(x - 0.5), abs(y - 0.5)) < 0.38:  # the spot is inside the image
                # A quarter of a pixel, because of JPEG and the threshold.
                np.testing.assert_allclose(centroid, (x, y), atol=0.25 / 112)


@pytest.mark.parametrize("cache_bytes", [0, 1 << 30])
def test_each_epoch_of_training_contains_each_example_once(numbered_dir, cache_bytes):
    batches = dataset.load(
        numbered_dir, "train", training=True, batch_size=8, cache_bytes=cache_bytes
    )
    order = [numbers(batch) for batch in batches.take(9)]
    for epoch in range(3):
        examples = np.concatenate(order[3 * epoch : 3 * epoch + 3])
        assert sorted(examples) == list(range(24))
    assert order[:3] != order[3:6]
    spec = batches.element_spec
    images = {"image", "landmarks", "depth", "depth_mask", "face_size"}
    assert set(spec) == images | {"visible", "has_z"}
    assert spec["image"].shape == (8, 112, 112, 3)


def test_order_and_augmentation_depend_on_the_seed_only(numbered_dir):
    def load(seed):
        ds = dataset.load(numbered_dir, "train", training=True, batch_size=8, seed=seed)
        return [{k: v.numpy() for k, v in batch.items()} for batch in ds.take(4)]

    first, second, other = load(3), load(3), load(4)
    for a, b in zip(first, second, strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])
    assert (first[0]["landmarks"] != other[0]["landmarks"]).any()


@pytest.mark.parametrize("cache_bytes", [0, 1 << 30])
def test_a_resumed_run_gets_the_batches_of_an_uninterrupted_run(
    numbered_dir, cache_bytes
):
    def load(**kwargs):
        kwargs |= {"cache_bytes": cache_bytes, "training": True}
        return dataset.load(numbered_dir, "train", batch_size=8, seed=1, **kwargs)

    uninterrupted = [batch["landmarks"].numpy() for batch in load().take(7)]
    resumed = [batch["landmarks"].numpy() for batch in load(start_step=4).take(3)]
    for a, b in zip(uninterrupted[4:], resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_workers_share_the_batches_of_a_single_worker(numbered_dir):
    def load(**kwargs):
        ds = dataset.load(
            numbered_dir, "train", training=True, batch_size=8, seed=1, **kwargs
        )
        return [batch["landmarks"].numpy() for batch in ds.take(4)]

    single, first, second = load(), load(worker=(0, 2)), load(worker=(1, 2))
    for batch, a, b in zip(single, first, second, strict=True):
        assert len(a) == len(b) == 4
        joined = np.stack([a, b], axis=1).reshape(batch.shape)
        np.testing.assert_array_equal(joined, batch)
    with pytest.raises(ValueError, match=r"Received: worker=\(0, 3\)"):
        load(worker=(0, 3))


def test_training_without_augmentation_returns_the_images_of_the_evaluation(data_dir):
    (evaluation,) = dataset.load(data_dir, "train", batch_size=21)
    training = dataset.load(
        data_dir, "train", training=True, batch_size=21, augmentation=augment.NONE
    )
    images = {
        tuple(landmarks.ravel()): image
        for landmarks, image in zip(
            evaluation["landmarks"].numpy(), evaluation["image"].numpy(), strict=True
        )
    }
    (batch,) = training.take(1)
    for landmarks, image in zip(
        batch["landmarks"].numpy(), batch["image"].numpy(), strict=True
    ):
        np.testing.assert_array_equal(image, images[tuple(landmarks.ravel())])


def test_rejects_a_training_split_without_examples(tmp_path):
    write(tmp_path, [])
    with pytest.raises(EthosError, match="the split 'train' contains no images"):
        dataset.load(tmp_path, "train", training=True)
    assert not list(dataset.load(tmp_path, "train"))


def test_the_cache_does_not_change_the_batches(data_dir, tmp_path):
    def load(cache_bytes, **kwargs):
        ds = dataset.load(
            data_dir,
            "train",
            training=True,
            batch_size=7,
            cache_bytes=cache_bytes,
            **kwargs,
        )
        # Three epochs of 21 examples.
        return [{k: v.numpy() for k, v in batch.items()} for batch in ds.take(9)]

    in_memory, uncached, on_disk = load(1 << 30), load(0), load(0, cache_dir=tmp_path)
    for a, b, c in zip(in_memory, uncached, on_disk, strict=True):
        for key, value in b.items():
            np.testing.assert_array_equal(a[key], value)
            np.testing.assert_array_equal(c[key], value)


def test_the_cache_does_not_depend_on_the_seed_of_the_run_that_wrote_it(
    numbered_dir, tmp_path
):
    def load(seed, cache_dir):
        options = {"training": True, "batch_size": 8, "cache_bytes": 0, "seed": seed}
        ds = dataset.load(numbered_dir, "train", cache_dir=cache_dir, **options)
        return [numbers(batch) for batch in ds.take(6)]

    first = load(1, tmp_path / "a")
    load(2, tmp_path / "b")
    assert load(1, tmp_path / "b") == first


def test_rejects_shards_with_a_different_number_of_examples(tmp_path):
    write(tmp_path, [make_record(i) for i in range(6)])
    path = tmp_path / "dataset_info.json"
    path.write_text(path.read_text().replace('"2"', '"3"', 1))
    message = r"contain 6 examples, but dataset_info\.json says 7"
    with pytest.raises(EthosError, match=message):
        dataset.load(tmp_path, "train", training=True)


@pytest.mark.parametrize("cache_bytes", [1 << 30, -1])
def test_rejects_a_split_whose_shards_are_empty(cache_bytes, tmp_path):
    write(tmp_path / "data", [make_record(i) for i in range(6)])
    for path in (tmp_path / "data").glob("*.tfrecord-*"):
        path.write_bytes(b"")
    message = r"data: the shards .* contain 0 examples, but dataset_info\.json says 6"
    with pytest.raises(EthosError, match=message):
        dataset.load(
            tmp_path / "data",
            "train",
            training=True,
            cache_bytes=cache_bytes,
            cache_dir=tmp_path / "cache",
        )


def test_each_data_set_has_its_own_cache_directory(data_dir, numbered_dir, tmp_path):
    for source in (data_dir, numbered_dir, data_dir):
        dataset.load(source, "train", training=True, cache_bytes=0, cache_dir=tmp_path)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_returns_images_of_any_size(data_dir):
    ds = dataset.load(data_dir, "train", image_size=96, training=True, batch_size=2)
    (batch,) = ds.take(1)
    assert batch["image"].shape == (2, 96, 96, 3)
    assert batch["depth"].shape == (2, 96, 96, 1)
    assert isinstance(ds, tf.data.Dataset)


def test_reads_without_a_home_directory(data_dir):
    code = (
        "import sys, ethos_data, keras, tensorflow_datasets\n"
        "from ethos_data import records\n"
        "records.features()\n"
        "ds = ethos_data.load_dataset(sys.argv[1], 'train', training=True)\n"
        "print(next(iter(ds))['image'].shape)\n"
    )
    environment = os.environ | {"HOME": "/dev/null/home", "LANG": "C"}
    result = subprocess.run(
        [sys.executable, "-c", code, str(data_dir)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.stdout == "(16, 112, 112, 3)\n", result.stderr
