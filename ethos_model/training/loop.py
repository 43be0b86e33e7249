"""The training step and its state, for one device and for many workers.

Keras' `fit` does not work under MultiWorkerMirroredStrategy in Keras 3.15, so the loop
calls `strategy.run` with one compiled step. The host delivers clean images. They are
degraded in the step, on the device of the model; `restored` is compared with the clean
images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from ethos_data import degrade, visibility
from ethos_data.grey import LUMA
from ethos_model import network
from ethos_model.metrics import SIGMA_RATIO
from ethos_model.training import batch_norm, losses, optimizers
from ethos_model.training.config import TrainConfig

METRICS: Final = (
    "loss",
    "landmarks_loss",
    "visible_loss",
    "depth_loss",
    "restored_loss",
    "landmarks_mae",
    "landmarks_mse",
    "depth_mae",
    "depth_mse",
    "nme",
)
"""Figures of a step and of an evaluation; see `losses.errors` for the units."""

_WITHIN_ONE_SIGMA: Final = math.erf(math.sqrt(0.5))  # 68.3 % of a normal variable

_GRADED: Final = 0.5
"""Share of the training images whose light and colours are changed before they are
degraded."""

_PROTECTED: Final = (0.4, 0.6)
"""Shares of a run between which the protection of good images rises to its full value.
A run that starts from a trained network protects them from the first step."""

_STREAMS: Final = {"train": 1, "validation": 2, "grading": 3}
"""Part of the seed that separates the random streams."""

Degradation = Callable[[Any, Any, Any], Any]
"""Function from images float32 (N, S, S, 3) in [0, 255], face_size (N,) and seed (2,)
to images of the same shape and range."""


class Trainer:
    """The network, its average, the optimizer and the compiled steps.

    Attributes:
      model: Network whose weights the gradients change.
      average: Network with the exponential moving average of these weights. It is
        evaluated and exported.
      optimizer: AdamW.
      step: Number of training steps taken. The count of the optimizer is lower with
        mixed precision, which skips steps whose gradients overflow.
    """

    def __init__(
        self,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
        degradation: Degradation | None,
    ):
        """Builds the networks.

        Args:
          config: The run.
          strategy: Distribution strategy in which variables are created.
          degradation: Degrades the images of a batch; None for clean images.
        """
        self.config = config
        self.strategy = strategy
        self._degradation = degradation
        self._grading = degrade.Grading(share=_GRADED)
        with strategy.scope():
            # Initial weights replace the backbone's, so those are not downloaded.
            backbone = None if config.initial_weights else config.backbone_weights
            self.model = _network(config, backbone)
            self.average = _network(config, None)
            self.optimizer = optimizers.make(config)
            self.optimizer.build(self.model.trainable_variables)
        # Both networks list their variables in the same order.
        networks = (self.average, self.model)
        self._averaged = list(
            zip(*(model.trainable_variables for model in networks), strict=True)
        )
        self._statistics = list(zip(*map(_statistics, networks), strict=True))
        self.step = 0
        self.start()
        self._compiled = tf.function(self._train_step)
        self.evaluation_step = tf.function(self._evaluation_step)

    def start(self) -> None:
        """Sets the average to the current weights."""
        for average, value in zip(
            self.average.variables, self.model.variables, strict=True
        ):
            average.assign(value.numpy())
        # Moving statistics that start at zero can be divided by the weight that they
        # have gathered. They then contain nothing of the initial statistics, which
        # would have a weight of 30 % after 120 steps (116 % NME_box in an evaluation).
        for _, value in self._statistics:
            value.assign(np.zeros(value.shape, np.float32))

    def variables(self) -> dict[str, list[keras.Variable]]:
        """All variables that a checkpoint must contain, by group."""
        return {
            "weights": self.model.variables,
            "average": self.average.variables,
            "optimizer": self.optimizer.variables,
        }

    def degrade(self, batch: dict[str, Any], stream: str, step: Any) -> Any:
        """Degrades the images of a batch.

        Args:
          batch: `image` (N, S, S, 3) and `face_size` (N,).
          stream: Random stream, "train" or "validation".
          step: int scalar. The same step draws the same parameters.

        Returns:
          The images that the network sees, float32 or uint8 (N, S, S, 3).
        """
        if self._degradation is None:
            return batch["image"]
        images = tf.cast(batch["image"], tf.float32)
        return self._degradation(images, batch["face_size"], self._seed(stream, step))

    def shown(self, batch: dict[str, Any], step: Any) -> tuple[dict[str, Any], Any]:
        """Prepares a batch of training.

        Args:
          batch: Batch of `dataset.load`.
          step: int scalar. The same step draws the same parameters.

        Returns:
          The batch that the outputs are compared with, and the images that the network
          sees, (N, S, S, 3).
        """
        batch = self._graded(batch, step)
        covered = with_covered(self._degradation, batch, self._seed("train", step))
        return covered, self.degrade(batch, "train", step)

    def _graded(self, batch: dict[str, Any], step: Any) -> dict[str, Any]:
        """The batch with other light and colours in some images.

        The restored image is compared with the changed image. Without this a network
        learns to brighten every dark image, even if the scene itself is dark.
        """
        if self._degradation is None:
            return batch
        seed = self._seed("grading", step)
        return {**batch, "image": self._grading(batch["image"], seed=seed)}

    def _seed(self, stream: str, step: Any) -> Any:
        """Seed int32 (2,) that differs for each stream, step and replica."""
        context = tf.distribute.get_replica_context()
        replica = 0 if context is None else context.replica_id_in_sync_group
        seed = tf.random.experimental.stateless_fold_in(
            tf.constant([self.config.seed, _STREAMS[stream]], tf.int32),
            tf.cast(step, tf.int32),
        )
        return tf.random.experimental.stateless_fold_in(
            seed, tf.cast(replica, tf.int32)
        )

    def train(self, batch: Any, *, stop: bool = False) -> tf.Tensor:
        """Takes one training step.

        Args:
          batch: Batch of `inputs.training_batches`.
          stop: Whether this process wants to stop.

        Returns:
          float32 (10,): the sum of each of METRICS over the images of the batch, and
          the number of replicas that want to stop. All workers receive the same values,
          so they can stop after the same step.
        """
        sums = self._compiled(
            batch, tf.constant(self.step), tf.constant(stop, tf.float32)
        )
        self.step += 1
        return sums

    def _train_step(self, batch: Any, step: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        sums = self.strategy.run(self._replica_step, args=(batch, step, stop))
        self._update_average(tf.cast(step + 1, tf.float32))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _update_average(self, age: tf.Tensor) -> None:
        """Updates the averaged network.

        Args:
          age: float32 scalar, the number of steps taken.
        """
        config = self.config
        # The decay starts at 0, so that the average does not stay at the first weights.
        keep = tf.minimum(config.ema_decay, (age - 1) / (age + 9))
        gathered = 1 - tf.pow(config.batch_norm_momentum, age)

        def update(average: Any, value: Any, weight: Any) -> Any:
            return average.assign_sub((1 - keep) * (average - value / weight))

        for pairs, weight in ((self._averaged, 1.0), (self._statistics, gathered)):
            for average, value in pairs:
                self.strategy.extended.update(
                    average.value, update, args=(value.value, weight)
                )

    def _replica_step(
        self, batch: dict[str, Any], step: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        config, optimizer = self.config, self.optimizer
        batch, images = self.shown(batch, step)
        with tf.GradientTape() as tape:
            outputs = self.model(images, training=True)
            per_image = self._per_image(batch, outputs, images, self._protection(step))
            loss = tf.reduce_sum(per_image["loss"]) / config.batch_size
            scaled = optimizer.scale_loss(loss) if config.mixed_precision else loss
        variables = self.model.trainable_variables
        gradients = tape.gradient(scaled, variables)
        if config.clip_norm and not config.mixed_precision:
            gradients = self._clip(gradients)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        # One tensor, because each tensor that is fetched from a GPU costs a wait.
        return tf.stack([*(tf.reduce_sum(per_image[name]) for name in METRICS), stop])

    def _clip(self, gradients: list[Any]) -> list[Any]:
        """Limits the norm of the gradient of the whole batch, over all replicas."""
        count = self.strategy.num_replicas_in_sync
        if count == 1:
            return tf.clip_by_global_norm(gradients, self.config.clip_norm)[0]
        context = tf.distribute.get_replica_context()
        summed = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        clipped = tf.clip_by_global_norm(summed, self.config.clip_norm)[0]
        # apply_gradients adds the gradients of the replicas.
        return [gradient / count for gradient in clipped]

    def _protection(self, step: tf.Tensor) -> Any:
        """How much good images are protected; see `losses.restored_loss`."""
        config = self.config
        if config.initial_weights:
            return 1.0
        done = tf.cast(step, tf.float32) / (config.epochs * config.steps_per_epoch)
        first, last = _PROTECTED
        return tf.clip_by_value((done - first) / (last - first), 0.0, 1.0)

    def _per_image(
        self,
        batch: dict[str, Any],
        outputs: dict[str, Any],
        images: Any,
        protection: Any = 1.0,
    ) -> dict[str, Any]:
        """METRICS of each image, (N,)."""
        config = self.config
        landmarks = losses.landmark_loss(
            config.landmark_loss,
            batch["landmarks"],
            outputs["landmarks"],
            outputs["uncertainty"],
            losses.labelled(batch),
        )
        visible = losses.visible_loss(batch["visible"], outputs["visible"])
        depth = losses.depth_loss(batch["depth"], outputs["depth"], batch["depth_mask"])
        restored = losses.restored_loss(
            grey(batch["image"]),
            outputs["restored"],
            grey(images),
            protection=protection,
        )
        weighted = config.depth_weight * depth + config.restored_weight * restored
        weighted += config.visible_weight * visible
        return {
            "loss": landmarks + weighted,
            "landmarks_loss": landmarks,
            "visible_loss": visible,
            "depth_loss": depth,
            "restored_loss": restored,
            **losses.errors(batch, outputs),
        }

    def _evaluation_step(self, batch: dict[str, Any], step: Any, degraded: bool) -> Any:
        """METRICS of each image for the averaged network, (N,), and SIGMA_RATIO, the
        absolute error of each coordinate in stated sigmas, (N, 68, 2). It is NaN where
        the coordinate is not a label."""
        images = self.degrade(batch, "validation", step) if degraded else batch["image"]
        outputs = self.average(images, training=False)
        error = tf.abs(outputs["landmarks"] - batch["landmarks"])[..., :2]
        known = losses.labelled(batch)[..., :2] > 0
        sigmas = tf.where(known, error / outputs["uncertainty"][..., None], math.nan)
        return self._per_image(batch, outputs, images) | {SIGMA_RATIO: sigmas}

    def evaluate(
        self, batches: Iterable[dict[str, Any]], *, degraded: bool
    ) -> dict[str, float]:
        """Evaluates the averaged network.

        Args:
          batches: Batches of `inputs.validation_batches`.
          degraded: Whether to degrade the images. The parameters depend only on the
            position of the batch.

        Returns:
          The mean of each of METRICS, and SIGMA_RATIO: the number of stated sigmas that
          contain 68.3 % of the errors in x and y.
        """
        parts: dict[str, list[np.ndarray]] = {}
        for index, batch in enumerate(batches):
            values = self.evaluation_step(batch, tf.constant(index), degraded)
            for name, value in values.items():
                parts.setdefault(name, []).append(value.numpy())
        joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
        ratio = np.nanquantile(joined[SIGMA_RATIO], _WITHIN_ONE_SIGMA)
        means = {name: float(joined[name].mean()) for name in METRICS}
        return means | {SIGMA_RATIO: float(ratio)}

    def validate(self, batches: Iterable[dict[str, Any]]) -> dict[str, float]:
        """Evaluates the averaged network on clean and on degraded images.

        Args:
          batches: Batches of `inputs.validation_batches`. They are read twice.

        Returns:
          The results of `evaluate` with the names of history.csv: "val_..." for clean
          and "val_degraded_..." for degraded images.
        """
        errors: dict[str, float] = {}
        for kind, degraded in (("val", False), ("val_degraded", True)):
            values = self.evaluate(batches, degraded=degraded)
            errors |= {f"{kind}_{name}": value for name, value in values.items()}
        return errors


def with_covered(degradation: Any, batch: dict[str, Any], seed: Any) -> dict[str, Any]:
    """Marks the landmarks that a degradation covers as hidden.

    Labels without a statement about visibility stay as they are.

    Args:
      degradation: See `Degradation`. Only a `degrade.Mixture` covers landmarks.
      batch: Batch of `dataset.load`.
      seed: The seed with which the images are degraded.

    Returns:
      The batch with another `visible`.
    """
    if not isinstance(degradation, degrade.Mixture):
        return batch
    covered = degradation.covered(batch["landmarks"][..., :2], batch["face_size"], seed)
    seen = tf.equal(batch["visible"], visibility.VISIBLE)
    hidden = tf.cast(visibility.HIDDEN, batch["visible"].dtype)
    return {**batch, "visible": tf.where(covered & seen, hidden, batch["visible"])}


def grey(images: Any) -> Any:
    """Converts RGB, uint8 or float32 (N, S, S, 3) in [0, 255], to grey values (N, S, S,
    1) in [0, 1]."""
    scaled = tf.cast(images, tf.float32) / 255
    return tf.reduce_sum(scaled * tf.constant(LUMA), axis=-1, keepdims=True)


def _statistics(model: keras.Model) -> list[Any]:
    """The moving statistics of all batch norm layers."""
    return [
        variable
        for layer in batch_norm.batch_norm_layers(model)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def _network(config: TrainConfig, weights: str | None) -> keras.Model:
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return network.build(
        image_size=config.image_size,
        alpha=config.alpha,
        backbone_weights=weights,
        batch_norm_momentum=config.batch_norm_momentum,
        sync_batch_norm=config.sync_batch_norm and replicas > 1,
    )
