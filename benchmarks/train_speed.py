"""Measures the time of the parts of a training step, on a batch in memory.

    python -m benchmarks.train_speed

The steps take turns, so that other work on the machine affects all of them. The
processor time depends least on other work. `ethos-train --profile_steps` measures a
real run with its input.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks import measure
from ethos_data import options
from ethos_data.errors import cli
from ethos_data.quiet import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

    from ethos_model.training.config import TrainConfig

LANDMARKS_ONLY: Final = "backbone and landmark head"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the benchmark. Each field is a flag."""

    batch_size: int = options.option(16, "Number of images per step", minimum=1)
    image_size: int = options.option(
        112, "Side of the network's input, in pixels", minimum=32
    )
    turns: int = options.option(15, "Number of timed steps", minimum=1)
    output: str = measure.output_option("train_speed")


def random_batch(count: int, size: int) -> dict[str, tf.Tensor]:
    """A batch of noise with the structure of `ethos_data.dataset.load`."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return {
        "image": tf.constant(images),
        "landmarks": tf.constant(rng.random((count, 68, 3), dtype=np.float32)),
        "depth": tf.zeros((count, size, size, 1)),
        "depth_mask": tf.ones((count, size, size, 1)),
        "face_size": tf.fill([count], 0.74),
    }


def landmarks_only(
    config: TrainConfig, batch: dict[str, tf.Tensor]
) -> Callable[[], object]:
    """A training step without decoder, averaging, reports and degradation."""
    import keras
    import tensorflow as tf

    from ethos_model import network
    from ethos_model.training import losses

    complete = network.build(image_size=config.image_size)
    names = ("landmarks", "uncertainty")
    outputs = {name: complete.output[name] for name in names}
    model = keras.Model(complete.input, outputs)
    optimizer = keras.optimizers.AdamW(1e-4)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            predicted = model(batch["image"], training=True)
            landmarks, sigma = (predicted[name] for name in names)
            loss = tf.reduce_mean(
                losses.landmark_loss("gaussian", batch["landmarks"], landmarks, sigma)
            )
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        return loss

    return step


def parser() -> argparse.ArgumentParser:
    """The parser of the benchmark."""
    return measure.make_parser("train_speed", __doc__, Options)


@cli
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    chosen = options.from_flags(Options, parser().parse_args(argv))
    import_tensorflow()
    import tensorflow as tf

    from ethos_model.training import inputs, loop
    from ethos_model.training.config import TrainConfig

    config = TrainConfig(
        batch_size=chosen.batch_size,
        image_size=chosen.image_size,
        backbone_weights="none",
    )
    batch = random_batch(chosen.batch_size, chosen.image_size)
    strategy = tf.distribute.get_strategy()
    clean = loop.Trainer(config, strategy, None)
    degraded = loop.Trainer(config, strategy, inputs.training_mix())
    landmarks = landmarks_only(config, batch)
    calls: dict[str, Callable[[], object]] = {
        LANDMARKS_ONLY: lambda: np.asarray(landmarks()),
        "with decoder, averaging, clipping and reports": lambda: np.asarray(
            clean.train(batch)
        ),
        "with degradations (the complete step)": lambda: np.asarray(
            degraded.train(batch)
        ),
    }
    times = measure.take_turns(calls, chosen.turns)
    cores = os.cpu_count() or 1
    ratios = measure.ratios(
        {name: time.processor_median() for name, time in times.items()}, LANDMARKS_ONLY
    )
    rows = {
        name: {
            "wall ms": round(time.median()),
            "processor ms per core": round(time.processor_median() / cores),
            "ratio": round(ratios[name], 2),
        }
        for name, time in times.items()
    }
    measure.save(
        "train_speed",
        chosen,
        what=f"Time of one training step of {chosen.batch_size} images of "
        f"{chosen.image_size} px, medians of {chosen.turns} steps in turns.",
        figures={name: row for name, row in rows.items() if name != LANDMARKS_ONLY},
        baseline={LANDMARKS_ONLY: rows[LANDMARKS_ONLY]},
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
