"""Where the time of training goes: the table of `ethos-train --profile_steps N`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

from ethos_model.training import inputs, loop
from ethos_model.training.config import TrainConfig

_WARM_UP: Final = 5
"""Steps before the clock starts: they compile, and fill the pipeline."""

_HOST_ROUNDS: Final = 5
"""So many times the steps are read, for batches that lay ready not to count."""


@dataclasses.dataclass(frozen=True)
class Profile:
    """Seconds a step (of `batch_size` images).

    Attributes:
      batch_size: images a step.
      host: reading, decoding and augmenting a batch with nothing else running, mean.
      bare_step: forward, backward and update on a batch that is at hand, median.
      degraded_step: the same with the degradations in it, median.
      training: a step of steady training, input and all, mean.
      wait: of that, the time in which the step waits for its batch, mean.
    """

    batch_size: int
    host: float
    bare_step: float
    degraded_step: float
    training: float
    wait: float

    @property
    def stall(self) -> float:
        """Share of training's time that is spent waiting for input, 0-1."""
        return self.wait / self.training

    @property
    def degradation(self) -> float:
        """Cost of the degradations over the bare step: 0.1 is 10 % slower."""
        return self.degraded_step / self.bare_step - 1


def measure(config: TrainConfig, trainer: loop.Trainer, steps: int) -> Profile:
    """Measures `steps` steps of each kind; the trainer is of no use afterwards."""
    strategy = trainer.strategy
    batches = inputs.training_batches(config, strategy)
    for _ in range(_WARM_UP):
        batch = next(batches)
    began = time.perf_counter()
    for _ in range(_HOST_ROUNDS * steps):
        batch = next(batches)
    host = (time.perf_counter() - began) / (_HOST_ROUNDS * steps)

    def step(stepped: loop.Trainer) -> Callable[[], Any]:
        return lambda: stepped.train(batch).numpy()  # to the host: the step has ended

    kinds = [step(trainer)]
    if config.degrade:
        clean = dataclasses.replace(config, degrade=False, backbone_weights="none")
        kinds.append(step(loop.Trainer(clean, strategy, None)))
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


def _medians(runs: list[Callable[[], Any]], steps: int) -> list[float]:
    """Median seconds of each call. They take turns: other work disturbs all alike."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(_WARM_UP + steps):
        for run, found in zip(runs, seconds, strict=True):
            began = time.perf_counter()
            run()
            found.append(time.perf_counter() - began)
    return [sorted(found[_WARM_UP:])[steps // 2] for found in seconds]


def report(profile: Profile) -> str:
    """The table, one line a stage."""
    devices = tf.config.list_logical_devices("GPU") or ["CPU"]
    where = "CPU" if devices == ["CPU"] else f"{len(devices)} GPU"
    rows = (
        ("host input alone", profile.host, ""),
        ("forward, backward, update", profile.bare_step, ""),
        (
            "the same with degradation",
            profile.degraded_step,
            f"{profile.degradation:+.1%}",
        ),
        ("training, all together", profile.training, ""),
        ("  of which waiting for input", profile.wait, f"{profile.stall:.1%}"),
    )
    lines = [f"{f'batch of {profile.batch_size} on {where}':30} ms/step  images/s"]
    for name, seconds, remark in rows:
        rate = "" if name.startswith("  ") else f"{profile.batch_size / seconds:9.0f}"
        lines.append(f"{name:30} {seconds * 1e3:7.1f} {rate:9} {remark}".rstrip())
    return "\n".join(lines)
