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

import numpy as np
import tensorflow as tf

from ethos_data import augment, crop, records
from ethos_data.errors import EthosError
from ethos_data.landmarks import NUM_LANDMARKS

SHUFFLE_BUFFER: Final = 4096
"""Examples, still encoded: about 20 kB each."""

_CYCLE: Final = 16
"""Shards that are read at once in training, a block of a few records from each."""


def version_dir(data_dir: str | os.PathLike[str]) -> str:
    """The directory with the shards: itself, or the newest version under it.

    Raises:
      EthosError: there is no converted data set.
    """
    data_dir = os.fspath(data_dir)
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
      start_step: batches to skip; they are read but not decoded.
      worker: (index, count): this worker's part of every batch, B / count examples.
      shuffle_buffer: examples that are shuffled, encoded.
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
    local = batch_size // count

    ds = _serialized(shards(data_dir, split), training, seed, shuffle_buffer)
    # The number of an example in the run is all that its augmentation depends on.
    ds = ds.enumerate().skip(start_step * batch_size).shard(count, index)
    ds = ds.batch(local, drop_remainder=training)
    ds = ds.map(
        functools.partial(_place, augmentation=augmentation, seed=seed),
        num_parallel_calls=num_parallel_calls,
    )
    ds = ds.unbatch().map(
        functools.partial(
            _sample,
            image_size=image_size,
            depth_size=depth_size or image_size,
            exact=augmentation == augment.NONE,
            training=training,
        ),
        num_parallel_calls=num_parallel_calls,
    )
    ds = ds.batch(local, drop_remainder=training).prefetch(tf.data.AUTOTUNE)
    if device is None:
        gpus = tf.config.list_logical_devices("GPU")
        device = gpus[0].name if len(gpus) == 1 else ""
    if training and device:
        # Must be the last step; strings, which only an evaluation has, cannot go.
        ds = ds.apply(tf.data.experimental.prefetch_to_device(device, 2))
    return ds


def _serialized(
    paths: list[str], training: bool, seed: int, shuffle_buffer: int
) -> tf.data.Dataset:
    """Encoded examples: in the shards' order, or shuffled for ever."""
    if not training:
        return tf.data.TFRecordDataset(paths)
    ds = tf.data.Dataset.from_tensor_slices(paths)
    ds = ds.shuffle(len(paths), seed=seed, reshuffle_each_iteration=True)
    ds = ds.interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(_CYCLE, len(paths)),
        block_length=4,
        num_parallel_calls=1,
        deterministic=True,
    )
    # Repeating after the shuffle: every example once before any comes again.
    ds = ds.shuffle(shuffle_buffer, seed=seed + 1, reshuffle_each_iteration=True)
    return ds.repeat()


def _place(
    index: tf.Tensor, serialized: tf.Tensor, *, augmentation: Any, seed: int
) -> dict[str, tf.Tensor]:
    """Parses a batch and finds where each network window lies; decodes no image."""
    batch = records.parse_tensors(serialized)

    def place(index, landmarks, windows, face_size):
        placement = augment.place(
            landmarks, windows, augmentation=augmentation, seed=seed, index=index
        )
        least, greatest = placement.corners()
        size = face_size / (windows[:, 2] * placement.side)
        return (
            placement.move(landmarks),
            placement.matrix(),
            placement.side.astype(np.float32),
            np.concatenate([least, greatest], axis=-1),
            size.astype(np.float32),
        )

    landmarks, matrix, side, corners, face_size = tf.numpy_function(
        place,
        [index, batch["landmarks"], batch["window"], batch["face_size"]],
        [tf.float32, tf.float64, tf.float32, tf.float64, tf.float32],
        stateful=False,
    )
    return batch | {
        "landmarks": tf.ensure_shape(landmarks, (None, NUM_LANDMARKS, 3)),
        "matrix": tf.ensure_shape(matrix, (None, 2, 3)),
        "side": tf.ensure_shape(side, (None,)),
        "corners": tf.ensure_shape(corners, (None, 4)),
        "source_face_size": batch["face_size"],
        "face_size": tf.ensure_shape(face_size, (None,)),
    }


def _sample(
    batch: dict[str, tf.Tensor],
    *,
    image_size: int,
    depth_size: int,
    exact: bool,
    training: bool,
) -> dict[str, tf.Tensor]:
    """Decodes one example and samples its window.

    Args:
      batch: one example out of `_place`.
      exact: slice and scale as the predictor does, instead of one affine sampling.
    """
    shape = tf.io.extract_jpeg_shape(batch["image"])
    if exact:
        part = tf.stack([0, 0, shape[0], shape[1]])
        # As OpenCV decodes; TensorFlow's default is 1.4 values off on the mean.
        image = tf.io.decode_jpeg(
            batch["image"], channels=3, dct_method="INTEGER_ACCURATE"
        )
    else:
        # A third of the stored crop is context for other draws: leave it undecoded.
        part = _needed(batch["corners"], shape)
        image = tf.io.decode_and_crop_jpeg(batch["image"], part, channels=3)
    values = tf.io.decode_png(batch["depth"], channels=1, dtype=tf.uint16)

    def sample(image, part, side, values, matrix, window_side):
        if exact:
            seen = _cut(image, matrix, window_side, image_size)
        else:
            pixels = augment.to_pixels(matrix, image_size, side, part[1::-1])
            seen = augment.sample_image(image, pixels, image_size)
        depth = records.depth_from_values(values[..., 0])
        mask = np.isfinite(depth).astype(np.float32)
        pixels = augment.to_pixels(matrix, depth_size, depth.shape[0])
        depth, mask = augment.sample_depth(
            np.nan_to_num(depth, copy=False), mask, pixels, depth_size, window_side
        )
        return seen, depth[..., None], mask[..., None]

    image, depth, mask = tf.numpy_function(
        sample,
        [image, part, shape[0], values, batch["matrix"], batch["side"]],
        [tf.uint8, tf.float32, tf.float32],
        stateful=False,
    )
    example = {
        "image": tf.ensure_shape(image, (image_size, image_size, 3)),
        "landmarks": batch["landmarks"],
        "depth": tf.ensure_shape(depth, (depth_size, depth_size, 1)),
        "depth_mask": tf.ensure_shape(mask, (depth_size, depth_size, 1)),
        "face_size": batch["face_size"],
    }
    if not training:
        for name in ("source_face_size", "person_id", "video_id", "frame"):
            example[name] = batch[name]
    return example


def _needed(corners: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """The part of a JPEG that a window needs: int32 y, x, height, width."""
    size = tf.cast(shape[:2], tf.float64)
    # One pixel more on every side for the interpolation, one for the rounding.
    least = tf.cast(tf.floor(corners[1::-1] * size), tf.int32) - 2
    greatest = tf.cast(tf.math.ceil(corners[:1:-1] * size), tf.int32) + 2
    least = tf.clip_by_value(least, 0, shape[:2] - 1)
    greatest = tf.clip_by_value(greatest, least + 1, shape[:2])
    return tf.concat([least, greatest - least], axis=0)


def _cut(
    image: np.ndarray, matrix: np.ndarray, window_side: float, size: int
) -> np.ndarray:
    """What the predictor's `crop.cut` and `crop.resize` would make of the frame."""
    side = image.shape[0]
    edges = np.array([*(matrix[:, 2] * side), window_side * side])
    left, top, whole = np.rint(edges)
    if np.abs(edges - (left, top, whole)).max() > 0.01:
        # The conversion had to shrink the crop: no pixel is the source's any more.
        return augment.sample_image(image, augment.to_pixels(matrix, size, side), size)
    window = crop.Window(left - 0.5, top - 0.5, whole)
    return crop.resize(crop.cut(image, window), size)
