"""Checks of everything that a run needs, before TensorFlow is imported.

The import takes seconds and the compilation a minute. A wrong path must not cost them.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from ethos_data import dataset_files
from ethos_data.errors import EthosError
from ethos_model import predict
from ethos_model.exported import weights
from ethos_model.training import checkpoint
from ethos_model.training.cluster import Cluster
from ethos_model.training.config import IMAGENET, NO_WEIGHTS, PRETRAINED, TrainConfig

_IMAGENET_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
"""Widths of MobileNetV2 whose weights Keras can download."""


def check(
    config: TrainConfig, workers: Cluster
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Checks values, paths, data sets and checkpoints.

    Args:
      config: The run. The directory `workdir` is created.
      workers: The workers of the run.

    Returns:
      The description of the data sets (see `describe`), and the meta data of the
      checkpoint that the run continues from; None if the run starts.

    Raises:
      EthosError: Names the setting or the path, and the problem.
    """
    config.check()
    count = len(workers.addresses)
    if count and config.batch_size % count:
        raise EthosError(
            f"--batch_size must be a multiple of the {count} workers of TF_CONFIG. "
            f"Received: {config.batch_size}"
        )
    _check_data(config)
    if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise EthosError(
            "--tensorboard needs a package: pip install 'ethos-faces[tensorboard]'"
        )
    for path in (config.workdir, config.cache_dir):
        if path:
            _check_writable(os.path.expanduser(path))
    last = os.path.join(config.workdir, checkpoint.LAST)
    data, meta = describe(config), None
    if os.path.exists(last):
        meta = _check_resumable(config, last, data)
    else:
        check_weights(config)
    return data, meta


def describe(config: TrainConfig) -> dict[str, Any]:
    """Describes the data sets of a run, for checkpoints and the card of the model.

    Returns:
      `fingerprint` (see `dataset_files.fingerprint`), `examples` by split, and `extra`
      with the same entries if there is a second data set.
    """
    description = _describe(config.data_dir)
    if config.extra_data_dir:
        description["extra"] = _describe(config.extra_data_dir)
    return description


def _describe(data_dir: str) -> dict[str, Any]:
    directory = dataset_files.version_dir(data_dir)
    return {
        "fingerprint": f"sha256:{dataset_files.fingerprint(directory)}",
        "examples": dataset_files.counts(directory),
    }


def _check_data(config: TrainConfig) -> None:
    counts = dataset_files.counts(config.data_dir)
    if not counts.get("train"):
        raise EthosError(f"{config.data_dir}: the training split has no images")
    if config.validation_images and not counts.get("validation"):
        raise EthosError(
            f"{config.data_dir}: the validation split has no images. "
            "--validation_images 0 trains without validation"
        )
    if config.extra_data_dir and not dataset_files.counts(config.extra_data_dir).get(
        "train"
    ):
        raise EthosError(f"{config.extra_data_dir}: the training split has no images")


def _check_writable(directory: str) -> None:
    """Creates a directory if necessary, and checks that files can be created in it."""
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise EthosError(f"{directory}: cannot be created: {reason}") from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise EthosError(f"{directory}: not writable")


def check_weights(config: TrainConfig) -> None:
    """Checks the files of the first weights.

    Raises:
      EthosError: A file is missing or belongs to another network.
    """
    path = os.path.expanduser(config.initial_weights)
    if not path:
        _check_backbone(config)
    elif path == PRETRAINED or os.path.isdir(path):
        _check_exported(config, predict.find(None if path == PRETRAINED else path))
    elif not os.path.exists(path):
        raise EthosError(f"{path}: no such file (--initial_weights)")
    else:
        _check_same_network(path, checkpoint.read_meta(path)["config"], config)


def _check_backbone(config: TrainConfig) -> None:
    path = config.backbone_weights
    if path == IMAGENET:
        if config.alpha not in _IMAGENET_ALPHAS:
            alphas = ", ".join(f"{alpha:g}" for alpha in _IMAGENET_ALPHAS)
            raise EthosError(
                f"--alpha must be one of {alphas} with ImageNet weights. "
                f"Received: {config.alpha:g}"
            )
    elif path not in ("", NO_WEIGHTS) and not os.path.isfile(path):
        raise EthosError(f"{path}: no such file (--backbone_weights)")


def _check_exported(config: TrainConfig, directory: str) -> None:
    card = predict.read_card(directory)
    path = os.path.join(directory, weights.FILE)
    if not os.path.exists(path):
        raise EthosError(f"{path}: no such file; ethos-export writes it")
    network = {"image_size": card["image_size"], **card.get("training", {})}
    _check_same_network(directory, network, config)


def _check_same_network(path: str, other: dict[str, Any], config: TrainConfig) -> None:
    for name in ("image_size", "alpha"):
        if name in other and other[name] != getattr(config, name):
            raise EthosError(
                f"{path}: weights of a network with --{name} {other[name]}. "
                f"Received: --{name} {getattr(config, name)}"
            )


def _check_resumable(
    config: TrainConfig, path: str, data: dict[str, Any]
) -> dict[str, Any]:
    """Checks that the configuration and the data may continue from a checkpoint.

    Returns:
      The meta data of the checkpoint.
    """
    meta = checkpoint.read_meta(path)
    differences = config.differences(meta["config"])
    before = meta.get("data", data)
    if before["fingerprint"] != data["fingerprint"]:
        differences.append(f"{config.data_dir} contains other data")
    if before.get("extra") != data.get("extra"):
        name = config.extra_data_dir or "--extra_data_dir"
        differences.append(f"{name} contains other data")
    if differences:
        raise EthosError(
            f"{path}: checkpoint of another configuration: {'; '.join(differences)}. "
            "Use the old values, or another --workdir"
        )
    return meta
