"""A small SavedModel with the inputs and outputs of an exported model."""

from __future__ import annotations

import os

import numpy as np

SIZE = 32


def write(directory: str | os.PathLike[str]) -> None:
    """Writes the SavedModel. Its landmarks are a linear function of the image."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 1e-3, (SIZE * SIZE * 3, 204)).astype(np.float16)
    module = tf.Module()

    @tf.function(
        input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3), tf.uint8, name="image")]
    )
    def serve(image):
        values = tf.cast(image, tf.float32) / 255
        flat = tf.reshape(values, (-1, SIZE * SIZE * 3))
        points = flat @ tf.constant(kernel.astype(np.float32))
        return {
            "landmarks": tf.reshape(points, (-1, 68, 3)),
            "uncertainty": tf.nn.sigmoid(points[:, :68]),
            "depth": values[..., :1] * 0.5,
            "restored": tf.reduce_mean(values, axis=3, keepdims=True),
        }

    module.serve = serve
    signatures = {"serving_default": serve}
    tf.saved_model.save(module, str(directory), signatures=signatures)
