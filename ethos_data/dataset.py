"""From shards to batches: read, shuffle, decode, move, batch, prefetch.

    for batch in dataset.load(data_dir, "train", training=True):
        batch["image"]      # uint8 (B, S, S, 3), what the network sees
        batch["landmarks"]  # float32 (B, 68, 3), normalised in the network's window

The host only decodes and samples; degradations run where the model runs
(`ethos_data.degrade`). The order of the examples and their augmentation depend on the
seed alone, so a run that is resumed with `start_step` sees what it would have seen.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import cv2
import numpy as np
import tensorflow as tf

from ethos_data import records
from ethos_data.batches import augment, cache, callbacks, examples, remote
from ethos_data.errors import EthosError
from ethos_data.storage import tfrecord
from ethos_data.topology import NUM_LANDMARKS

SHUFFLE_BUFFER: Final = 4096
"""Examples, still encoded: about 15 kB each."""

CACHE_BYTES: Final = 2 << 30  # 2 GiB
"""Splits that take less memory are decoded once and then kept there."""

_EXPANSION: Final = 10
"""Bytes of a decoded example over those of an encoded one: 7.5 in YouTube Faces."""

_FIELDS: Final = ("pixels", "side", "depth", "landmarks", "window", "face_size")
"""A batch's values in the order of `examples.Examples`."""

_DECODED_AT_ONCE: Final = 32
"""Examples that a thread decodes before it hands them over."""

_CYCLE: Final = 16
"""Shards that are read at once in training, a block of a few records from each."""


def version_dir(data_dir: str | os.PathLike[str]) -> str:
    """The directory with the shards: itself, or the newest version under it.

    Raises:
      EthosError: there is no converted data set.
    """
    data_dir = remote.local(os.fspath(data_dir))
    versions = os.path.join(data_dir, records.NAME)
    found = [
        os.path.join(versions, name)
        for name in _names(versions)
        if tf.io.gfile.exists(os.path.join(versions, name, "dataset_info.json"))
    ]
    if tf.io.gfile.exists(os.path.join(data_dir, "dataset_info.json")):
        found = [data_dir]
    if not found:
        raise EthosError(f"{data_dir}: no data set here; ethos-convert writes one")
    return max(found, key=_version)


def _names(folder: str) -> list[str]:
    """What lies in a folder, sorted. No glob: a folder may be called "data [v2]"."""
    if not tf.io.gfile.isdir(folder):
        return []
    return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder))


def _version(path: str) -> tuple[int, ...]:
    numbers = os.path.basename(path).split(".")
    return tuple(int(n) if n.isdigit() else -1 for n in numbers)


@contextlib.contextmanager
def naming_damage(*data_dirs: str | os.PathLike[str]) -> Iterator[None]:
    """Names the shard where TensorFlow says no more than that one is damaged.

    Args:
      data_dirs: all that are read inside of it.

    Raises:
      EthosError: instead of `tf.errors.DataLossError`.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        for data_dir in data_dirs:
            folder = version_dir(data_dir)
            for name in _names(folder):
                if ".tfrecord-" not in name:
                    continue
                path = os.path.join(folder, name)
                try:
                    with tf.io.gfile.GFile(path, "rb") as file:
                        for _ in tfrecord.read(file):
                            pass
                except tfrecord.TFRecordError as reason:
                    raise EthosError(
                        f"{path}: damaged: {reason} (ethos-inspect --verify lists all "
                        "such shards; deleted, ethos-convert makes them again)"
                    ) from None
        places = ", ".join(os.fspath(data_dir) for data_dir in data_dirs)
        raise EthosError(f"{places}: damaged: {error.message}") from None


def shards(data_dir: str | os.PathLike[str], split: str) -> list[str]:
    """Paths of a split's shards, in order.

    Raises:
      EthosError: the split does not exist, or shards are missing.
    """
    folder = version_dir(data_dir)
    prefix = f"{records.NAME}-{split}.tfrecord-"
    names = [n for n in _names(folder) if n.startswith(prefix) and "-of-" in n]
    paths = [os.path.join(folder, name) for name in names]
    if not paths:
        raise EthosError(
            f"{folder}: no split {split!r}; there is {', '.join(counts(folder))}"
        )
    if len(paths) != (wanted := int(paths[0].rsplit("-of-", 1)[1])):
        raise EthosError(f"{prefix}*: {len(paths)} of {wanted} shards are here")
    return paths


def counts(data_dir: str | os.PathLike[str]) -> dict[str, int]:
    """Number of examples by split."""
    return {name: sum(each) for name, each in _shard_lengths(data_dir).items()}


def _shard_lengths(data_dir: str | os.PathLike[str]) -> dict[str, list[int]]:
    """Number of examples in each shard, by split."""
    path = os.path.join(version_dir(data_dir), "dataset_info.json")
    with tf.io.gfile.GFile(path) as file:
        splits = json.load(file).get("splits", [])
    return {one["name"]: [int(n) for n in one["shardLengths"]] for one in splits}


def fingerprint(data_dir: str | os.PathLike[str]) -> str:
    """Names a data set's content: the sha256, in hexadecimal digits, of its
    description, which holds the count, the bytes and the checksum of every shard.
    """
    folder = version_dir(data_dir)
    digest = hashlib.sha256()
    for name in ("dataset_info.json", "manifest.json"):
        path = os.path.join(folder, name)
        if tf.io.gfile.exists(path):
            with tf.io.gfile.GFile(path, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


def load(
    data_dir: str | os.PathLike[str],
    split: str,
    *,
    image_size: int = 112,
    depth_size: int | None = None,
    batch_size: int = 16,
    training: bool = False,
    seed: int = 0,
    augmentation: augment.Augmentation | None = None,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
    shuffle_buffer: int = SHUFFLE_BUFFER,
    cache_bytes: int = CACHE_BYTES,
    cache_dir: str | os.PathLike[str] | None = None,
    num_parallel_calls: int = tf.data.AUTOTUNE,
    device: str | None = None,
) -> tf.data.Dataset:
    """Batches of a split.

    Args:
      data_dir: what was given to ethos-convert, or the version's own directory.
      split: "train", "validation" or "test".
      image_size: side S of the network's input, pixels.
      depth_size: side D of the depth target, pixels; None = `image_size`.
      batch_size: examples of a step, all workers together.
      training: repeat for ever, shuffle and augment. Otherwise one pass in the order
        of the shards, every face in the very window that the predictor would cut.
      seed: of the order and the augmentation.
      augmentation: how far to move faces; None = the defaults when training.
      start_step: batches to skip, for a run that goes on where it stopped.
      worker: (index, count): this worker's part of every batch, B / count examples.
      shuffle_buffer: examples among which the next is drawn.
      cache_bytes: when training, decode the split once and keep it in memory if it
        takes no more than this; 0 = never.
      cache_dir: a folder of this machine where a split that memory does not hold is
        decoded to, once for all runs; None = decode it anew in every epoch. No batch
        depends on where decoded examples are kept, or whether.
      num_parallel_calls: threads that decode and sample.
      device: where to put the batches ahead of time, as "/gpu:0"; None = the GPU if
        there is exactly one, "" = leave them on the host.

    Returns:
      Dictionaries of `image` uint8 (B, S, S, 3), `landmarks` float32 (B, 68, 3),
      `depth` float32 (B, D, D, 1), 0 where there is none, `depth_mask` of the same
      shape and `face_size` float32 (B,), all in the unit of the network's window. When
      not training also `source_face_size` float32 (B,) in source pixels, `person_id`,
      `video_id` strings and `frame` int64, and the last batch may be smaller.

    Raises:
      EthosError: the data set or the split is not there, or there is nothing in it
        to train on.
    """
    index, count = worker
    if not (0 <= index < count and batch_size % count == 0):
        raise ValueError(
            "Every worker must get the same part of the batch. "
            f"Received: worker={worker}, batch_size={batch_size}"
        )
    if augmentation is None:
        augmentation = augment.Augmentation() if training else augment.NONE
    paths = shards(data_dir, split)
    if training and not counts(data_dir).get(split):
        raise EthosError(f"{data_dir}: the {split} split has no images")
    # Pictures of a hundred pixels are not worth waking threads for.
    cv2.setNumThreads(1)

    kept, ds = None, tf.data.TFRecordDataset(paths)
    if training:
        size = _decoded_bytes(paths)
        if size <= cache_bytes:
            kept = examples.collect(_decoded(ds, num_parallel_calls))
        elif cache_dir is not None:
            name = f"{split}-{fingerprint(data_dir)[:32]}"
            folder = os.path.join(os.path.expanduser(os.fspath(cache_dir)), name)
            kept = cache.kept(folder, _decoded(ds, num_parallel_calls), size)
        if kept is None:
            parts = tf.data.Dataset.from_tensor_slices(paths)
            ds = _mixed(parts, tf.data.TFRecordDataset, seed)
        else:
            ends = np.cumsum(_shard_lengths(data_dir)[split])
            if ends[-1] != len(kept):
                raise EthosError(
                    f"{data_dir}: the {split} split holds {len(kept)} examples, "
                    f"{ends[-1]} by dataset_info.json"
                )
            parts = tf.data.Dataset.from_tensor_slices((np.r_[0, ends[:-1]], ends))
            ds = _mixed(parts, tf.data.Dataset.range, seed)
        # Repeating after the shuffle: every example once before any comes again.
        ds = ds.shuffle(shuffle_buffer, seed=seed + 1, reshuffle_each_iteration=True)
        ds = ds.repeat()
    # The number of an example in the run is all that its augmentation depends on.
    ds = ds.enumerate().skip(start_step * batch_size).shard(count, index)
    # One call of Python for each batch, which lets other threads run meanwhile.
    ds = ds.batch(batch_size // count, drop_remainder=training)
    options = {
        "image_size": image_size,
        "depth_size": depth_size or image_size,
        "augmentation": augmentation,
        "seed": seed,
    }
    sample = functools.partial(_sample, kept=kept, training=training, options=options)
    ds = ds.map(sample, num_parallel_calls)
    ds = ds.prefetch(tf.data.AUTOTUNE)
    # Strings, which only an evaluation has, cannot go.
    return to_device(ds, device) if training else ds


def to_device(ds: tf.data.Dataset, device: str | None) -> tf.data.Dataset:
    """Puts batches on a device ahead of time; must be a data set's last step.

    Args:
      ds: batches of numbers.
      device: as "/gpu:0"; None = the GPU if there is exactly one, "" = none.
    """
    if device is None:
        gpus = tf.config.list_logical_devices("GPU")
        device = gpus[0].name if len(gpus) == 1 else ""
    if not device:
        return ds
    return ds.apply(tf.data.experimental.prefetch_to_device(device, 2))


def _mixed(
    shards: tf.data.Dataset, read: Callable[..., tf.data.Dataset], seed: int
) -> tf.data.Dataset:
    """All elements of some shards, from many at a time, in another order each epoch.

    Args:
      shards: of known number.
      read: one of them to its elements: serialized examples, or rows of kept ones.
      seed: of the order, which is the same whatever the elements are.
    """
    count = int(shards.cardinality())
    ds = shards.shuffle(count, seed=seed, reshuffle_each_iteration=True)
    return ds.interleave(read, cycle_length=min(_CYCLE, count), block_length=4)


def _decoded_bytes(paths: list[str]) -> int:
    """About how much memory the decoded examples of some shards take."""
    return _EXPANSION * sum(tf.io.gfile.stat(path).length for path in paths)


def _decoded(
    ds: tf.data.Dataset, num_parallel_calls: int
) -> Iterator[examples.Examples]:
    """All examples of serialized ones, some at a time."""
    ds = ds.batch(_DECODED_AT_ONCE).map(_decode, num_parallel_calls)
    for one in ds.as_numpy_iterator():
        yield examples.Examples(*(one[key] for key in _FIELDS))


def _decode(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses a batch of examples, decodes their images and depth."""
    parsed = records.parse_tensors(serialized)
    pixels, sides, depth = tf.numpy_function(
        callbacks.awaited(examples.decode),
        [parsed["image"], parsed["depth"]],
        [tf.uint8, tf.int64, tf.uint16],
        stateful=False,
    )
    return parsed | {"pixels": pixels, "side": sides, "depth": depth}


def _sample(
    number: tf.Tensor,
    chosen: tf.Tensor,
    *,
    kept: examples.Examples | None,
    training: bool,
    options: dict[str, Any],
) -> dict[str, tf.Tensor]:
    """Samples a batch.

    Args:
      number: int64 (B,), the examples' numbers in the run.
      chosen: int64 (B,), rows of `kept`; or, without it, serialized examples.
      kept: the split, if it is kept in memory.
      training: whether only what training needs is wanted.
      options: of `examples.sample`.
    """
    batch: dict[str, tf.Tensor] = {}
    if kept is None:
        batch = _decode(chosen)
        chosen = tf.range(tf.shape(chosen, tf.int64)[0])

    @callbacks.awaited
    def sample(number: Any, rows: Any, *fields: Any) -> list[np.ndarray]:
        source = examples.Examples(*fields) if kept is None else kept
        made = examples.sample(source, rows, index=number, **options)
        return [made[key] for key in specs]

    size, depth_size = options["image_size"], options["depth_size"]
    specs = {
        "image": ((size, size, 3), tf.uint8),
        "landmarks": ((NUM_LANDMARKS, 3), tf.float32),
        "depth": ((depth_size, depth_size, 1), tf.float32),
        "depth_mask": ((depth_size, depth_size, 1), tf.float32),
        "face_size": ((), tf.float32),
    }
    values = tf.numpy_function(
        sample,
        [number, chosen, *(batch[key] for key in _FIELDS if batch)],
        [dtype for _, dtype in specs.values()],
        stateful=False,
    )
    result = {
        key: tf.ensure_shape(value, (number.shape[0], *shape))
        for (key, (shape, _)), value in zip(specs.items(), values, strict=True)
    }
    if not training:
        result["source_face_size"] = batch["face_size"]
        result |= {key: batch[key] for key in ("person_id", "video_id", "frame")}
    return result
