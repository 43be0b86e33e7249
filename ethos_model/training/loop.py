"""The training step and its state, the same code on one device and on many workers.

Keras' `fit` cannot run under MultiWorkerMirroredStrategy in this version, so the loop
is written out: `strategy.run` of one compiled step. Images come clean from the host and
are degraded here, where the model runs; `restored` is trained on the clean ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from ethos_data import degrade
from ethos_data.grey import LUMA
from ethos_model import network
from ethos_model.metrics import SIGMA_RATIO
from ethos_model.training import batch_norm, losses
from ethos_model.training.config import TrainConfig

METRICS: Final = (
    "loss",
    "landmarks_loss",
    "depth_loss",
    "restored_loss",
    "landmarks_mae",
    "landmarks_mse",
    "depth_mae",
    "depth_mse",
    "nme",
)

_ONE_SIGMA: Final = math.erf(math.sqrt(0.5))  # of a normal variable lie within: 68.3 %

_STREAMS: Final = {
    "train": 1,
    "validation": 2,
    "grading": 3,
}  # salts: none shares a draw

Degradation = Callable[[Any, Any, Any], Any]


class Trainer:
    """The network that learns, its averaged twin, the optimizer and the compiled steps.

    Attributes:
      model: the weights that gradients change.
      average: a second network with their exponential average, which is what is
        evaluated and exported.
      optimizer: AdamW.
      step: training steps taken so far. Not the optimizer's own count, which leaves out
        the steps that mixed precision had to skip.
    """

    def __init__(
        self,
        config: TrainConfig,
        strategy: tf.distribute.Strategy,
        degradation: Degradation | None,
    ):
        self.config = config
        self.strategy = strategy
        self._degradation = degradation
        self._grading = degrade.Grading(share=config.graded_share)
        with strategy.scope():
            # Nothing is downloaded that other weights are about to replace.
            backbone = None if config.initial_weights else config.backbone_weights
            self.model = _network(config, backbone)
            self.average = _network(config, None)
            if config.freeze_landmarks:
                network.freeze_landmarks(self.model)
                network.freeze_landmarks(self.average)
            self.optimizer = _optimizer(config)
            self.optimizer.build(self.model.trainable_variables)
        # Both networks list their variables in the same order.
        networks = (self.average, self.model)
        self._averaged = list(
            zip(*(one.trainable_variables for one in networks), strict=True)
        )
        self._statistics = list(zip(*map(_moving, networks), strict=True))
        self.step = 0
        self.start()
        self._compiled = tf.function(self._train_step)
        self.evaluation_step = tf.function(self._evaluation_step)

    def start(self) -> None:
        """Starts the average at the weights as they are."""
        for average, value in zip(
            self.average.variables, self.model.variables, strict=True
        ):
            average.assign(value.numpy())
        # From zero, moving statistics can be divided by the weight they have gathered,
        # and hold nothing of ImageNet's from the first step on. Otherwise those still
        # weigh 30 % after 120 steps and evaluation looks broken (116 % NME_box).
        for _, value in self._statistics:
            value.assign(np.zeros(value.shape, np.float32))

    def variables(self) -> dict[str, list[keras.Variable]]:
        """All that a checkpoint must hold, by group, each in a fixed order."""
        return {
            "weights": self.model.variables,
            "average": self.average.variables,
            "optimizer": self.optimizer.variables,
        }

    def degrade(self, batch: dict[str, Any], stream: str, step: Any) -> Any:
        """The batch's images as the network sees them, float32 or uint8.

        Args:
          batch: `image` (N, S, S, 3) and `face_size` (N,).
          stream: "train" or "validation".
          step: int scalar; the same step draws the same parameters.
        """
        if self._degradation is None:
            return batch["image"]
        images = tf.cast(batch["image"], tf.float32)
        return self._degradation(images, batch["face_size"], self._seed(stream, step))

    def shown(self, batch: dict[str, Any], step: Any) -> tuple[dict[str, Any], Any]:
        """What a training step compares with, and the images that the network sees.

        Args:
          batch, step: see `degrade`.
        """
        batch = self._graded(batch, step)
        return batch, self.degrade(batch, "train", step)

    def _graded(self, batch: dict[str, Any], step: Any) -> dict[str, Any]:
        """The batch with some images lit otherwise, restored ones to compare with too.

        Otherwise whatever is dark gets light, were it meant to be dark or not.
        """
        if self._degradation is None or not self.config.graded_share:
            return batch
        seed = self._seed("grading", step)
        return {**batch, "image": self._grading(batch["image"], seed=seed)}

    def _seed(self, stream: str, step: Any) -> Any:
        """int32 (2,), another one for each stream, step and replica."""
        context = tf.distribute.get_replica_context()
        replica = 0 if context is None else context.replica_id_in_sync_group
        seed = tf.random.experimental.stateless_fold_in(
            tf.constant([self.config.seed, _STREAMS[stream]], tf.int32),
            tf.cast(step, tf.int32),
        )
        return tf.random.experimental.stateless_fold_in(
            seed, tf.cast(replica, tf.int32)
        )

    def train(self, batch: Any) -> tf.Tensor:
        """Takes one step. Returns the sums of METRICS over the batch's images, (9,)."""
        sums = self._compiled(batch, tf.constant(self.step))
        self.step += 1
        return sums

    def _train_step(self, batch: Any, step: tf.Tensor) -> tf.Tensor:
        sums = self.strategy.run(self._replica_step, args=(batch, step))
        self._update_average(tf.cast(step + 1, tf.float32))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _update_average(self, age: tf.Tensor) -> None:
        """Moves the averaged network; age counts the steps that have been taken."""
        config = self.config
        # A young average follows closely, else it would stay at the start.
        keep = tf.minimum(config.ema_decay, (age - 1) / (age + 9))
        gathered = 1 - tf.pow(config.batch_norm_momentum, age)

        def update(average: Any, value: Any, weight: Any) -> Any:
            return average.assign_sub((1 - keep) * (average - value / weight))

        for pairs, weight in ((self._averaged, 1.0), (self._statistics, gathered)):
            for average, value in pairs:
                self.strategy.extended.update(
                    average.value, update, args=(value.value, weight)
                )

    def _replica_step(self, batch: dict[str, Any], step: tf.Tensor) -> tf.Tensor:
        config, optimizer = self.config, self.optimizer
        batch, images = self.shown(batch, step)
        with tf.GradientTape() as tape:
            outputs = self.model(images, training=True)
            per_image = self._per_image(batch, outputs, images)
            loss = tf.reduce_sum(per_image["loss"]) / config.batch_size
            scaled = optimizer.scale_loss(loss) if config.mixed_precision else loss
        variables = self.model.trainable_variables
        gradients = tape.gradient(scaled, variables)
        if config.clip_norm and not config.mixed_precision:
            gradients = self._clip(gradients)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        # One tensor: each that is fetched from a GPU costs a wait of its own.
        return tf.stack([tf.reduce_sum(per_image[name]) for name in METRICS])

    def _clip(self, gradients: list[Any]) -> list[Any]:
        """Limits the norm of the whole batch's gradient, not of a replica's share."""
        count = self.strategy.num_replicas_in_sync
        if count == 1:
            return tf.clip_by_global_norm(gradients, self.config.clip_norm)[0]
        context = tf.distribute.get_replica_context()
        summed = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        clipped = tf.clip_by_global_norm(summed, self.config.clip_norm)[0]
        return [
            gradient / count for gradient in clipped
        ]  # apply_gradients adds them up

    def _per_image(
        self, batch: dict[str, Any], outputs: dict[str, Any], images: Any
    ) -> Any:
        config = self.config
        grey = _grey(batch["image"])
        landmarks = losses.landmark_loss(
            config.landmark_loss,
            batch["landmarks"],
            outputs["landmarks"],
            outputs["uncertainty"],
        )
        depth = losses.depth_loss(batch["depth"], outputs["depth"], batch["depth_mask"])
        restored = losses.restored_loss(
            grey,
            outputs["restored"],
            _grey(images),
            floor=config.restored_floor,
            spoilt_weight=config.spoilt_weight,
        )
        weighted = config.depth_weight * depth + config.restored_weight * restored
        return {
            "loss": landmarks + weighted,
            "landmarks_loss": landmarks,
            "depth_loss": depth,
            "restored_loss": restored,
            **losses.errors(batch, outputs),
        }

    def _evaluation_step(self, batch: dict[str, Any], step: Any, degraded: bool) -> Any:
        """Per-image METRICS of the averaged network, and each coordinate's error in
        stated sigmas, (N, 68, 2); the draw depends on step alone."""
        images = self.degrade(batch, "validation", step) if degraded else batch["image"]
        outputs = self.average(images, training=False)
        error = tf.abs(outputs["landmarks"] - batch["landmarks"])[..., :2]
        sigmas = error / outputs["uncertainty"][..., None]
        return self._per_image(batch, outputs, images) | {SIGMA_RATIO: sigmas}

    def evaluate(
        self, batches: list[dict[str, Any]], *, degraded: bool
    ) -> dict[str, float]:
        """Means of METRICS over batches, of the averaged network, and SIGMA_RATIO: so
        many stated sigmas hold 68.3 % of the errors in x and y."""
        parts: dict[str, list[np.ndarray]] = {}
        for index, batch in enumerate(batches):
            values = self.evaluation_step(batch, tf.constant(index), degraded)
            for name, value in values.items():
                parts.setdefault(name, []).append(value.numpy())
        whole = {name: np.concatenate(part) for name, part in parts.items()}
        ratio = np.quantile(whole[SIGMA_RATIO], _ONE_SIGMA)
        means = {name: float(whole[name].mean()) for name in METRICS}
        return means | {SIGMA_RATIO: float(ratio)}

    def validate(self, batches: list[dict[str, Any]]) -> dict[str, float]:
        """What `evaluate` says of the validation faces, clean (`val_...`) and degraded
        (`val_degraded_...`): the names of history.csv."""
        found: dict[str, float] = {}
        for kind, degraded in (("val", False), ("val_degraded", True)):
            values = self.evaluate(batches, degraded=degraded)
            found |= {f"{kind}_{name}": value for name, value in values.items()}
        return found


def _grey(images: Any) -> Any:
    """uint8 or float32 (N, S, S, 3) in 0..255 to (N, S, S, 1) in [0, 1]."""
    scaled = tf.cast(images, tf.float32) / 255
    return tf.reduce_sum(scaled * tf.constant(LUMA), axis=-1, keepdims=True)


def _moving(model: keras.Model) -> list[Any]:
    """The statistics that training moves: those of batch norm that is not frozen."""
    return [
        variable
        for layer in batch_norm.norms(model)
        if layer.trainable
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


def _optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    steps = config.epochs * config.steps_per_epoch
    warmup = min(config.warmup_steps, steps // 4)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,  # of the highest rate is left at the end
    )
    # Under mixed precision only the optimizer sees gradients without the loss's scale.
    clip = config.clip_norm if config.mixed_precision and config.clip_norm else None
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=config.weight_decay, global_clipnorm=clip
    )
    # Decay would only pull the mean face to the origin.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if config.mixed_precision:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer
