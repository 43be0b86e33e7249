"""The network that combines the merged frames, run by LiteRT or TensorFlow."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
from typing import Any, Final

import numpy as np

from ethos_data.errors import EthosError
from ethos_model import runner

CHANNELS: Final = 12
"""Channels of the input; see `FaceFusion.inputs`."""

CARD: Final = "fusion_model.json"
LITE: Final = "fusion.tflite"
SAVED: Final = "saved_model"
SIGNATURE: Final = "serving_default"
FORMAT_VERSION: Final = 1


class FusionNetwork:
    """A function from the merged frames to the restored face and its sigma.

    Attributes:
      card: Content of `fusion_model.json`.
    """

    def __init__(self, directory: str) -> None:
        """Loads a model that ethos-train-fusion exported.

        Raises:
          EthosError: The directory contains no such model, or it is damaged.
        """
        self.card = _read_card(directory)
        lite = os.path.join(directory, LITE)
        if importlib.util.find_spec("ai_edge_litert") and os.path.exists(lite):
            self._run = runner.litert(lite, SIGNATURE)
        else:
            saved = os.path.join(directory, SAVED)
            self._run = runner.saved_model(saved, SIGNATURE)

    @classmethod
    @functools.cache
    def shipped(cls) -> FusionNetwork:
        """Returns the network that is part of ETHOS. It is loaded once."""
        return cls(os.path.join(os.path.dirname(__file__), "model"))

    def __call__(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes the restored face.

        Args:
          inputs: float32 (S, S, 12), see `FaceFusion.inputs`. S is `card["size"]`.

        Returns:
          image: float32 (S, S, 3), RGB with typical brightness, about 0 to 1.
          sigma: float32 (S, S), standard deviation of its brightness.

        Raises:
          ValueError: The network is made for another size.
        """
        size = self.card["size"]
        if inputs.shape[:2] != (size, size):
            raise ValueError(
                f"This network is made for {size} x {size} pixels. "
                f"Received: {inputs.shape}"
            )
        outputs = self._run(inputs=inputs[None])
        return outputs["image"][0], outputs["sigma"][0, ..., 0]


def _read_card(directory: str) -> dict[str, Any]:
    path = os.path.join(directory, CARD)
    try:
        with open(path, encoding="utf-8") as file:
            card = json.load(file)
        version, channels = int(card["format_version"]), int(card["channels"])
        int(card["size"])
    except FileNotFoundError:
        raise EthosError(
            f"{directory}: not a fusion model, because it contains no {CARD}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EthosError(f"{path}: not the card of a fusion model: {error!r}") from None
    if version > FORMAT_VERSION or channels != CHANNELS:
        raise EthosError(f"{path}: written by another version of ETHOS")
    return card
