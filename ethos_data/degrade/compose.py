"""Several degradations in a row, in a given or a random order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ethos_data.degrade import draws


@keras.saving.register_keras_serializable("ethos")
class Compose(keras.layers.Layer):
    """Applies all layers to all images.

    Args:
      layers: `Degradation`s, `Mixture`s or `Compose`s.
      random_order: draw the order for each batch (in a compiled graph every image in
        its own order would mean computing every layer for every image at each place).
    """

    def __init__(
        self,
        layers: Sequence[Any],
        *,
        random_order: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        kwargs |= {"autocast": False, "trainable": False}
        super().__init__(name=name, **kwargs)
        self.layers = [
            keras.saving.deserialize_keras_object(one) if isinstance(one, dict) else one
            for one in layers
        ]
        self.random_order = bool(random_order)
        self.built = True

    def draw(self, batch_size: Any, seed: Any, face_size: Any = None) -> dict[str, Any]:
        """The order and each layer's parameters, in the order of the layers."""
        count = len(self.layers)
        order = ops.arange(count, dtype="int32")
        if self.random_order:
            key = draws.keys(draws.fold(seed, 0), count)
            order = ops.cast(ops.argsort(draws.uniform(key, 0)), "int32")
        parameters = [
            layer.draw(batch_size, draws.fold(seed, number + 1), face_size)
            for number, layer in enumerate(self.layers)
        ]
        return {"order": order, "layers": parameters}

    def apply(self, images: Any, parameters: dict[str, Any]) -> Any:
        """Degrades a batch with parameters out of `draw`; see `Degradation.apply`."""
        images = ops.convert_to_tensor(images)
        pairs = list(zip(self.layers, parameters["layers"], strict=True))
        if not self.random_order:
            for layer, own in pairs:
                images = layer.apply(images, own)
            return images

        def step(layer: Any, own: Any) -> Any:
            return lambda batch: layer.apply(batch, own)

        steps = [step(layer, own) for layer, own in pairs]
        for place in range(len(steps)):
            images = ops.switch(parameters["order"][place], steps, images)
        return images

    def call(self, images: Any, face_size: Any = None, seed: Any = 0) -> Any:
        """Draws and applies; see `Degradation.call`."""
        images = ops.convert_to_tensor(images)
        return self.apply(images, self.draw(ops.shape(images)[0], seed, face_size))

    def compute_output_shape(self, images_shape: Any, *_: Any, **__: Any) -> Any:
        return images_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "layers": [keras.saving.serialize_keras_object(one) for one in self.layers],
            "random_order": self.random_order,
        }
