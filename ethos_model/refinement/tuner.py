"""The training of a refinement: the network, its average and the compiled step.

Batch norm keeps the statistics of the first model. With them the function of the
network does not change before the first step, and a few faces that look alike cannot
distort the statistics.
"""

from __future__ import annotations

import math
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from ethos_model import predict
from ethos_model.refinement import batches
from ethos_model.refinement.recipe import SMOOTHNESS, Recipe
from ethos_model.training import inputs, loop, losses

_EVALUATED: Final = 32
"""Number of images that are evaluated at once. Fewer images are padded, so that the
network is compiled only once."""


class Tuner:
    """A network that is trained further.

    Attributes:
      model: Network whose weights the gradients change.
      recipe: Settings of the training.
      step: Number of steps taken.
    """

    def __init__(self, model: keras.Model, recipe: Recipe, *, label_shift: float = 0):
        """
        Args:
          model: Network from `network.build` with the first weights.
          recipe: Settings of the training.
          label_shift: Offset of the labels that the model learnt to the right, in % of
            the face size.
        """
        self.model = model
        self.recipe = recipe
        self._label_shift = label_shift
        self._size = int(model.input.shape[1])
        self._variables = model.trainable_variables
        self._first = [tf.constant(variable.numpy()) for variable in self._variables]
        self._average = [tf.Variable(variable.numpy()) for variable in self._variables]
        self._optimizer = keras.optimizers.AdamW(0.0, weight_decay=0.0)
        self._optimizer.build(self._variables)
        self._degradation = inputs.training_mix()
        self._compiled = tf.function(self._train_step)
        self._forward = tf.function(lambda images: model(images, training=False))
        self.step = 0

    def restart(self, recipe: Recipe) -> None:
        """Starts again from the first weights. Compiled functions are used again.

        Args:
          recipe: Settings of the training, with the same batch.
        """
        self.recipe, self.step = recipe, 0
        self.set_weights(self.first_weights())
        for average, first in zip(self._average, self._first, strict=True):
            average.assign(first)
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros_like(variable))

    def first_weights(self) -> list[np.ndarray]:
        """The trainable weights of the first model."""
        return [value.numpy() for value in self._first]

    def averaged_weights(self) -> list[np.ndarray]:
        """The trainable weights, averaged over the last steps."""
        return [value.numpy() for value in self._average]

    def weights(self) -> list[np.ndarray]:
        """The trainable weights."""
        return [variable.numpy() for variable in self._variables]

    def set_weights(self, values: list[np.ndarray]) -> None:
        """Sets the trainable weights."""
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)

    def train(self, faces: batches.Examples, heads: batches.Examples) -> float:
        """Takes a step. Returns the loss.

        Args:
          faces: The corrected faces.
          heads: The rendered heads.
        """
        recipe = self.recipe
        batch = batches.training_batch(
            faces,
            heads,
            recipe,
            self.step,
            image_size=self._size,
            label_shift=self._label_shift,
        )
        loss = self._compiled(
            {name: tf.constant(value) for name, value in batch.items()},
            tf.constant([recipe.seed, self.step], tf.int32),
            tf.constant(self.learning_rate(), tf.float32),
            tf.constant(min(SMOOTHNESS, self.step / (self.step + 9)), tf.float32),
        )
        self.step += 1
        return float(loss)

    def learning_rate(self) -> float:
        """Learning rate of the next step: a linear warm-up and a cosine decay."""
        recipe = self.recipe
        warmup = max(1, round(recipe.warmup_share * recipe.steps))
        if self.step < warmup:
            return recipe.learning_rate * (self.step + 1) / warmup
        done = (self.step - warmup) / max(1, recipe.steps - warmup)
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1)))

    def _train_step(self, batch: Any, seed: Any, rate: Any, keep: Any) -> Any:
        """Changes the weights and their average. Returns the loss."""
        clean = tf.cast(batch["image"], tf.float32)
        images = self._degradation(clean, batch["face_size"], seed)
        batch = loop.with_covered(self._degradation, batch, seed)
        with tf.GradientTape() as tape:
            outputs = self.model(images, training=False)
            loss = tf.reduce_mean(self._loss(batch, outputs, images))
        gradients = tape.gradient(loss, self._variables)
        gradients = tf.clip_by_global_norm(gradients, self.recipe.clip_norm)[0]
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply_gradients(zip(gradients, self._variables, strict=True))
        for variable, average in zip(self._variables, self._average, strict=True):
            average.assign_sub((1 - keep) * (average - variable))
        return loss

    def _loss(self, batch: Any, outputs: Any, images: Any) -> Any:
        """Loss of each image, (N,)."""
        recipe = self.recipe
        landmarks = losses.landmark_loss(
            "gaussian",
            batch["landmarks"],
            outputs["landmarks"],
            outputs["uncertainty"],
            losses.labelled(batch),
        )
        depth = losses.depth_loss(batch["depth"], outputs["depth"], batch["depth_mask"])
        restored = losses.restored_loss(
            loop.grey(batch["image"]),
            outputs["restored"],
            loop.grey(images),
            protection=1.0,
        )
        visible = losses.visible_loss(batch["visible"], outputs["visible"])
        return (
            landmarks
            + recipe.depth_weight * depth
            + recipe.restored_weight * restored
            + recipe.visible_weight * visible
        )

    def errors(self, batch: batches.Batch) -> np.ndarray:
        """Returns the error of each face, NME_box in %, with the current weights.

        Args:
          batch: Result of `batches.evaluation_batch`.
        """
        return batches.errors(batch, self.predict(batch["image"])["landmarks"])

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs of the network for images (N, S, S, 3), without the label offset."""
        parts: list[dict[str, np.ndarray]] = []
        for start in range(0, len(images), _EVALUATED):
            part = images[start : start + _EVALUATED]
            padded = np.zeros((_EVALUATED, *part.shape[1:]), np.uint8)
            padded[: len(part)] = part
            outputs = self._forward(tf.constant(padded))
            parts.append({name: v.numpy()[: len(part)] for name, v in outputs.items()})
        joined = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        return predict.without_label_shift(joined, self._label_shift)
