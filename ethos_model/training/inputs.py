"""The devices and the batches of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import tensorflow as tf

from ethos_data import dataset
from ethos_data.batches import augment
from ethos_data.errors import EthosError
from ethos_model.training.cluster import Cluster
from ethos_model.training.config import TrainConfig

_KEYS: Final = (
    "image",
    "landmarks",
    "depth",
    "depth_mask",
    "face_size",
    "visible",
    "has_z",
)
_MEAN_FACE_IMAGES: Final = 256
_EVALUATION_BATCH: Final = 64

_TURNED: Final = 0.1
"""Share of the training images that are turned by any angle, up to upside down. The
others are turned by up to 30 degrees."""


def strategy(workers: Cluster | None = None) -> tf.distribute.Strategy:
    """The distribution strategy of a run.

    Args:
      workers: Result of `cluster.read`; None for a process that trains alone.

    Returns:
      A strategy for all workers if there are several, else for all GPUs, else for one
      device.
    """
    if workers is not None and len(workers.addresses) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def check_devices(config: TrainConfig, strategy: tf.distribute.Strategy) -> None:
    """Checks the settings that depend on the devices.

    Raises:
      EthosError: The devices do not allow a setting.
    """
    if config.mixed_precision and not tf.config.list_logical_devices("GPU"):
        raise EthosError("--mixed_precision needs a GPU, but none was found")
    count = strategy.num_replicas_in_sync
    if config.batch_size % count:
        raise EthosError(
            f"--batch_size must be a multiple of the {count} devices. "
            f"Received: {config.batch_size}"
        )
    config.check_share(config.batch_size // count)


def check_agreement(strategy: tf.distribute.Strategy, step: int) -> None:
    """Checks that all workers resume at the same step.

    Raises:
      EthosError: The workers do not see the same checkpoint.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return

    @tf.function
    def total(value: tf.Tensor) -> tf.Tensor:
        per_replica = strategy.run(lambda: tf.cast(value, tf.float32))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)

    mean = float(total(tf.constant(step))) / count
    if mean != step:
        raise EthosError(
            f"the workers found different checkpoints (step {step} here, {mean:.0f} on "
            "average). All workers must see the same --workdir"
        )


def be_deterministic() -> None:
    """Makes TensorFlow add numbers in the same order in every run."""
    tf.config.experimental.enable_op_determinism()


def training_mix() -> Any:
    """The degradations of training; see `loop.Trainer`."""
    from ethos_data import degrade

    return degrade.training_mix()


def _select(batch: dict[str, Any]) -> dict[str, Any]:
    return {key: batch[key] for key in _KEYS}


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {key: tf.concat([first[key], second[key]], 0) for key in first}


def training_batches(
    config: TrainConfig, strategy: tf.distribute.Strategy, *, start_step: int = 0
) -> Iterator[dict[str, Any]]:
    """Training batches without end. The same seed gives the same batches.

    All replicas together get the images that a single replica would get.

    Args:
      config: The run.
      strategy: Distribution strategy that receives the batches.
      start_step: Number of batches to skip, for a run that is resumed.
    """
    replicas = strategy.num_replicas_in_sync

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        # Each machine has one pipeline. Its devices take batches from it in turn.
        count = context.num_input_pipelines
        devices = replicas // count
        each = config.batch_size // devices // count
        extra = config.extra_images(each)

        def load(data_dir: str, images: int, label_shift: float) -> tf.data.Dataset:
            return dataset.load(
                data_dir,
                "train",
                image_size=config.image_size,
                batch_size=images * count,
                training=True,
                seed=config.seed,
                augmentation=augment.Augmentation(
                    turned=_TURNED,
                    label_shift=label_shift,
                    wanted_shift=config.label_shift,
                ),
                start_step=start_step * devices,
                worker=(context.input_pipeline_id, count),
                cache_dir=config.cache_dir or None,
                device="",
            )

        ds = load(config.data_dir, each - extra, config.label_shift)
        if extra:
            other = load(config.extra_data_dir, extra, 0.0)
            both = tf.data.Dataset.zip(ds, other)
            ds = both.map(_joined).prefetch(tf.data.AUTOTUNE)
        return dataset.to_device(ds, None if replicas == 1 else "")

    if replicas == 1:
        return iter(pipeline(tf.distribute.InputContext()))
    return iter(strategy.distribute_datasets_from_function(pipeline))


def validation_batches(config: TrainConfig) -> list[dict[str, Any]]:
    """The first images of the validation split, in memory.

    Every worker of a distributed run has all of them.

    Returns:
      The batches; none if `validation_images` is 0.

    Raises:
      EthosError: The split contains no images.
    """
    if not config.validation_images:
        return []
    size = min(_EVALUATION_BATCH, config.validation_images)
    ds = dataset.load(
        config.data_dir, "validation", image_size=config.image_size, batch_size=size
    )
    remaining, batches = config.validation_images, []
    for batch in ds.map(_select).take(-(-config.validation_images // size)):
        batches.append({name: value[:remaining] for name, value in batch.items()})
        remaining -= size
    if not batches:
        raise EthosError(f"{config.data_dir}: the validation split has no images")
    return batches


def mean_face(config: TrainConfig) -> np.ndarray:
    """Mean landmarks of the first training images.

    Returns:
      float32 (68, 3), normalised in the network's window.
    """
    ds = dataset.load(
        config.data_dir,
        "train",
        image_size=config.image_size,
        batch_size=_EVALUATION_BATCH,
    )
    landmarks = [
        batch["landmarks"].numpy()
        for batch in ds.take(_MEAN_FACE_IMAGES // _EVALUATION_BATCH)
    ]
    if not landmarks:
        raise EthosError(f"{config.data_dir}: the training split has no images")
    return np.concatenate(landmarks).mean(axis=0)
