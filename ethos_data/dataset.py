"""The input pipeline: reads shards and returns batches for training and evaluation.

    for batch in dataset.load(data_dir, "train", training=True):
        batch["image"]      # uint8 (B, S, S, 3), the network's input
        batch["landmarks"]  # float32 (B, 68, 3), in the frame of the network's window

The host only decodes and samples. Degradations run on the device of the model
(`ethos_data.degrade`). The order of the examples and their augmentation depend only on
the seed, so a run that is resumed with `start_step` gets the same batches as a run that
was not interrupted.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import cv2
import numpy as np
import tensorflow as tf

from ethos_data import dataset_files, records
from ethos_data.batches import augment, cache, callbacks, examples
from ethos_data.errors import EthosError
from ethos_data.topology import NUM_LANDMARKS

SHUFFLE_BUFFER: Final = 4096
"""Number of examples in the shuffle buffer. Encoded, each has about 15 kB."""

CACHE_BYTES: Final = 2 << 30  # 2 GiB
"""Splits that need less memory than this are decoded once and kept in memory."""

_EXPANSION: Final = 10
"""Size of a decoded example divided by its encoded size; 7.5 in YouTube Faces."""

_FIELDS: Final = (
    "pixels",
    "side",
    "depth",
    "landmarks",
    "window",
    "face_size",
    "visible",
    "has_z",
)
"""Keys of a decoded batch, in the order of the arguments of `examples.Examples`."""

_DECODE_BATCH: Final = 32
"""Number of examples that a thread decodes at a time."""

_CYCLE: Final = 16
"""Number of shards that are read in turn in training, 4 records from each."""


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
    """Returns the batches of a split.

    Example:
      ds = dataset.load("data", "validation", image_size=112, batch_size=32)
      for batch in ds:
          print(batch["image"].shape)  # (32, 112, 112, 3)

    Args:
      data_dir: The directory that was given to ethos-convert, or the directory of one
        version.
      split: "train", "validation" or "test".
      image_size: Width and height S of the network's input, in pixels.
      depth_size: Width and height D of the depth target, in pixels; None for
        `image_size`.
      batch_size: Number of examples in a step, over all workers.
      training: Whether to repeat without end, shuffle and augment. Otherwise the
        batches contain each example once, in the order of the shards, in the window
        that the predictor would cut.
      seed: Random seed of the order and the augmentation.
      augmentation: Limits of the random movement of the window; None for the defaults
        in training.
      start_step: Number of batches to skip, for a run that is resumed.
      worker: Index and number of workers. A worker gets B / number examples of each
        batch.
      shuffle_buffer: Number of examples in the shuffle buffer.
      cache_bytes: Largest decoded size of a split that is kept in memory in training,
        in bytes; 0 never keeps it.
      cache_dir: Local directory for decoded splits that do not fit into `cache_bytes`.
        All runs share it. None decodes such a split again in each epoch. The batches
        do not depend on `cache_bytes` and `cache_dir`.
      num_parallel_calls: Number of threads that decode and sample.
      device: Device that receives the batches in advance, for example "/gpu:0". None
        for the GPU if there is exactly one, "" for the host.

    Returns:
      A data set of dictionaries: `image` uint8 (B, S, S, 3), RGB; `landmarks` float32
      (B, 68, 3); `depth` float32 (B, D, D, 1), 0 where it is unknown; `depth_mask`
      float32 (B, D, D, 1), 1 where the depth is known; `face_size` float32 (B,);
      `visible` uint8 (B, 68), what is known of each landmark, see `visibility`; `has_z`
      bool (B,), whether z of the landmarks is a label. Landmarks, depth and face size
      are in the normalised frame of the network's window. Without `training` there are
      also `source_face_size` float32 (B,) in source pixels, the strings `person_id` and
      `video_id`, and `frame` int64, and the last batch may be smaller.

    Raises:
      EthosError: The data set or the split does not exist, or there are no examples to
        train with.
    """
    index, count = worker
    if not (0 <= index < count and batch_size % count == 0):
        raise ValueError(
            "The batch must be divisible by the number of workers. "
            f"Received: worker={worker}, batch_size={batch_size}"
        )
    if augmentation is None:
        augmentation = augment.Augmentation() if training else augment.NONE
    # Only once, because an object store is listed each time.
    directory = dataset_files.version_dir(data_dir)
    paths = dataset_files.shard_paths(directory, split)
    if training and not dataset_files.counts(directory).get(split):
        raise EthosError(f"{data_dir}: the split {split!r} contains no images")
    # Starting threads takes longer than an operation on an image of this size.
    cv2.setNumThreads(1)

    decoded = None
    ds = tf.data.TFRecordDataset(paths)
    if training:
        decoded = _decode_once(
            directory, split, paths, cache_bytes, cache_dir, num_parallel_calls
        )
        if decoded is None:
            sources = tf.data.Dataset.from_tensor_slices(paths)
            ds = _interleave(sources, tf.data.TFRecordDataset, seed)
        else:
            ends = np.cumsum(dataset_files.shard_lengths(directory)[split])
            ranges = tf.data.Dataset.from_tensor_slices((np.r_[0, ends[:-1]], ends))
            ds = _interleave(ranges, tf.data.Dataset.range, seed)
        # `repeat` after `shuffle`: an epoch contains each example once.
        ds = ds.shuffle(shuffle_buffer, seed=seed + 1, reshuffle_each_iteration=True)
        ds = ds.repeat()
    # The augmentation of an example depends only on its number in the run.
    ds = ds.enumerate().skip(start_step * batch_size).shard(count, index)
    # Python is called once for each batch, and other threads can run meanwhile.
    ds = ds.batch(batch_size // count, drop_remainder=training)
    options = {
        "image_size": image_size,
        "depth_size": depth_size or image_size,
        "augmentation": augmentation,
        "seed": seed,
    }
    sample = functools.partial(
        _sample, decoded=decoded, training=training, options=options
    )
    ds = ds.map(sample, num_parallel_calls)
    ds = ds.prefetch(tf.data.AUTOTUNE)
    # The strings of an evaluation cannot be copied to a device.
    return to_device(ds, device) if training else ds


def to_device(ds: tf.data.Dataset, device: str | None) -> tf.data.Dataset:
    """Copies batches to a device in advance. This must be the last step of a pipeline.

    Args:
      ds: Batches of numbers.
      device: Name of the device, for example "/gpu:0". None for the GPU if there is
        exactly one, "" for the host.
    """
    if device is None:
        gpus = tf.config.list_logical_devices("GPU")
        device = gpus[0].name if len(gpus) == 1 else ""
    if not device:
        return ds
    return ds.apply(tf.data.experimental.prefetch_to_device(device, 2))


def _decode_once(
    directory: str,
    split: str,
    paths: list[str],
    cache_bytes: int,
    cache_dir: str | os.PathLike[str] | None,
    num_parallel_calls: int,
) -> examples.Examples | None:
    """Decodes a split into memory or into `cache_dir`; see `load`.

    Returns:
      All examples, in the order of the shards; None if there is no room for them.

    Raises:
      EthosError: The shards contain another number of examples than they should.
    """
    expected = dataset_files.counts(directory)[split]

    def mismatch(count: int) -> EthosError:
        return EthosError(
            f"{directory}: the shards of the split {split!r} contain {count} "
            f"examples, but dataset_info.json says {expected}"
        )

    size = _EXPANSION * sum(os.path.getsize(path) for path in paths)
    if not size:
        raise mismatch(0)
    parts = _decoded_parts(tf.data.TFRecordDataset(paths), num_parallel_calls)
    if size <= cache_bytes:
        decoded = examples.concatenate(parts)
    elif cache_dir is not None:
        # The number changes with the arrays that the cache contains.
        name = f"{split}-2-{dataset_files.fingerprint(directory)[:32]}"
        cached = os.path.join(os.path.expanduser(os.fspath(cache_dir)), name)
        decoded = cache.load_or_create(cached, parts, size)
    else:
        return None
    if len(decoded) != expected:
        raise mismatch(len(decoded))
    return decoded


def _interleave(
    sources: tf.data.Dataset, read: Callable[..., tf.data.Dataset], seed: int
) -> tf.data.Dataset:
    """Reads several sources in turn, in a different order in each epoch.

    Args:
      sources: Paths of shards, or ranges of rows. Their number must be known.
      read: Function from a source to its elements: serialized examples or rows.
      seed: Random seed of the order, which does not depend on the kind of elements.
    """
    count = int(sources.cardinality())
    ds = sources.shuffle(count, seed=seed, reshuffle_each_iteration=True)
    return ds.interleave(read, cycle_length=min(_CYCLE, count), block_length=4)


def _decoded_parts(
    ds: tf.data.Dataset, num_parallel_calls: int
) -> Iterator[examples.Examples]:
    """Decodes serialized examples, a few at a time."""
    ds = ds.batch(_DECODE_BATCH).map(_decode, num_parallel_calls)
    for batch in ds.as_numpy_iterator():
        yield examples.Examples(*(batch[key] for key in _FIELDS))


def _decode(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses a batch of examples and decodes their images and depth maps."""
    parsed = records.parse_tensors(serialized)
    pixels, sides, depth = tf.numpy_function(
        callbacks.tracked(examples.decode),
        [parsed["image"], parsed["depth"]],
        [tf.uint8, tf.int64, tf.uint16],
        stateful=False,
    )
    return parsed | {"pixels": pixels, "side": sides, "depth": depth}


def _sample(
    number: tf.Tensor,
    selected: tf.Tensor,
    *,
    decoded: examples.Examples | None,
    training: bool,
    options: dict[str, Any],
) -> dict[str, tf.Tensor]:
    """Samples a batch.

    Args:
      number: int64 (B,), number of each example in the run.
      selected: int64 (B,), rows of `decoded`. If `decoded` is None: string (B,),
        serialized examples.
      decoded: All examples of the split, if they were decoded in advance.
      training: Whether to return only the values that training needs.
      options: Further arguments of `examples.sample`.
    """
    batch: dict[str, tf.Tensor] = {}
    if decoded is None:
        batch = _decode(selected)
        selected = tf.range(tf.shape(selected, tf.int64)[0])

    @callbacks.tracked
    def sample(number: Any, rows: Any, *fields: Any) -> list[np.ndarray]:
        source = examples.Examples(*fields) if decoded is None else decoded
        values = examples.sample(source, rows, index=number, **options)
        return [values[key] for key in specs]

    size, depth_size = options["image_size"], options["depth_size"]
    specs = {
        "image": ((size, size, 3), tf.uint8),
        "landmarks": ((NUM_LANDMARKS, 3), tf.float32),
        "depth": ((depth_size, depth_size, 1), tf.float32),
        "depth_mask": ((depth_size, depth_size, 1), tf.float32),
        "face_size": ((), tf.float32),
        "visible": ((NUM_LANDMARKS,), tf.uint8),
        "has_z": ((), tf.bool),
    }
    values = tf.numpy_function(
        sample,
        [number, selected, *(batch[key] for key in _FIELDS if batch)],
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
