"""Degrades images in a `tf.data` pipeline of your own.

    python examples/degrade_in_tf_data.py sheet.png

Each image gets its own random low resolution, poor light and motion blur. The result
depends only on the seed, here the number of the batch. Geometry does not change, so
labels such as landmarks or boxes stay valid. Needs `pip install '.[train]'`.
"""

import sys

import numpy as np
import tensorflow as tf
from PIL import Image

from ethos_data.degrade import Compose, LowLight, LowResolution, MotionBlur

BATCH = 4
SIZE = 96


def images() -> tf.data.Dataset:
    """Your images: uint8 (SIZE, SIZE, 3). Here, discs of random colours."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    disc = np.hypot(x - SIZE / 2, y - SIZE / 2)[..., None] < SIZE / 3
    colours = rng.integers(0, 256, (3 * BATCH, 2, 1, 1, 3))
    pictures = np.where(disc, colours[:, 0], colours[:, 1]).astype(np.uint8)
    return tf.data.Dataset.from_tensor_slices(pictures)


def main(output: str) -> None:
    # A share of 0.5 leaves half of the images unchanged by that layer.
    degradation = Compose(
        [LowResolution(share=0.5), LowLight(share=0.5), MotionBlur(share=0.5)]
    )

    def degrade(number: tf.Tensor, clean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return degradation(clean, seed=number), clean

    batches = images().batch(BATCH).enumerate().map(degrade).prefetch(tf.data.AUTOTUNE)
    rows = []
    for degraded, clean in batches.as_numpy_iterator():
        rows.append(np.concatenate([*clean, *degraded], axis=1))
    Image.fromarray(np.concatenate(rows)).save(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
