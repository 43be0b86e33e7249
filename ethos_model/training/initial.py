"""The first weights of a run: a mean face, an exported model or another run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ethos_model import network, predict
from ethos_model.exported import weights
from ethos_model.training import checkpoint, inputs
from ethos_model.training.config import PRETRAINED, TrainConfig

if TYPE_CHECKING:
    from ethos_model.training.loop import Trainer


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
    else:
        groups, _ = checkpoint.read(path)
        checkpoint.assign(trainer.model.variables, groups.get("average", {}), path)
    trainer.start()
