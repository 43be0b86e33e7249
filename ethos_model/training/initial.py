"""The first weights of a run: a mean face, an exported model or another run."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import tensorflow as tf

from ethos_model import network, predict
from ethos_model.exported import weights
from ethos_model.training import batch_norm, checkpoint, inputs
from ethos_model.training.config import PRETRAINED, TrainConfig

if TYPE_CHECKING:
    from ethos_model.training.loop import Trainer

_ADAPTATION_IMAGES: Final = 1024
"""Number of training images to whose statistics batch norm is adapted."""


def start(trainer: Trainer, config: TrainConfig) -> None:
    """Sets the first weights of a run.

    Args:
      trainer: The networks, with random weights or those of `backbone_weights`.
      config: The run. `initial_weights` names a checkpoint, an exported model or
        nothing.

    Raises:
      EthosError: The weights cannot be read, or are those of another network.
    """
    path = os.path.expanduser(config.initial_weights)
    if not path:
        network.set_mean_face(trainer.model, inputs.mean_face(config))
    elif path == PRETRAINED or os.path.isdir(path):
        directory = predict.find(None if path == PRETRAINED else path)
        weights.load(trainer.model, os.path.join(directory, weights.FILE))
        batch_norm.adapt(trainer.model, _first_images(trainer, config))
    else:
        groups, _ = checkpoint.read(path)
        checkpoint.assign(trainer.model.variables, groups.get("average", {}), path)
    trainer.start()


def _first_images(trainer: Trainer, config: TrainConfig) -> Iterator[Any]:
    """The images that the network sees in the first steps, in batches."""
    batches = inputs.training_batches(config, tf.distribute.get_strategy())
    count = -(-_ADAPTATION_IMAGES // config.batch_size)
    for step, batch in enumerate(itertools.islice(batches, count)):
        yield trainer.shown(batch, tf.constant(step))[1]
