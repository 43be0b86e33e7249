"""From shards to batches: read, shuffle, decode, move, batch, prefetch.

    for batch in dataset.load(data_dir, "train", training=True):
        batch["image"]      # uint8 (B, S, S, 3), what the network sees
        batch["landmarks"]  # float32 (B, 68, 3), normalised in the network's window

The host only decodes and samples; degradations run where the model runs
(`ethos_data.degrade`). The order of the examples and their augmentation depend on the
seed alone, so a run that is resumed with `start_step` sees what it would have seen.
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any, Final

import cv2
import numpy as np
import tensorflow as tf

from ethos_data import augment, crop, records, remote
from ethos_data.errors import EthosError
from ethos_data.landmarks import NUM_LANDMARKS

SHUFFLE_BUFFER: Final = 4096
"""Examples, still encoded: about 15 kB each."""

CACHE_BYTES: Final = 2 << 30  # 2 GiB
"""Splits that take less memory are decoded once and then kept."""

_DEPTHS: Final = np.nan_to_num(
    records.depth_from_values(np.arange(1 << 16, dtype=np.uint16)), nan=augment.HOLE
)
"""float32: the depth that each stored value stands for. A look-up takes a third of the
time of the arithmetic."""

_EXPANSION: Final = 10
"""Bytes of a decoded example over those of an encoded one: 7.5 in YouTube Faces."""

_CYCLE: Final = 16
"""Shards that are read at once in training, a block of a few records from each."""


def version_dir(data_dir: str | os.PathLike[str]) -> str:
    """The directory with the shards: itself, or the newest version under it.

    Raises:
      EthosError: there is no converted data set.
    """
    data_dir = remote.local(os.fspath(data_dir))
    pattern = os.path.join(data_dir, records.NAME, "*", "dataset_info.json")
    found = [os.path.dirname(path) for path in tf.io.gfile.glob(pattern)]
    if tf.io.gfile.exists(os.path.join(data_dir, "dataset_info.json")):
        found = [data_dir]
    if not found:
        raise EthosError(f"{data_dir}: no data set here; ethos-convert writes one")
    return max(found, key=_version)


def _version(path: str) -> tuple[int, ...]:
    numbers = os.path.basename(path).split(".")
    return tuple(int(n) if n.isdigit() else -1 for n in numbers)


def shards(data_dir: str | os.PathLike[str], split: str) -> list[str]:
    """Paths of a split's shards, in order.

    Raises:
      EthosError: the split does not exist, or shards are missing.
    """
    folder = version_dir(data_dir)
    prefix = os.path.join(folder, f"{records.NAME}-{split}.tfrecord-")
    paths = sorted(tf.io.gfile.glob(f"{prefix}*-of-*"))
    if not paths:
        raise EthosError(
            f"{folder}: no split {split!r}; there is {', '.join(counts(folder))}"
        )
    if len(paths) != (wanted := int(paths[0].rsplit("-of-", 1)[1])):
        raise EthosError(f"{prefix}*: {len(paths)} of {wanted} shards are here")
    return paths


def counts(data_dir: str | os.PathLike[str]) -> dict[str, int]:
    """Number of examples by split."""
    path = os.path.join(version_dir(data_dir), "dataset_info.json")
    with tf.io.gfile.GFile(path) as file:
        splits = json.load(file).get("splits", [])
    return {one["name"]: sum(map(int, one["shardLengths"])) for one in splits}


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
        takes no more than this; 0 = never. The order of examples depends on it.
      num_parallel_calls: threads that decode.
      device: where to put the batches ahead of time, as "/gpu:0"; None = the GPU if
        there is exactly one, "" = leave them on the host.

    Returns:
      Dictionaries of `image` uint8 (B, S, S, 3), `landmarks` float32 (B, 68, 3),
      `depth` float32 (B, D, D, 1), 0 where there is none, `depth_mask` of the same
      shape and `face_size` float32 (B,), all in the unit of the network's window. When
      not training also `source_face_size` float32 (B,) in source pixels, `person_id`,
      `video_id` strings and `frame` int64, and the last batch may be smaller.

    Raises:
      EthosError: the data set or the split is not there.
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
    cached = training and _decoded_bytes(paths) <= cache_bytes
    # Pictures of a hundred pixels are not worth waking threads for.
    cv2.setNumThreads(1)

    ds = _serialized(paths, training, seed)
    if cached:
        ds = ds.map(_decode, num_parallel_calls).cache()
    if training:
        # Repeating after the shuffle: every example once before any comes again.
        ds = ds.shuffle(shuffle_buffer, seed=seed + 1, reshuffle_each_iteration=True)
        ds = ds.repeat()
    # The number of an example in the run is all that its augmentation depends on.
    ds = ds.enumerate().skip(start_step * batch_size).shard(count, index)
    if not cached:
        ds = ds.map(lambda number, one: (number, _decode(one)), num_parallel_calls)
    # One call of Python for each batch: for each image it would cost as much as its
    # sampling. Stored crops differ in size, so they come flat, with zeros behind (a
    # `ragged_batch` takes 0.28 ms an image for what this does in 0.02).
    ds = ds.padded_batch(batch_size // count, drop_remainder=training)
    ds = ds.map(
        functools.partial(
            _sample,
            image_size=image_size,
            depth_size=depth_size or image_size,
            augmentation=augmentation,
            seed=seed,
            training=training,
        ),
        num_parallel_calls=_samplers(),
    )
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


def _samplers() -> int:
    """Threads that sample. OpenCV lets Python's lock go for each image and takes it
    back: with two threads on two busy cores every image took 15 % more CPU time."""
    return max(1, (os.cpu_count() or 1) // 4)


def _serialized(paths: list[str], training: bool, seed: int) -> tf.data.Dataset:
    """Encoded examples, each once: in the shards' order, or from many at a time."""
    if not training:
        return tf.data.TFRecordDataset(paths)
    ds = tf.data.Dataset.from_tensor_slices(paths)
    ds = ds.shuffle(len(paths), seed=seed, reshuffle_each_iteration=True)
    return ds.interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(_CYCLE, len(paths)),
        block_length=4,
        num_parallel_calls=1,
        deterministic=True,
    )


def _decoded_bytes(paths: list[str]) -> int:
    """About how much memory the decoded examples of some shards take."""
    return _EXPANSION * sum(tf.io.gfile.stat(path).length for path in paths)


def _decode(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses an example and decodes its image, flat, and its depth."""
    example = records.parse_tensors(serialized)
    # As OpenCV decodes; TensorFlow's default is 1.4 values off on the mean.
    image = tf.io.decode_jpeg(
        example["image"], channels=3, dct_method="INTEGER_ACCURATE"
    )
    values = tf.io.decode_png(example["depth"], channels=1, dtype=tf.uint16)
    return example | {
        "image": tf.reshape(image, [-1]),
        "side": tf.shape(image)[0],
        "depth": tf.ensure_shape(values, (records.DEPTH_SIZE, records.DEPTH_SIZE, 1)),
    }


def _sample(
    index: tf.Tensor,
    batch: dict[str, Any],
    *,
    image_size: int,
    depth_size: int,
    augmentation: augment.Augmentation,
    seed: int,
    training: bool,
) -> dict[str, tf.Tensor]:
    """Places the network's windows of a batch and samples image and depth there."""
    sizes = ((image_size, image_size, 3), (depth_size, depth_size, 1))
    options = {"augmentation": augmentation, "seed": seed}
    image, depth, mask, landmarks, face_size = tf.numpy_function(
        functools.partial(_sample_numpy, sizes=sizes, options=options),
        [
            index,
            batch["image"],
            batch["side"],
            batch["depth"],
            batch["landmarks"],
            batch["window"],
            batch["face_size"],
        ],
        [tf.uint8] + [tf.float32] * 4,
        stateful=False,
    )
    count = batch["landmarks"].shape[0]
    result = {
        "image": tf.ensure_shape(image, (count, *sizes[0])),
        "landmarks": tf.ensure_shape(landmarks, (count, NUM_LANDMARKS, 3)),
        "depth": tf.ensure_shape(depth, (count, *sizes[1])),
        "depth_mask": tf.ensure_shape(mask, (count, *sizes[1])),
        "face_size": tf.ensure_shape(face_size, (count,)),
    }
    if not training:
        result["source_face_size"] = batch["face_size"]
        result |= {key: batch[key] for key in ("person_id", "video_id", "frame")}
    return result


def _sample_numpy(
    index: np.ndarray,
    flat: np.ndarray,
    sides: np.ndarray,
    values: np.ndarray,
    landmarks: np.ndarray,
    windows: np.ndarray,
    face_size: np.ndarray,
    *,
    sizes: tuple[tuple[int, int, int], ...],
    options: dict[str, Any],
) -> tuple[np.ndarray, ...]:
    placement = augment.place(landmarks, windows, index=index, **options)
    matrix = placement.matrix()
    images = np.empty((len(index), *sizes[0]), np.uint8)
    at = augment.to_pixels(matrix, sizes[0][0], sides)
    exact = options["augmentation"] == augment.NONE
    for i, side in enumerate(sides.tolist()):
        stored = flat[i, : side * side * 3].reshape(side, side, 3)
        window = _whole(matrix[i], placement.side[i], side) if exact else None
        if window is None:
            augment.sample_image(stored, at[i], sizes[0][0], result=images[i])
        else:
            images[i] = crop.resize(crop.cut(stored, window), sizes[0][0])
    depth, mask = augment.sample_depth(
        (_DEPTHS[one] for one in values[..., 0]),
        augment.to_pixels(matrix, sizes[1][0], values.shape[1]),
        sizes[1][0],
        placement.side,
    )
    seen_size = face_size / (windows[:, 2] * placement.side)
    moved = placement.move(landmarks)
    seen_size = seen_size.astype(np.float32)
    return images, depth[..., None], mask[..., None], moved, seen_size


def _whole(matrix: np.ndarray, window_side: float, side: int) -> crop.Window | None:
    """The predictor's window, if it lies on whole pixels of the stored crop.

    Then `crop.cut` and `crop.resize` make what the predictor would. It does not where
    the conversion had to shrink the crop to its largest size.
    """
    edges = np.array([*(matrix[:, 2] * side), window_side * side])
    left, top, size = np.rint(edges)
    if np.abs(edges - (left, top, size)).max() > 0.01:
        return None
    return crop.Window(left - 0.5, top - 0.5, size)
