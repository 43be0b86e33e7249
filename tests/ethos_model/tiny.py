"""A tiny data set and a tiny network, with which a training takes two seconds.

python -m tests.ethos_model.tiny FLAGS...     # ethos-train with the tiny network
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import numpy as np

from ethos_data import records, topology
from ethos_data.crop import Window
from ethos_data.storage import tfrecord

SIZE = 32
FLAGS = {
    "image_size": SIZE,
    "backbone_weights": "none",
    "batch_size": 4,
    "epochs": 3,
    "steps_per_epoch": 4,
    "validation_images": 6,
    "warmup_steps": 2,
    "deterministic": True,
    "pictures": 0,
}


def face(rng: np.random.Generator) -> np.ndarray:
    """Random landmarks float32 (68, 3), normalised in the stored window.

    They are symmetric, with a width that differs from face to face.
    """
    points = np.random.default_rng(1).uniform(-0.25, 0.25, (topology.NUM_LANDMARKS, 3))
    points = (points + points[topology.MIRROR] * (-1, 1, 1)) / 2
    points[:, 2] -= points[topology.EYES, 2].mean()
    points = points * (rng.uniform(0.9, 1), 1, 1) + (0.5, 0.5, 0)
    return points.astype(np.float32)


def write_data(data_dir: str, *, train: int = 24, validation: int = 6) -> str:
    """Writes a converted data set.

    Args:
      data_dir: Directory to write.
      train: Number of training faces.
      validation: Number of validation faces.

    Returns:
      `data_dir`.
    """
    rng = np.random.default_rng(7)
    directory = os.path.join(data_dir, records.NAME, records.VERSION)
    os.makedirs(directory)
    splits = []
    for split, count in (("train", train), ("validation", validation)):
        lengths = []
        for shard in range(2):
            chosen = range(shard, count, 2)
            name = f"{records.NAME}-{split}.tfrecord-{shard:05d}-of-00002"
            with open(os.path.join(directory, name), "wb") as file:
                for index in chosen:
                    file.write(tfrecord.frame(_record(rng, split, index)))
            lengths.append(str(len(chosen)))
        splits.append({"name": split, "shardLengths": lengths})
    with open(
        os.path.join(directory, "dataset_info.json"), "w", encoding="utf-8"
    ) as file:
        json.dump({"splits": splits}, file)
    return data_dir


def _record(rng: np.random.Generator, split: str, index: int) -> bytes:
    points = face(rng)
    depth = np.full((records.DEPTH_SIZE, records.DEPTH_SIZE), np.nan, np.float32)
    depth[30:60, 30:60] = 0.05
    extent = np.ptp(points[:, :2], axis=0) * 80
    return records.encode(
        records.Record(
            image=rng.integers(0, 256, (80, 80, 3), dtype=np.uint8),
            landmarks=points,
            depth=depth,
            person_id=f"{split}_{index}",
            video_id=f"{split}_{index}_0",
            frame=0,
            source_size=(120, 160),
            window=Window(9.5, 4.5, 80),
            face_size=float(np.sqrt(extent.prod())),
        )
    )


def build(
    *,
    image_size: int,
    alpha: float = 1.0,
    backbone_weights: str | None = None,
    batch_norm_momentum: float = 0.99,
    sync_batch_norm: bool = False,
) -> Any:
    """Replaces `network.build`: a convolution, batch norm and the outputs."""
    import keras
    from keras import layers, ops

    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(8, 3, strides=4, padding="same", use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(
        momentum=batch_norm_momentum, synchronized=sync_batch_norm, name="norm"
    )(x)
    x = layers.ReLU(name="relu")(x)
    flat = layers.Flatten()(x)
    points = layers.Dense(204, name="landmark_points", kernel_initializer="zeros")(flat)
    points = layers.Reshape((68, 3), dtype="float32")(points)
    sigma = layers.Dense(68, activation="sigmoid", dtype="float32", name="sigma")(flat)
    seen = layers.Dense(68, activation="sigmoid", dtype="float32", name="seen")(flat)
    maps = ops.depth_to_space(layers.Conv2D(32, 1, name="maps")(x), 4)
    maps = ops.cast(maps, "float32")
    return keras.Model(
        image,
        {
            "landmarks": layers.Rescaling(0.05, dtype="float32")(points),
            "uncertainty": 0.01 + sigma,
            "visible": seen,
            "depth": maps[..., :1],
            "restored": ops.sigmoid(maps[..., 1:]),
        },
    )


def darken() -> Any:
    """Replaces `inputs.training_mix`, whose compilation takes seconds."""
    import tensorflow as tf

    def degradation(images: Any, face_size: Any, seed: Any) -> Any:
        gain = tf.random.stateless_uniform([images.shape[0], 1, 1, 1], seed, 0.2, 1)
        return images * gain

    return degradation


def _kill_at(moment: str) -> None:
    """Sends SIGKILL to this process at a moment of the training.

    Args:
      moment: "step N" for after step N, "evaluate N" for before evaluation N (there are
        two in an epoch), or "save N" for while last.npz is written for the Nth time.
    """
    from ethos_model.training import checkpoint, loop, progress

    kind, number = moment.split()
    left = int(number)
    step_end, savez = progress.ProgressBar.step_end, checkpoint.np.savez
    evaluate = loop.Trainer.evaluate

    def strike() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def step(*args: Any) -> None:
        step_end(*args)
        strike()

    def save(file: Any, **arrays: Any) -> None:
        if any(name.startswith("optimizer") for name in arrays):  # not best.npz
            file.write(b"half a checkpoint")
            file.flush()
            strike()
            file.seek(0)
        savez(file, **arrays)

    def evaluate_later(*args: Any, **options: Any) -> Any:
        strike()
        return evaluate(*args, **options)

    if kind == "step":
        progress.ProgressBar.step_end = step
    elif kind == "evaluate":
        loop.Trainer.evaluate = evaluate_later
    else:
        checkpoint.np.savez = save


def _split_processor(count: int) -> None:
    """Makes TensorFlow see the processor as several devices of one machine."""
    import tensorflow as tf

    from ethos_model.training import inputs

    parts = [tf.config.LogicalDeviceConfiguration()] * count
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, parts)
    names = [f"CPU:{index}" for index in range(count)]
    inputs.strategy = lambda workers: tf.distribute.MirroredStrategy(names)


def main() -> int:
    from ethos_model import network, train
    from ethos_model.training import inputs

    if moment := os.environ.get("TINY_KILL_AT"):
        _kill_at(moment)
    if count := int(os.environ.get("TINY_DEVICES", "0")):
        _split_processor(count)
    network.build = build
    inputs.training_mix = darken
    return train.main()


if __name__ == "__main__":
    sys.exit(main())
