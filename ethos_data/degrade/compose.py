"""Several degradations one after the other, in a fixed or random order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from ethos_data.degrade import draws


@keras.saving.register_keras_serializable("ethos")
class Compose(keras.layers.Layer):
    """Applies all layers to all images.

    Example:
      degradation = Compose([LowLight(share=0.5), MotionBlur()])
      degraded = degradation(images, seed=7)

    Args:
      layers: Layers of type `Degradation`, `Mixture` or `Compose`.
      random_order: Whether to draw the order for each batch. The order is the same for
        all images of a batch: in a compiled graph, an order for each image would
        compute every layer for every image at every position.
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
            keras.saving.deserialize_keras_object(layer)
            if isinstance(layer, dict)
            else layer
            for layer in layers
        ]
        self.random_order = bool(random_order)
        self.built = True

    def draw(self, batch_size: Any, seed: Any, face_size: Any = None) -> dict[str, Any]:
        """Draws the order and the parameters of each layer. See `Degradation.draw`."""
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
        """Degrades a batch with the result of `draw`. See `Degradation.apply`."""
        images = ops.convert_to_tensor(images)
        pairs = list(zip(self.layers, parameters["layers"], strict=True))
        if not self.random_order:
            for layer, layer_parameters in pairs:
                images = layer.apply(images, layer_parameters)
            return images

        def step(layer: Any, layer_parameters: Any) -> Any:
            return lambda batch: layer.apply(batch, layer_parameters)

        steps = [step(layer, layer_parameters) for layer, layer_parameters in pairs]
        for position in range(len(steps)):
            images = ops.switch(parameters["order"][position], steps, images)
        return images

    def call(self, images: Any, face_size: Any = None, seed: Any = 0) -> Any:
        """Draws parameters and applies them. See `Degradation.call`."""
        images = ops.convert_to_tensor(images)
        return self.apply(images, self.draw(ops.shape(images)[0], seed, face_size))

    def compute_output_shape(self, images_shape: Any, *_: Any, **__: Any) -> Any:
        return images_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "layers": [
                keras.saving.serialize_keras_object(layer) for layer in self.layers
            ],
            "random_order": self.random_order,
        }
