"""From shards to batches, beside what the predictor and plain numpy would make."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil

import cv2
import numpy as np
import pytest
import tensorflow as tf

from ethos_data import crop, dataset, records, topology
from ethos_data.batches import augment
from ethos_data.errors import EthosError
from ethos_data.storage import tfrecord
from tests.ethos_data import pictures
from tests.ethos_data.videos import face_points

SHARDS = 3


def frame_and_points(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A source frame, and 68 points on whole pixels of it, as the corpus has them."""
    rng = np.random.default_rng(number)
    half = 14 + 6 * (number % 8)  # faces of about 28 to 112 pixels
    frame = cv2.resize(pictures.photograph(64, number), (260, 240))
    points = face_points() * half
    points[:, :2] += np.array([130, 120]) + rng.uniform(-30, 30, 2)
    # Some of it may lie outside of the frame.
    return frame, np.round(points)


def make_record(number: int, image_size: int = 320, mark: bool = False):
    frame, points = frame_and_points(number)
    if mark:
        frame = np.full_like(frame, 10 * number)
    box = topology.face_box(points)
    window = crop.window_around(box, crop.STORED_CONTEXT)
    normalized = window.to_normalized(points).astype(np.float32)
    image = crop.cut(frame, window)
    image = crop.resize(image, min(image_size, len(image)))
    at = (np.arange(96) + 0.5) / 96
    depth = (0.2 * at[:, None] - 0.1 * at).astype(np.float32)
    depth[:20] = np.nan
    return records.Record(
        image=image,
        landmarks=normalized,
        depth=depth,
        person_id=f"Person_{number % 5}",
        video_id=f"Person_{number % 5}_{number}",
        frame=number,
        source_size=frame.shape[:2],
        window=window,
        face_size=float(topology.face_size(box)),
    )


def write(folder: pathlib.Path, made: list[records.Record], split="train") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    encoded = [records.encode(one) for one in made]
    parts = [encoded[k::SHARDS] for k in range(SHARDS)]
    for k, part in enumerate(parts):
        name = f"{records.NAME}-{split}.tfrecord-{k:05d}-of-{SHARDS:05d}"
        (folder / name).write_bytes(b"".join(map(tfrecord.frame, part)))
    info = {
        "splits": [{"name": split, "shardLengths": [str(len(part)) for part in parts]}]
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("data")
    write(root / records.NAME / "1.0.0", [make_record(i) for i in range(21)])
    return root


@pytest.fixture(scope="module")
def marked_dir(tmp_path_factory) -> pathlib.Path:
    """Every example has its own grey, so that it is known again after augmentation."""
    root = tmp_path_factory.mktemp("marked")
    write(root, [make_record(i, mark=True) for i in range(24)])
    return root


def numbers(batch) -> list[int]:
    """Which examples of the marked data set a batch holds."""
    return np.round(batch["image"].numpy()[:, 56, 56, 0] / 10).astype(int).tolist()


def test_evaluation_gives_what_the_predictor_would_see(data_dir):
    batches = list(dataset.load(data_dir, "train", batch_size=8))
    assert [len(batch["image"]) for batch in batches] == [8, 8, 5]
    seen = [i for k in range(SHARDS) for i in range(21)[k::SHARDS]]
    rows = [
        {key: value[i].numpy() for key, value in batch.items()}
        for batch in batches
        for i in range(len(batch["image"]))
    ]
    for number, row in zip(seen, rows, strict=True):
        frame, points = frame_and_points(number)
        box = topology.face_box(points)
        window = crop.window_around(box, crop.NETWORK_CONTEXT)
        expected = crop.resize(crop.cut(frame, window), 112)
        assert row["image"].dtype == np.uint8
        assert row["image"].shape == expected.shape
        # JPEG at quality 95 lies between; a window that is off by a pixel makes 5.
        assert np.abs(row["image"] - 1.0 * expected).mean() < 3
        np.testing.assert_allclose(
            row["landmarks"], window.to_normalized(points), atol=1e-5
        )
        assert row["source_face_size"] == pytest.approx(topology.face_size(box))
        assert row["face_size"] == pytest.approx(
            topology.face_size(topology.face_box(row["landmarks"])), rel=1e-4
        )
        assert row["person_id"].decode() == f"Person_{number % 5}"
        assert row["video_id"].decode() == f"Person_{number % 5}_{number}"
        assert row["frame"] == number


def test_depth_is_in_the_windows_unit(data_dir):
    (batch,) = dataset.load(data_dir, "train", batch_size=21, depth_size=40)
    assert batch["depth"].shape == batch["depth_mask"].shape == (21, 40, 40, 1)
    depth, mask = batch["depth"].numpy()[0, ..., 0], batch["depth_mask"].numpy()
    assert set(np.unique(mask)) <= {0.0, 1.0}
    record = make_record(0)
    points = record.window.to_source(record.landmarks)
    window = crop.window_around(topology.face_box(points), crop.NETWORK_CONTEXT)
    at = (np.arange(40) + 0.5) / 40 * window.size
    x = (at + window.left - record.window.left) / record.window.size
    y = (at + window.top - record.window.top)[:, None] / record.window.size
    expected = (0.2 * y - 0.1 * x) * record.window.size / window.size
    known = np.broadcast_to(y > 21.5 / 96, expected.shape)
    assert (mask[0, ..., 0][known] == 1).all()
    np.testing.assert_allclose(depth[known], expected[known], atol=1e-4)


def test_a_crop_that_was_shrunk_is_sampled_in_place(tmp_path):
    made = [make_record(i, image_size=64) for i in range(8)]
    write(tmp_path, made)
    (batch,) = dataset.load(tmp_path, "train", batch_size=8)
    seen = [i for k in range(SHARDS) for i in range(8)[k::SHARDS]]
    for place, number in enumerate(seen):
        record = made[number]
        points = record.window.to_source(record.landmarks)
        window = crop.window_around(topology.face_box(points), crop.NETWORK_CONTEXT)
        stored = records.decode(records.encode(record)).image  # as JPEG left it
        # The stored picture, through one affine map in OpenCV's own terms.
        scale = record.image.shape[0] / record.window.size
        step = window.size * scale / 112
        left = (window.left - record.window.left) * scale
        top = (window.top - record.window.top) * scale
        matrix = np.array(
            [[step, 0, left + step / 2 - 0.5], [0, step, top + step / 2 - 0.5]]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        expected = cv2.warpAffine(stored, matrix, (112, 112), flags=flags)
        difference = np.abs(batch["image"].numpy()[place] - 1.0 * expected)
        assert difference.mean() < 0.5


def test_training_moves_image_and_landmarks_together(tmp_path):
    made = []
    for number in range(6):
        record = make_record(number + 4)
        size = record.image.shape[0]
        at = (np.arange(size) + 0.5) / size
        # One round spot on the chin, far from the others' places.
        x, y = record.landmarks[8, :2]
        spot = np.exp(-((at - x) ** 2 + (at[:, None] - y) ** 2) / (2 * 0.03**2))
        image = np.repeat((20 + 220 * spot)[..., None], 3, axis=-1).astype(np.uint8)
        made.append(records.Record(**{**vars(record), "image": image}))
    write(tmp_path, made)
    gentle = augment.Augmentation(rotation=30, scale=(1, 1.2), shift=0.02)
    batches = dataset.load(
        tmp_path, "train", training=True, batch_size=12, augmentation=gentle
    )
    for batch in batches.take(3):
        for image, points in zip(
            batch["image"].numpy(), batch["landmarks"].numpy(), strict=True
        ):
            weight = np.maximum(image[..., 0] - 60.0, 0)
            at = (np.arange(112) + 0.5) / 112
            found = np.array([weight.sum(0) @ at, weight.sum(1) @ at]) / weight.sum()
            x, y = points[8, :2]
            if max(abs(x - 0.5), abs(y - 0.5)) < 0.38:  # the whole spot is there
                # Levels that were cut off, JPEG: a quarter of a pixel.
                np.testing.assert_allclose(found, (x, y), atol=0.25 / 112)


@pytest.mark.parametrize("cache_bytes", [0, 1 << 30])
def test_training_never_ends_and_shows_all_before_any_again(marked_dir, cache_bytes):
    batches = dataset.load(
        marked_dir, "train", training=True, batch_size=8, cache_bytes=cache_bytes
    )
    epochs = [numbers(batch) for batch in batches.take(9)]
    for epoch in range(3):
        together = [i for one in epochs[3 * epoch : 3 * epoch + 3] for i in one]
        assert sorted(together) == list(range(24))
    assert epochs[:3] != epochs[3:6]
    spec = batches.element_spec
    assert set(spec) == {"image", "landmarks", "depth", "depth_mask", "face_size"}
    assert spec["image"].shape == (8, 112, 112, 3)


def test_the_seed_decides_order_and_augmentation(marked_dir):
    def first(seed):
        ds = dataset.load(marked_dir, "train", training=True, batch_size=8, seed=seed)
        return [{k: v.numpy() for k, v in batch.items()} for batch in ds.take(4)]

    once, again, other = first(3), first(3), first(4)
    for a, b in zip(once, again, strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])
    assert (once[0]["landmarks"] != other[0]["landmarks"]).any()


@pytest.mark.parametrize("cache_bytes", [0, 1 << 30])
def test_a_resumed_run_sees_what_it_would_have_seen(marked_dir, cache_bytes):
    def load(**kwargs):
        kwargs |= {"cache_bytes": cache_bytes, "training": True}
        return dataset.load(marked_dir, "train", batch_size=8, seed=1, **kwargs)

    whole = [batch["landmarks"].numpy() for batch in load().take(7)]
    rest = [batch["landmarks"].numpy() for batch in load(start_step=4).take(3)]
    for a, b in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(a, b)


def test_workers_together_see_one_workers_batches(marked_dir):
    def load(**kwargs):
        ds = dataset.load(
            marked_dir, "train", training=True, batch_size=8, seed=1, **kwargs
        )
        return [batch["landmarks"].numpy() for batch in ds.take(4)]

    alone, first, second = load(), load(worker=(0, 2)), load(worker=(1, 2))
    for batch, a, b in zip(alone, first, second, strict=True):
        assert len(a) == len(b) == 4
        together = np.stack([a, b], axis=1).reshape(batch.shape)
        np.testing.assert_array_equal(together, batch)
    with pytest.raises(ValueError, match="Received"):
        load(worker=(0, 3))


def test_no_augmentation_in_training_is_the_evaluations_picture(data_dir):
    (plain,) = dataset.load(data_dir, "train", batch_size=21)
    still = dataset.load(
        data_dir, "train", training=True, batch_size=21, augmentation=augment.NONE
    )
    by_size = {
        tuple(points.ravel()): image
        for points, image in zip(
            plain["landmarks"].numpy(), plain["image"].numpy(), strict=True
        )
    }
    (batch,) = still.take(1)
    for points, image in zip(
        batch["landmarks"].numpy(), batch["image"].numpy(), strict=True
    ):
        np.testing.assert_array_equal(image, by_size[tuple(points.ravel())])


def test_the_directory_may_be_the_versions_own(data_dir):
    own = data_dir / records.NAME / "1.0.0"
    assert dataset.counts(own) == dataset.counts(data_dir) == {"train": 21}
    assert len(list(dataset.load(own, "train", batch_size=21))) == 1


def test_the_newest_version_counts(tmp_path):
    for version in ("1.0.0", "1.10.0", "1.9.0"):
        write(tmp_path / records.NAME / version, [make_record(0)])
    assert dataset.version_dir(tmp_path).endswith("1.10.0")


def test_what_is_missing_is_named(data_dir, tmp_path):
    with pytest.raises(EthosError, match="ethos-convert"):
        dataset.load(tmp_path, "train")
    with pytest.raises(EthosError, match="'dev'; there is train"):
        dataset.load(data_dir, "dev")
    write(tmp_path, [make_record(i) for i in range(3)])
    next(tmp_path.glob("*00001-of*")).unlink()
    with pytest.raises(EthosError, match="2 of 3 shards"):
        dataset.load(tmp_path, "train")


def test_an_empty_split_is_no_training_set(tmp_path):
    write(tmp_path, [])
    with pytest.raises(EthosError, match="train split has no images"):
        dataset.load(tmp_path, "train", training=True)
    assert not list(dataset.load(tmp_path, "train"))


def test_keeping_a_split_changes_no_batch(data_dir, tmp_path):
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

    kept, anew, on_disk = load(1 << 30), load(0), load(0, cache_dir=tmp_path)
    for a, b, c in zip(kept, anew, on_disk, strict=True):
        for key, value in b.items():
            np.testing.assert_array_equal(a[key], value)
            np.testing.assert_array_equal(c[key], value)


def test_decoded_examples_do_not_remember_the_seed_of_who_decoded_them(
    marked_dir, tmp_path
):
    def load(seed, cache_dir):
        options = {"training": True, "batch_size": 8, "cache_bytes": 0, "seed": seed}
        ds = dataset.load(marked_dir, "train", cache_dir=cache_dir, **options)
        return [numbers(batch) for batch in ds.take(6)]

    first = load(1, tmp_path / "a")
    load(2, tmp_path / "b")
    assert load(1, tmp_path / "b") == first


def test_a_wrong_count_is_named(tmp_path):
    write(tmp_path, [make_record(i) for i in range(6)])
    path = tmp_path / "dataset_info.json"
    path.write_text(path.read_text().replace('"2"', '"3"', 1))
    with pytest.raises(EthosError, match="train split holds 6 examples, 7 by dataset"):
        dataset.load(tmp_path, "train", training=True)


def test_another_data_set_is_decoded_to_another_folder(data_dir, marked_dir, tmp_path):
    for one in (data_dir, marked_dir, data_dir):
        dataset.load(one, "train", training=True, cache_bytes=0, cache_dir=tmp_path)
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_the_network_size_is_free(data_dir):
    ds = dataset.load(data_dir, "train", image_size=96, training=True, batch_size=2)
    (batch,) = ds.take(1)
    assert batch["image"].shape == (2, 96, 96, 3)
    assert batch["depth"].shape == (2, 96, 96, 1)
    assert isinstance(ds, tf.data.Dataset)


def test_a_damaged_shard_is_named(data_dir, tmp_path):
    copy = shutil.copytree(data_dir, tmp_path / "copy")
    path = dataset.shards(copy, "train")[-1]
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"not what stood here")
    with (
        pytest.raises(EthosError, match=rf"{re.escape(path)}: damaged: record \d+: "),
        dataset.naming_damage(data_dir, copy),
    ):
        list(dataset.load(copy, "train", image_size=32, batch_size=4))
