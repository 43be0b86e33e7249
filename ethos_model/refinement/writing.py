"""Writes a refined network as a complete exported model."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import keras

from ethos_model.export import export
from ethos_model.metrics import SIGMA_RATIO
from ethos_model.refinement.recipe import Recipe
from ethos_model.training import checkpoint
from ethos_model.training.config import TrainConfig


def write(
    directory: str,
    model: keras.Model,
    card: dict[str, Any],
    recipe: Recipe,
    *,
    name: str,
    sigma_ratio: float,
    summary: dict[str, Any],
) -> str:
    """Writes the model into a directory.

    Args:
      directory: Existing directory for `model` and for temporary files.
      model: The refined network.
      card: `ethos_model.json` of the first model.
      recipe: Settings of the training.
      name: Name of the model.
      sigma_ratio: Number of the network's standard deviations that contain 68.3 % of
        the errors.
      summary: Numbers of faces and errors, for the card.

    Returns:
      The directory of the model.
    """
    path = os.path.join(directory, checkpoint.BEST)
    settings = TrainConfig(
        image_size=card["image_size"],
        alpha=card["training"]["alpha"],
        initial_weights=card["name"],
        batch_size=recipe.batch_size,
        epochs=1,
        steps_per_epoch=recipe.steps,
        learning_rate=recipe.learning_rate,
        extra_share=recipe.heads_share,
        label_shift=card.get("label_shift", 0.0),
        restored_weight=recipe.restored_weight,
        visible_weight=recipe.visible_weight,
        clip_norm=recipe.clip_norm,
        seed=recipe.seed,
    )
    row = {"epoch": 1, "step": recipe.steps, "val_nme": summary["after"]["corrections"]}
    row |= {f"{kind}_{SIGMA_RATIO}": sigma_ratio for kind in ("val", "val_degraded")}
    meta = {
        "config": dataclasses.asdict(settings),
        "history": [row],
        "step": recipe.steps,
        "data": {"refinement": summary, "before": card.get("training_data", {})},
    }
    checkpoint.write(path, {"average": checkpoint.values(model.variables)}, meta)
    output = os.path.join(directory, "model")
    return export(directory, output, checkpoint_path=path, name=name)
