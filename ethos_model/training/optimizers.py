"""The optimizer and its learning rate schedule."""

from __future__ import annotations

import keras

from ethos_model.training.config import TrainConfig


def make(config: TrainConfig) -> keras.optimizers.Optimizer:
    """AdamW with a linear warm-up and a cosine decay to 1 % of the learning rate.

    Args:
      config: The run. The decay ends with its last step.
    """
    steps = config.epochs * config.steps_per_epoch
    warmup = min(config.warmup_steps, steps // 4)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
    )
    # With mixed precision only the optimizer sees gradients without the loss scale.
    clip = config.clip_norm if config.mixed_precision and config.clip_norm else None
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=config.weight_decay,
        global_clipnorm=clip,
        name="adamw",  # checkpoints store variables by name
    )
    # Weight decay of a bias would pull the mean face to the origin.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if config.mixed_precision:
        return keras.optimizers.LossScaleOptimizer(optimizer, name="loss_scale")
    return optimizer
