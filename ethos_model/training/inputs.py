"""Batches and devices of a run: which machines, which images, from where on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import tensorflow as tf

from ethos_data import dataset, dataset_files
from ethos_data.batches import augment
from ethos_data.errors import EthosError
from ethos_model.training.config import TrainConfig

_KEYS: Final = ("image", "landmarks", "depth", "depth_mask", "face_size")
_MEAN_FACE_IMAGES: Final = 256
_EVALUATION_BATCH: Final = 64


def strategy() -> tf.distribute.Strategy:
    """The workers of TF_CONFIG if there are several, else all GPUs, else one device."""
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    except (ValueError, AttributeError) as error:
        raise EthosError(f"TF_CONFIG is not valid JSON: {error}") from None
    if len(cluster.get("worker", [])) + len(cluster.get("chief", [])) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the run's files. True outside of a cluster."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec():
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_type == "worker" and resolver.task_id == 0


def check_devices(config: TrainConfig, strategy: tf.distribute.Strategy) -> None:
    """Raises EthosError if the devices cannot do what the configuration wants."""
    if config.mixed_precision and not tf.config.list_logical_devices("GPU"):
        raise EthosError("--mixed_precision needs a GPU; none was found")
    count = strategy.num_replicas_in_sync
    if config.batch_size % count:
        raise EthosError(
            f"--batch_size must be a multiple of the {count} devices, "
            f"not {config.batch_size}"
        )
    each = config.batch_size // count
    if config.extra_data_dir and not 0 < _extra(config, each) < each:
        raise EthosError(
            f"--extra_share {config.extra_share:g} is no whole image, or all, of the "
            f"{each} that a device gets of each batch"
        )


def _extra(config: TrainConfig, images: int) -> int:
    """How many of a device's images come from the second data set."""
    return round(images * config.extra_share) if config.extra_data_dir else 0


def check_agreement(strategy: tf.distribute.Strategy, step: int) -> None:
    """Raises EthosError unless every worker resumes at the same step."""
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
            "average): --workdir must be a place that all of them see"
        )


def be_deterministic() -> None:
    """The same sums in the same order on each run."""
    tf.config.experimental.enable_op_determinism()


def training_mix(name: str) -> Any:
    """A mix of degradations of the library's, as the training step calls it."""
    from ethos_data import degrade

    mix = degrade.training_mix(name)
    return lambda images, face_size, seed: mix(images, face_size=face_size, seed=seed)


def _select(batch: dict[str, Any]) -> dict[str, Any]:
    return {key: batch[key] for key in _KEYS}


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {key: tf.concat([first[key], second[key]], 0) for key in first}


def training_batches(
    config: TrainConfig, strategy: tf.distribute.Strategy, *, start_step: int = 0
) -> Iterator[dict[str, Any]]:
    """Endless global batches, the same sequence for the same seed.

    However many replicas there are, together they see the images that one would.

    Args:
      config: data_dir, batch_size, image_size, seed.
      strategy: where the batches go.
      start_step: steps already taken.
    """
    replicas = strategy.num_replicas_in_sync

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        # One pipeline a machine feeds its devices in turn, a smaller batch for each.
        count = context.num_input_pipelines
        turns = replicas // count
        each = config.batch_size // turns // count
        extra = _extra(config, each)

        def load(data_dir: str, images: int, label_shift: float) -> tf.data.Dataset:
            return dataset.load(
                data_dir,
                "train",
                image_size=config.image_size,
                batch_size=images * count,
                training=True,
                seed=config.seed,
                augmentation=augment.Augmentation(
                    label_shift=label_shift, wanted_shift=config.label_shift
                ),
                start_step=start_step * turns,
                worker=(context.input_pipeline_id, count),
                cache_dir=config.cache_dir or None,
                device="",
            )

        ds = load(config.data_dir, each - extra, config.label_shift)
        if extra:
            other = load(config.extra_data_dir, extra, config.extra_label_shift)
            both = tf.data.Dataset.zip(ds, other)
            ds = both.map(_joined).prefetch(tf.data.AUTOTUNE)
        return dataset.to_device(ds, None if replicas == 1 else "")

    if replicas == 1:
        return iter(pipeline(tf.distribute.InputContext()))
    return iter(strategy.distribute_datasets_from_function(pipeline))


def describe(config: TrainConfig) -> dict[str, Any]:
    """What a run was trained on: for its checkpoints and the exported model's card.

    Returns:
      `fingerprint`, see `dataset_files`; `examples` by split; `extra`, the same
      of the second data set, if there is one.
    """
    described = _describe(config.data_dir)
    if config.extra_data_dir:
        described["extra"] = _describe(config.extra_data_dir)
    return described


def _describe(data_dir: str) -> dict[str, Any]:
    folder = dataset_files.version_dir(data_dir)
    return {
        "fingerprint": f"sha256:{dataset_files.fingerprint(folder)}",
        "examples": dataset_files.counts(folder),
    }


def validation_batches(config: TrainConfig) -> list[dict[str, Any]]:
    """The first images of the validation split, kept in memory; every worker has all.

    Raises:
      EthosError: the split is empty.
    """
    size = min(_EVALUATION_BATCH, config.validation_images)
    batches = dataset.load(
        config.data_dir, "validation", image_size=config.image_size, batch_size=size
    )
    left, kept = config.validation_images, []
    for batch in batches.map(_select).take(-(-config.validation_images // size)):
        kept.append({name: value[:left] for name, value in batch.items()})
        left -= size
    if not kept:
        raise EthosError(f"{config.data_dir}: the validation split has no images")
    return kept


def mean_face(config: TrainConfig) -> np.ndarray:
    """float32 (68, 3): mean landmarks of some training images, normalised."""
    batches = dataset.load(
        config.data_dir,
        "train",
        image_size=config.image_size,
        batch_size=_EVALUATION_BATCH,
    )
    found = [
        batch["landmarks"].numpy()
        for batch in batches.take(_MEAN_FACE_IMAGES // _EVALUATION_BATCH)
    ]
    if not found:
        raise EthosError(f"{config.data_dir}: the training split has no images")
    return np.concatenate(found).mean(axis=0)
