"""Where a run begins: at the mean face, another run's checkpoint or an exported model.

An exported model holds folded weights. Training needs batch norm, so it is measured
anew on the faces that are to be learnt (`batch_norm.unfold`).
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, Final

import keras
import numpy as np
import tensorflow as tf

from ethos_data import dataset
from ethos_data.errors import EthosError
from ethos_model import network, predict
from ethos_model.training import batch_norm, checkpoint, inputs
from ethos_model.training.config import PRETRAINED, TrainConfig

if TYPE_CHECKING:
    from ethos_model.training.loop import Trainer

_BATCH: Final = 64
_SIZING_IMAGES: Final = 512
_MEASURED_IMAGES: Final = 1024

# How Keras calls the operation of a layer that reads a variable.
_READERS: Final = {
    "kernel": ("convolution", "depthwise", "Cast"),
    "bias": ("Reshape", "BiasAdd"),
    "moving_mean": ("Cast",),
    "moving_variance": ("Cast_1",),
    "gamma": ("Cast_2",),
    "beta": ("Cast_3",),
}
_READ: Final = "ReadVariableOp/resource"


def start(trainer: Trainer, config: TrainConfig) -> None:
    """Gives the networks their first weights.

    Raises:
      EthosError: the weights cannot be read, or are another network's.
    """
    model, path = trainer.model, os.path.expanduser(config.initial_weights)
    if not path:
        network.set_mean_face(model, inputs.mean_face(config))
    elif path == PRETRAINED or os.path.isdir(path):
        folder = predict.find(None if path == PRETRAINED else path)
        checkpoint.assign(model.variables, exported_weights(folder, model), folder)
        # Sized on faces as they are, whichever the seed and the degradations: runs that
        # begin here can be averaged.
        batch_norm.normalize_kernels(model, _plain_images(config))
        # Measured on what the steps will show, a second data set's images too: else the
        # first of them would compute another function.
        batch_norm.unfold(model, _shown_images(trainer, config))
    else:
        groups, _ = checkpoint.read(path)
        checkpoint.assign(model.variables, groups.get("average", []), path)
    trainer.start()


def exported_weights(folder: str, model: keras.Model) -> list[np.ndarray]:
    """The weights of an exported model.

    Args:
      folder: what ethos-export wrote.
      model: of `network.build`, of the same size and width.

    Returns:
      float32, in the order of `model.variables`, kernels rounded to float16; batch norm
      as the export leaves it, which has mean 0 and deviation 1.

    Raises:
      EthosError: not an exported model, or another network.
    """
    predict.read_card(folder)
    path = os.path.join(folder, "saved_model.pb")
    constants = _constants(
        path, {variable.path.split("/")[0] for variable in model.variables}
    )
    found = []
    for variable in model.variables:
        layer, kind = variable.path.split("/")
        values = [
            constants[layer, reader]
            for reader in _READERS[kind]
            if (layer, reader) in constants
        ]
        if len(values) != 1:
            raise EthosError(f"{path}: holds no {variable.path} of this network")
        found.append(values[0].astype(np.float32))
    return found


def _constants(path: str, names: set[str]) -> dict[tuple[str, str], np.ndarray]:
    """The constants of a SavedModel that were variables, by layer and reader."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        with open(path, "rb") as file:
            saved.ParseFromString(file.read())
    except OSError as error:
        raise EthosError(f"{path}: {error.strerror or error}") from None
    except DecodeError as error:
        raise EthosError(f"{path}: not a SavedModel: {error}") from None
    constants = {}
    for graph in saved.meta_graphs:
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                # .../LAYER_1/READER/ReadVariableOp/resource or ..._float16
                name = node.name.removesuffix("_float16")
                if node.op != "Const" or not name.endswith(_READ):
                    continue
                layer, reader = name.removesuffix(f"/{_READ}").split("/")[-2:]
                if layer not in names:
                    layer = layer.rpartition("_")[0]
                value = tf.make_ndarray(node.attr["value"].tensor)
                constants[layer, reader] = value
    return constants


def _plain_images(config: TrainConfig) -> list[Any]:
    """The first training images in batches, always the same; see `dataset.load`."""
    batches = dataset.load(
        config.data_dir, "train", image_size=config.image_size, batch_size=_BATCH
    )
    return [batch["image"] for batch in batches.take(_SIZING_IMAGES // _BATCH)]


def _shown_images(trainer: Trainer, config: TrainConfig) -> list[Any]:
    """What the network sees in the first training steps, in batches."""
    batches = inputs.training_batches(config, tf.distribute.get_strategy())
    count = -(-_MEASURED_IMAGES // config.batch_size)
    return [
        trainer.shown(batch, tf.constant(step))[1]
        for step, batch in enumerate(itertools.islice(batches, count))
    ]
