"""Loads the network of an exported model for further training."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ethos_data.errors import EthosError
from ethos_model import predict
from ethos_model.exported import weights

if TYPE_CHECKING:
    import keras


def check(model: str | None) -> tuple[str, dict[str, Any]]:
    """Checks that a model can be trained further. TensorFlow is not imported.

    Args:
      model: Directory of an exported model; None for the shipped model.

    Returns:
      The directory and the content of `ethos_model.json`.

    Raises:
      EthosError: The directory is not an exported model, or has no trainable weights.
    """
    directory = predict.find(model)
    card = predict.read_card(directory)
    if not os.path.exists(os.path.join(directory, weights.FILE)):
        raise EthosError(
            f"{directory}: contains no {weights.FILE}, so it cannot be trained; export "
            "it again with ethos-export"
        )
    if "alpha" not in card.get("training", {}):
        raise EthosError(
            f"{directory}: {predict.CARD} does not state the width (alpha)"
        )
    return directory, card


def load(directory: str, card: dict[str, Any]) -> keras.Model:
    """Builds the network of a model with its trainable weights.

    Args:
      directory: Directory of the model.
      card: Content of `ethos_model.json`.
    """
    from ethos_model import network

    model = network.build(
        image_size=int(card["image_size"]), alpha=float(card["training"]["alpha"])
    )
    weights.load(model, os.path.join(directory, weights.FILE))
    return model
