"""The time that each part of a training step takes, for `--profile_steps`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

from ethos_model.training import inputs, loop
from ethos_model.training.config import NO_WEIGHTS, TrainConfig

_WARM_UP: Final = 5
"""Number of steps before the measurement, in which functions are compiled and buffers
are filled."""

_HOST_ROUNDS: Final = 5
"""Number of times that the host reads the batches of all steps, so that batches which
were prepared before have little weight."""


@dataclasses.dataclass(frozen=True)
class Profile:
    """Seconds per step.

    Attributes:
      batch_size: Number of images in a step.
      host: Mean time to read, decode and augment a batch while nothing else runs.
      bare_step: Median time of forward pass, backward pass and update.
      degraded_step: Median time of the same with degradations.
      training: Mean time of a step of training, including its input.
      wait: Mean time of `training` in which the step waits for its batch.
    """

    batch_size: int
    host: float
    bare_step: float
    degraded_step: float
    training: float
    wait: float

    @property
    def stall(self) -> float:
        """Share of the training time that is spent waiting for input, 0 to 1."""
        return self.wait / self.training

    @property
    def degradation(self) -> float:
        """Cost of the degradations relative to the bare step; 0.1 is 10 % slower."""
        return self.degraded_step / self.bare_step - 1


def measure(config: TrainConfig, trainer: loop.Trainer, steps: int) -> Profile:
    """Measures `steps` steps of each kind.

    Args:
      config: The run.
      trainer: The networks. Their weights are not usable afterwards.
      steps: Number of steps.
    """
    strategy = trainer.strategy
    batches = inputs.training_batches(config, strategy)
    for _ in range(_WARM_UP):
        batch = next(batches)
    began = time.perf_counter()
    for _ in range(_HOST_ROUNDS * steps):
        batch = next(batches)
    host = (time.perf_counter() - began) / (_HOST_ROUNDS * steps)

    def step_of(trainer: loop.Trainer) -> Callable[[], Any]:
        # numpy() waits until the step has ended.
        return lambda: trainer.train(batch).numpy()

    kinds = [step_of(trainer)]
    if config.degrade:
        clean = dataclasses.replace(config, degrade=False, backbone_weights=NO_WEIGHTS)
        kinds.append(step_of(loop.Trainer(clean, strategy, None)))
    degraded, bare = (_medians(kinds, steps) * 2)[:2]

    waits, began = 0.0, time.perf_counter()
    for number in range(_WARM_UP + steps):
        if number == _WARM_UP:
            waits, began = 0.0, time.perf_counter()
        asked = time.perf_counter()
        batch = next(batches)
        waits += time.perf_counter() - asked
        trainer.train(batch).numpy()
    training = (time.perf_counter() - began) / steps
    return Profile(config.batch_size, host, bare, degraded, training, waits / steps)


def _medians(functions: list[Callable[[], Any]], calls: int) -> list[float]:
    """Median seconds of a call of each function.

    The functions are called in turn, so that other work on the machine affects all of
    them alike.
    """
    durations: list[list[float]] = [[] for _ in functions]
    for _ in range(_WARM_UP + calls):
        for function, seconds in zip(functions, durations, strict=True):
            began = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - began)
    return [sorted(seconds[_WARM_UP:])[calls // 2] for seconds in durations]


def table(profile: Profile) -> str:
    """A profile as text, one line for each stage."""
    gpus = len(tf.config.list_logical_devices("GPU"))
    title = f"batch of {profile.batch_size} on {f'{gpus} GPU' if gpus else 'CPU'}"
    rows = (
        ("host input alone", profile.host, ""),
        ("forward, backward, update", profile.bare_step, ""),
        ("the same, degraded", profile.degraded_step, f"{profile.degradation:+.1%}"),
        ("training with input", profile.training, ""),
        ("  of which waiting for input", profile.wait, f"{profile.stall:.1%}"),
    )
    lines = [f"{title:30} ms/step  images/s"]
    for name, seconds, remark in rows:
        rate = "" if name.startswith("  ") else f"{profile.batch_size / seconds:9.0f}"
        lines.append(f"{name:30} {seconds * 1e3:7.1f} {rate:9} {remark}".rstrip())
    return "\n".join(lines)
