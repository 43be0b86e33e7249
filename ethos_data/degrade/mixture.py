"""The mixture of degradations that training uses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from ethos_data.degrade import draws
from ethos_data.degrade.base import Degradation, Parameters
from ethos_data.degrade.contrast import ContrastLoss
from ethos_data.degrade.defocus import Defocus
from ethos_data.degrade.jpeg import Jpeg
from ethos_data.degrade.low_light import LowLight
from ethos_data.degrade.low_resolution import LowResolution
from ethos_data.degrade.motion_blur import MotionBlur
from ethos_data.degrade.noise import SensorNoise
from ethos_data.degrade.occlusion import Occlusion
from ethos_data.degrade.overexposure import Overexposure


@keras.saving.register_keras_serializable("ethos")
class Mixture(keras.layers.Layer):
    """Applies each layer to its share of the images, one layer after the other.

    A layer computes only the images that were drawn for it. Their number is fixed, so
    that shapes are static; their positions in the batch are drawn. An image may be
    degraded by several layers or by none.

    Args:
      layers: The layers, in the order in which they are applied. The `share` of a layer
        is the fraction of the images that it degrades.
      jit_compile: Whether to compile the mixture with XLA on TensorFlow, even if the
        surrounding function is not compiled. On two cores this takes a quarter of the
        time. The network itself trains faster without XLA.
    """

    def __init__(
        self,
        layers: Sequence[Any],
        *,
        jit_compile: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        kwargs |= {"autocast": False, "trainable": False}
        super().__init__(name=name, **kwargs)
        self.layers: list[Degradation] = [
            keras.saving.deserialize_keras_object(layer)
            if isinstance(layer, dict)
            else layer
            for layer in layers
        ]
        self.jit_compile = bool(jit_compile)
        self._compiled: Any = None
        self.built = True

    def draw(
        self, batch_size: int, seed: Any, face_size: Any = None
    ) -> list[Parameters]:
        """Draws the parameters of each layer and the positions of its images.

        Args:
          batch_size: Number of images.
          seed: Int or integer tensor.
          face_size: As in `Degradation.draw`.

        Returns:
          The parameters of each layer. Their entry "positions" is an int32 tensor with
          indices in the batch.
        """
        drawn = []
        for number, layer in enumerate(self.layers):
            layer_seed = draws.fold(seed, number + 1)
            order = ops.argsort(draws.uniform(draws.keys(layer_seed, batch_size), 0))
            count = math.ceil(layer.share * batch_size)
            positions = ops.cast(order[:count], "int32")
            sizes = None
            if face_size is not None:
                sizes = ops.take(ops.convert_to_tensor(face_size), positions, axis=0)
            parameters = layer.draw(count, draws.fold(layer_seed, 1), sizes)
            # The count is rounded up. This probability makes the mean share exact.
            probability = layer.share * batch_size / max(count, 1)
            degraded = draws.uniform(parameters["key"], 0) < np.float32(probability)
            drawn.append(parameters | {"degraded": degraded, "positions": positions})
        return drawn

    def apply(self, images: Any, parameters: list[Parameters]) -> Any:
        """Degrades a batch with the result of `draw`. See `Degradation.apply`."""
        images = ops.convert_to_tensor(images)
        for layer, layer_parameters in zip(self.layers, parameters, strict=True):
            positions = layer_parameters["positions"]
            if positions.shape[0] == 0:
                continue
            selected = ops.take(images, positions, axis=0)
            degraded = layer.apply(selected, layer_parameters)
            images = ops.scatter_update(images, positions[:, None], degraded)
        return images

    def call(self, images: Any, face_size: Any = None, seed: Any = 0) -> Any:
        """Draws parameters and applies them. See `Degradation.call`.

        Raises:
          ValueError: The size of the batch is not static.
        """
        images = ops.convert_to_tensor(images)
        if images.shape[0] is None:
            raise ValueError(
                "A mixture needs a batch of known size (drop_remainder=True). "
                f"Received: images of shape {images.shape}"
            )
        if isinstance(seed, int | np.integer):
            # As a tensor, because each new Python number would be compiled again.
            seed = ops.convert_to_tensor(np.uint32(int(seed) & 0xFFFFFFFF))
        return self._runner()(images, face_size, seed)

    def covered(self, points: Any, face_size: Any, seed: Any) -> Any:
        """Returns which points of the images an `Occlusion` of the mixture covers.

        Args:
          points: x and y, float32 (B, P, 2), as fractions of the side of the image.
          face_size: As in `call`.
          seed: As in `call`. The same seed covers the same points in `call`.

        Returns:
          bool (B, P).
        """
        count = points.shape[0]
        result = ops.zeros((count, points.shape[1]), "bool")
        drawn = self.draw(count, seed, face_size)
        for layer, parameters in zip(self.layers, drawn, strict=True):
            positions = parameters["positions"]
            if not isinstance(layer, Occlusion) or positions.shape[0] == 0:
                continue
            own = layer.covers(ops.take(points, positions, axis=0), parameters)
            covered = ops.logical_or(own, ops.take(result, positions, axis=0))
            result = ops.scatter_update(result, positions[:, None], covered)
        return result

    def _run(self, images: Any, face_size: Any, seed: Any) -> Any:
        return self.apply(images, self.draw(images.shape[0], seed, face_size))

    def _runner(self) -> Any:
        if not self.jit_compile or keras.backend.backend() != "tensorflow":
            return self._run
        if self._compiled is None:
            import tensorflow as tf

            self._compiled = tf.function(self._run, jit_compile=True, autograph=False)
        return self._compiled

    def compute_output_shape(self, images_shape: Any, *_: Any, **__: Any) -> Any:
        return images_shape

    def get_config(self) -> dict[str, Any]:
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return super().get_config() | {
            "layers": layers,
            "jit_compile": self.jit_compile,
        }


def training_mix() -> Mixture:
    """Creates the mixture that `ethos-train` applies in its training step.

    It leaves 9 % of the images clean. The ranges contain the severities 1 to 5, except
    that noise ends at a standard deviation of 30 (severity 5 has 32). They also contain
    the published conditions for small faces: 15 pixels of motion are 0.43 face sizes
    for a face of 35 pixels. The order follows the light: occlusion, haze, lens, sensor,
    scaler, coder.
    """
    return Mixture(
        [
            Occlusion((0.02, 0.25), share=0.15),
            ContrastLoss((0.13, 0.8), share=0.12),
            Defocus((0.01, 0.08), share=0.12),
            MotionBlur((0.03, 0.45), share=0.5),
            Overexposure((1.2, 4.0), share=0.1),
            LowLight((0.06, 0.6), share=0.3),
            SensorNoise((2, 30), share=0.2),
            LowResolution((8, 60), share=0.3),
            Jpeg((5, 60), share=0.2),
        ],
        name="training_mix",
    )
