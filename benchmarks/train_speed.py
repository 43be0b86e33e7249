"""What each part of the training step costs, on a batch that is at hand.

    python -m benchmarks.train_speed [--batch_size 16] [--image_size 112]

Steps of every kind are taken turn by turn, so that other work on the machine disturbs
all alike. The median wall time is printed, and the processor time a core, which other
work changes least. `ethos-train --profile_steps` adds the input of a real run.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from ethos_data.errors import cli
from ethos_model import network
from ethos_model.training import inputs, loop, losses
from ethos_model.training.config import TrainConfig

Run = Callable[[], object]


def fake_batch(count: int, size: int) -> dict[str, tf.Tensor]:
    """Noise of the element spec of `ethos_data.dataset.load`."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return {
        "image": tf.constant(images),
        "landmarks": tf.constant(rng.random((count, 68, 3), dtype=np.float32)),
        "depth": tf.zeros((count, size, size, 1)),
        "depth_mask": tf.ones((count, size, size, 1)),
        "face_size": tf.fill([count], 0.74),
    }


def landmarks_only(config: TrainConfig, batch: dict[str, tf.Tensor]) -> Run:
    """The step of a network without decoder, averaging, reports and degradation."""
    whole = network.build(image_size=config.image_size)
    names = ("landmarks", "uncertainty")
    model = keras.Model(whole.input, {name: whole.output[name] for name in names})
    optimizer = keras.optimizers.AdamW(1e-4)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = model(batch["image"], training=True)
            points, sigma = (outputs[name] for name in names)
            loss = tf.reduce_mean(
                losses.landmark_loss("gaussian", batch["landmarks"], points, sigma)
            )
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        return loss

    return step


def measure(runs: dict[str, Run], turns: int) -> dict[str, tuple[float, float]]:
    """Median wall time, and mean processor time over the cores, of a call, ms."""
    cores = os.cpu_count() or 1
    walls: dict[str, list[float]] = {name: [] for name in runs}
    processor = dict.fromkeys(runs, 0.0)
    for run in runs.values():
        for _ in range(3):
            run()
    for _ in range(turns):
        for name, run in runs.items():
            used, began = time.process_time(), time.perf_counter()
            np.asarray(run())
            walls[name].append((time.perf_counter() - began) * 1e3)
            processor[name] += (time.process_time() - used) * 1e3
    return {
        name: (float(np.median(wall)), processor[name] / turns / cores)
        for name, wall in walls.items()
    }


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--image_size", type=int, default=112)
    parser.add_argument("--turns", type=int, default=15)
    flags = parser.parse_args(argv)
    config = TrainConfig(
        batch_size=flags.batch_size,
        image_size=flags.image_size,
        backbone_weights="none",
    )
    batch = fake_batch(flags.batch_size, flags.image_size)
    strategy = tf.distribute.get_strategy()
    bare = loop.Trainer(config, strategy, None)
    degraded = loop.Trainer(config, strategy, inputs.training_mix(config.mix))
    runs = {
        "backbone and landmark head": landmarks_only(config, batch),
        "and decoder, averaging, reports": lambda: bare.train(batch),
        "and degradations (the whole step)": lambda: degraded.train(batch),
    }
    found = measure(runs, flags.turns)
    first = next(iter(found.values()))[1]
    print(
        f"| a step of {flags.batch_size} at {flags.image_size} px | wall, ms "
        "| processor a core, ms | of the first |\n| --- | --- | --- | --- |"
    )
    for name, (wall, processor) in found.items():
        print(f"| {name} | {wall:.0f} | {processor:.0f} | {processor / first:.2f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
